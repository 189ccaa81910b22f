# ruff: noqa: E501 - a row of a table stays on one line
"""What Istio accepts in silence although it is seldom meant: an info each, and never more than an info."""

from __future__ import annotations

import pytest

from chaos.mesh.check.report import FileReport, check

HEAD = "apiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{name: t}}\nspec: {spec}\n"
TO_WEB = "route: [{destination: {host: web}}]"


def report(kind: str, spec: str) -> FileReport:
    (found,) = check([("f.yaml", HEAD.format(kind=kind, spec=spec))])
    return found


def of_rules(*rules: str) -> FileReport:
    return report("VirtualService", f"{{hosts: [web], http: [{', '.join(f'{{{rule}}}' for rule in rules)}]}}")


PITFALLS = [
    ("fault: {abort: {httpStatus: 500, percentage: {value: 0.25}}}", "small-percentage fault.abort.percentage.value: 0.25 means one request in 400; did you mean 25?"),
    ("fault: {delay: {fixedDelay: 5s, percentage: {value: 0.5}}}", "small-percentage fault.delay.percentage.value: 0.5 means one request in 200; did you mean 50?"),
    ("mirror: {host: a}, mirrorPercentage: {value: 0.1}", "small-percentage mirrorPercentage.value: 0.1 means one request in 1000; did you mean 10?"),
    ("fault: {abort: {httpStatus: 500}}", "never fault.abort: without a percentage no request is aborted; for all write percentage: {value: 100}"),
    ("fault: {delay: {fixedDelay: 5s}}", "never fault.delay: without a percentage no request is delayed"),
    ("fault: {abort: {httpStatus: 500, percentage: {}}}", "never fault.abort.percentage: without a value no request is aborted"),
    ("fault: {delay: {fixedDelay: 5s, percent: 10, percentage: {value: 5}}}", "no-effect fault.delay.percent: has no effect beside percentage"),
    ("fault: {abort: {httpStatus: 500, percentage: {value: 0.57}}}", "lost-digits fault.abort.percentage.value: becomes 5699 in 1000000, which is 0.5699 %"),
    ("fault: {abort: {httpStatus: 500, percentage: {value: 33.33333}}}", "lost-digits fault.abort.percentage.value: becomes 333333 in 1000000, which is 33.3333 %"),
    ("fault: {delay: {percentage: {value: 5}}}", "no-effect fault.delay: a delay without fixedDelay does nothing"),
    ("timeout: 1s, fault: {delay: {fixedDelay: 5s, percentage: {value: 5}}}", "fault-and-timeout timeout: never cuts the delay of 5s short"),
    ("retries: {attempts: 3, retryOn: 5xx}, fault: {abort: {httpStatus: 503, percentage: {value: 5}}}", "fault-and-retries retries: do not apply to the abort of the same rule"),
    ("fault: {abort: {httpStatus: 204, percentage: {value: 5}}}", "status fault.abort.httpStatus: Envoy sends a body even with 204"),
    ("fault: {abort: {httpStatus: 200, percentage: {value: 5}}}", "status fault.abort.httpStatus: callers will see a success"),
    ("retries: {attempts: 3}", "default-retryon retries: without retryOn a 503 is not retried"),
    ("retries: {attempts: 3, retryOn: retriable-status-codes}", "no-effect retries.retryOn: retriable-status-codes does nothing without codes"),
    ("retries: {attempts: 3, retryOn: refused-stream}", "no-effect retries.retryOn: refused-stream is about HTTP/2 alone"),
    ("retries: {attempts: 3, retryOn: '503', perTryTimeout: 1s}", "per-try-timeout retries.perTryTimeout: an attempt that reaches it is not retried"),
    ("timeout: 2s, retries: {attempts: 3, retryOn: 5xx, perTryTimeout: 2s}", "per-try-timeout retries.perTryTimeout: never reached: the timeout of 2s for all attempts comes first"),
    ("match: [{uri: {exact: '/a?x=1'}}]", "never-matches match[0].uri.exact: uri is the path without its query"),
    ("match: [{uri: {prefix: a}}]", "never-matches match[0].uri.prefix: a path begins with /, so this never matches; write /a"),
    ("match: [{uri: {regex: '/a\\?x=.*'}}]", "never-matches match[0].uri.regex: uri is the path without its query"),
    ("match: [{ignoreUriCase: true, uri: {regex: /a}}]", "no-effect match[0].uri.regex: ignoreUriCase has no effect on a regex; begin it with (?i)"),
    ("match: [{method: {exact: get}}]", "never-matches match[0].method.exact: methods are case-sensitive; write GET"),
    ("match: [{withoutHeaders: {x: {regex: '.*'}}}]", "never-matches match[0].withoutHeaders.x: an absent header counts as empty"),
    ("headers: {request: {set: {x: ''}}}", "no-effect headers.request.set.x: an empty value does nothing"),
    ("match: [{uri: {prefix: /a}}], rewrite: {uri: /}", "rewrite-slash rewrite.uri: the prefix /a is replaced: /a/x becomes //x; match /a/ for a single slash"),
    ("match: [{uri: {prefix: /a/}}], rewrite: {uri: /b}", "rewrite-slash rewrite.uri: the prefix /a/ is replaced: /a/x becomes /bx; did you mean /b/?"),
    ("match: [{uri: {prefix: /a/}}, {uri: {prefix: /a}}], rewrite: {uri: /}", "rewrite-slash rewrite.uri: the prefix /a is replaced: /a/x becomes //x"),
    ("match: [{headers: {x: {}}}], rewrite: {uri: /new}", "rewrite-slash rewrite.uri: the prefix / is replaced: /x becomes /newx; did you mean /new/?"),
    ("rewrite: {uri: /new}", "rewrite-slash rewrite.uri: the rule has no match, so / is replaced: /x becomes /newx; did you mean /new/?"),
    ("rewrite: {uri: /}", "no-effect rewrite.uri: changes nothing"),
    ("match: [{uri: {regex: '/^\\/api\\/v1/gi'}}]", "regex-literal match[0].uri.regex: slashes and flags are part of a regex here, which must match the whole text; did you mean (?i)^/api/v1?"),
    ("match: [{headers: {user-agent: {regex: /.*Mobile.*/i}}}]", "regex-literal match[0].headers.user-agent.regex: slashes and flags are part of a regex here, which must match the whole text; did you mean (?i).*Mobile.*?"),
    ("match: [{withoutHeaders: {x: {regex: /a/g}}}]", "regex-literal match[0].withoutHeaders.x.regex: slashes and flags are part of a regex here, which must match the whole text; did you mean a?"),
    ("rewrite: {uriRegexRewrite: {match: /^a$/g, rewrite: b}}", "regex-literal rewrite.uriRegexRewrite.match:"),
    ("corsPolicy: {allowOrigins: [{regex: '/.*\\.example\\.com/i'}]}", "regex-literal corsPolicy.allowOrigins[0].regex:"),
    ("corsPolicy: {allowOrigins: [{exact: 'https://a.com'}]}, fault: {abort: {httpStatus: 500, percentage: {value: 5}}}", "fault-and-cors corsPolicy: aborts come first: a browser sees no CORS header in them"),
    ("fault: {abort: {percentage: {value: 10}}}", "no-effect fault.abort: an abort without httpStatus or grpcStatus is ignored"),
    ("corsPolicy: {allowMethods: [GET]}", "no-effect corsPolicy: no effect without allowOrigins"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "expected"), PITFALLS)
def test_a_pitfall_of_a_rule_is_an_info(fields: str, expected: str) -> None:
    found = of_rules(f"{TO_WEB}, {fields}")
    assert found.errors == found.warnings == ()
    said = [f"{info.code} {info.path.removeprefix('spec.http[0].')}: {info.message}" for info in found.infos]
    assert any(each.startswith(expected) for each in said), said


QUIET = [
    "fault: {abort: {httpStatus: 500, percentage: {value: 50}}}",
    "fault: {abort: {httpStatus: 500, percentage: {value: 0.0}}}",
    "fault: {abort: {httpStatus: 500, percentage: {value: 1}}}",
    "fault: {delay: {fixedDelay: 5s, percentage: {value: 12.5}}}",
    "timeout: 10s, retries: {attempts: 3, perTryTimeout: 2s, retryOn: 5xx}",
    "match: [{uri: {prefix: /a}, method: {exact: GET}}]",
    "mirror: {host: a}, mirrorPercentage: {value: 50}",
    "mirror: {host: a}",
    "match: [{uri: {prefix: /a/}}], rewrite: {uri: /}",
    "match: [{uri: {prefix: /a}}], rewrite: {uri: /b}",
    "match: [{uri: {exact: /a}}], rewrite: {uri: /b/}",
    "rewrite: {uri: /new/}",
    "rewrite: {authority: a.com}",
    "match: [{uri: {regex: /api/i}}]",
    "match: [{headers: {referer: {regex: /a/b}}}]",
    "corsPolicy: {allowOrigins: [{exact: 'https://a.com'}]}, fault: {delay: {fixedDelay: 5s, percentage: {value: 5}}}",
    "corsPolicy: {allowOrigins: [{exact: 'https://a.com'}]}, fault: {abort: {httpStatus: 500, percentage: {value: 0}}}",
]


@pytest.mark.parametrize("fields", QUIET)
def test_nothing_is_said_about_what_is_just_right(fields: str) -> None:
    found = of_rules(f"{TO_WEB}, {fields}")
    assert (found.errors, found.warnings, found.infos) == ((), (), ())


def test_every_pitfall_of_the_fault_percentages_uses_the_same_arithmetic_as_the_gateway() -> None:
    """16.1 % is 160999.99... parts per million in floating point, so it is truncated to 160999."""
    found = of_rules(f"{TO_WEB}, fault: {{abort: {{httpStatus: 500, percentage: {{value: 16.1}}}}}}")
    assert [info.code for info in found.infos] == (["lost-digits"] if int(16.1 * 10000) != 161000 else [])


COVERED = [
    (["match: [{uri: {prefix: /}}]", "match: [{uri: {prefix: /a}, method: {exact: POST}}]"], "unreachable spec.http[1]: no request reaches this rule: rule #0 before it takes them all"),
    (["name: all, match: [{uri: {regex: .*}}]", "match: [{headers: {x: {}}}]"], 'unreachable spec.http[1]: no request reaches this rule: rule "all" before it'),
    (["match: [{}]", "match: [{uri: {exact: /a}}]"], "unreachable spec.http[1]: no request reaches this rule"),
    (["match: [{uri: {prefix: /a}}]", "match: [{uri: {exact: /a/b}}]"], "unreachable spec.http[1]: no request reaches this rule"),
    (["match: [{uri: {prefix: /a}}]", "match: [{uri: {exact: /a/b}}, {uri: {exact: /c}}]"], "unreachable spec.http[1].match[0]: rule #0 before it takes these requests"),
    (["match: [{uri: {exact: /a}}]", "match: [{uri: {exact: /a}, headers: {x: {}}}]"], "unreachable spec.http[1]: no request reaches this rule"),
    (["match: [{uri: {prefix: /a}, port: 80}]", "match: [{uri: {exact: /a/b}}]"], None),
    (["match: [{uri: {prefix: /a}}]", "match: [{uri: {exact: /A}, ignoreUriCase: true}]"], None),
    (["match: [{uri: {prefix: /a}}]", "match: [{uri: {regex: /a.*}}]"], None),
    (["match: [{uri: {exact: /a}}]", "match: [{uri: {prefix: /a}}]"], None),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "expected"), COVERED)
def test_a_rule_behind_one_that_takes_all_of_its_requests(rules: list[str], expected: str | None) -> None:
    found = of_rules(*(f"{TO_WEB}, {rule}" for rule in rules))
    said = [f"{info.code} {info.path}: {info.message}" for info in found.infos if info.code == "unreachable"]
    assert found.warnings == ()
    assert said == [] if expected is None else any(each.startswith(expected) for each in said), said


def test_destinations_without_a_weight_beside_others_get_nothing() -> None:
    found = of_rules("route: [{destination: {host: a}, weight: 1}, {destination: {host: b}}]")
    assert [info.message for info in found.infos] == ["weight 0 (absent): no request goes to b"]


@pytest.mark.parametrize("host", ["web.default", "web.default.svc", "web.default.svc.cluster"])
def test_names_with_a_dot_are_taken_as_they_are(host: str) -> None:
    (info,) = of_rules(f"route: [{{destination: {{host: {host}}}}}]").infos
    assert info.message == "a name with a dot is taken as it is; write web.default.svc.cluster.local"


def test_tls_and_tcp_routes_are_checked_but_not_served() -> None:
    spec = f"{{hosts: [a.com], tls: [{{match: [{{sniHosts: [a.com]}}], {TO_WEB}}}], tcp: [{{{TO_WEB}}}]}}"
    found = report("VirtualService", spec)
    assert found.errors == found.warnings == ()
    assert [(info.code, info.path) for info in found.infos] == [("not-served", "spec.tls"), ("not-served", "spec.tcp")]


RULES = [
    ("{host: web, trafficPolicy: {outlierDetection: {}}}", "max-ejection", "maxEjectionPercent 10 (the default): no endpoint is ejected from a service of fewer than 10"),
    ("{host: web, trafficPolicy: {outlierDetection: {maxEjectionPercent: 34}}}", "max-ejection", "maxEjectionPercent 34: no endpoint is ejected from a service of fewer than 3"),
    ("{host: web, trafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}}", "not-served", "PASSTHROUGH needs the caller's original destination"),
    ("{host: web, trafficPolicy: {loadBalancer: {consistentHash: {}}}}", "no-effect", "without a key to hash the endpoint is random"),
    ("{host: web, subsets: [{name: v1}]}", "no-labels", 'without labels the subset "v1" has all endpoints'),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "code", "expected"), RULES)
def test_a_pitfall_of_a_destination_rule_is_an_info(spec: str, code: str, expected: str) -> None:
    found = report("DestinationRule", spec)
    assert found.errors == found.warnings == ()
    (info,) = found.infos
    assert info.code == code and info.message.startswith(expected)


EXPERIMENT = "apiVersion: chaos/v1alpha1\nkind: Experiment\nspec: {{proxy: {proxy}}}\n---\n"

BINDINGS = [
    ("", "{hosts: [a.com], gateways: [gw]", "not-bound spec.gateways: not for a sidecar (mesh), which is what the gateway plays here; in an Experiment, spec.proxy.gateway: default/gw"),
    ("", "{hosts: [a.com], gateways: [gw, mesh]", None),
    ("", "{hosts: [a.com]", None),
    ("{gateway: gw}", "{hosts: [a.com], gateways: [gw]", None),
    ("{gateway: default/gw}", "{hosts: [a.com], gateways: [gw]", None),
    ("{gateway: gw}", "{hosts: [a.com]", "not-bound spec: not for the Gateway default/gw"),
    ("{gateway: other}", "{hosts: [a.com], gateways: [gw]", "not-bound spec.gateways: not for the Gateway default/other"),
    ("{namespace: shop}", "{hosts: [a.com], exportTo: [.]", "not-exported spec.exportTo: not exported to the namespace shop"),
    ("{namespace: shop}", "{hosts: [a.com]", None),
    ("not a mapping", "{hosts: [a.com]", None),
]  # fmt: skip


@pytest.mark.parametrize(("proxy", "spec", "expected"), BINDINGS)
def test_a_virtual_service_for_another_proxy_does_nothing_here(proxy: str, spec: str, expected: str | None) -> None:
    text = HEAD.format(kind="VirtualService", spec=f"{spec}, http: [{{{TO_WEB}}}]}}")
    (found,) = check([("f.yaml", (EXPERIMENT.format(proxy=proxy) if proxy else "") + text)])
    said = [
        f"{info.code} {info.path}: {info.message}" for info in found.infos if info.code in ("not-bound", "not-exported")
    ]
    assert found.errors == ()
    assert {warning.code for warning in found.warnings} <= {"IST0101", "IST0132"}  # no such Gateway is here
    assert said == [] if expected is None else said[0].startswith(expected), said
