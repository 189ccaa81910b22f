# ruff: noqa: E501 - a row of a table stays on one line
"""Istio's admission of VirtualServices, a row for each rule: what is refused, where, and why; and what just passes."""

from __future__ import annotations

import pytest

from chaos.mesh.check.admission.resource import validate
from chaos.mesh.read.documents import read_resources
from chaos.mesh.source.document import read_documents

HEAD = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: t, namespace: shop}\nspec:\n"
TO_WEB = "route: [{destination: {host: web}}]"


def findings(spec: str) -> list[str]:
    """`severity path: message` for a spec in flow style."""
    documents = read_documents(f"{HEAD}  {spec}\n", "f.yaml")
    resources, problems = read_resources(documents)
    assert not documents.problems and not problems, [*documents.problems, *problems]
    return [f"{p.severity} {p.path.removeprefix('spec.')}: {p.message}" for p in validate(resources)]


def rule(fields: str) -> str:
    return f"{{hosts: [web], http: [{{{fields}}}]}}"


def routed(fields: str) -> str:
    return rule(f"{TO_WEB}, {fields}")


def matched(fields: str) -> str:
    return routed(f"match: [{{{fields}}}]")


SERVICE = [
    ("{hosts: [a]}", "error spec: routes nothing"),
    ("{hosts: [a], http: []}", "error spec: routes nothing"),
    (f"{{hosts: ['*'], http: [{{{TO_WEB}}}]}}", "error hosts[0]: `*` needs a gateway"),
    (f"{{hosts: ['*'], gateways: [g, mesh], http: [{{{TO_WEB}}}]}}", "error hosts[0]: `*` needs a gateway"),
    (f"{{hosts: ['*'], gateways: [g], http: [{{{TO_WEB}}}]}}", None),
    (f"{{hosts: ['*.a.com', b.com], http: [{{{TO_WEB}}}]}}", None),
    (f"{{hosts: ['*-x.a.com'], http: [{{{TO_WEB}}}]}}", None),
    (f"{{hosts: [10.0.0.1, '::1'], http: [{{{TO_WEB}}}]}}", None),
    (f"{{hosts: [a.com.], http: [{{{TO_WEB}}}]}}", None),
    (f"{{hosts: [A.com], http: [{{{TO_WEB}}}]}}", None),
    (f"{{hosts: [a_b.com], http: [{{{TO_WEB}}}]}}", 'error hosts[0]: "a_b.com" is not a host name'),
    (f"{{hosts: [a..com], http: [{{{TO_WEB}}}]}}", 'error hosts[0]: "a..com" has an empty part'),
    (f"{{hosts: [-a.com], http: [{{{TO_WEB}}}]}}", "error hosts[0]:"),
    (f"{{hosts: [''], http: [{{{TO_WEB}}}]}}", "error hosts[0]: empty; expected a host name"),
    (f"{{hosts: [a.*.com], http: [{{{TO_WEB}}}]}}", 'error hosts[0]: "a.*.com" has a `*` beyond its first label'),
    (f"{{hosts: ['a*.com'], http: [{{{TO_WEB}}}]}}", "error hosts[0]:"),
    (f"{{hosts: [a.8080], http: [{{{TO_WEB}}}]}}", 'error hosts[0]: "a.8080" ends in the number 8080'),
    (f"{{hosts: ['a.com:80'], http: [{{{TO_WEB}}}]}}", "error hosts[0]:"),
    (f"{{hosts: [{'a' * 64}.com], http: [{{{TO_WEB}}}]}}", "error hosts[0]:"),
    (f"{{hosts: [{'a.' * 130}com], http: [{{{TO_WEB}}}]}}", "error hosts[0]: a host name has at most 255 characters"),
    (f"{{hosts: ['*.a.com', x.a.com], http: [{{{TO_WEB}}}]}}", "error hosts[1]: x.a.com overlaps *.a.com"),
    (f"{{hosts: [x.a.com, '*.com'], http: [{{{TO_WEB}}}]}}", "error hosts[1]: *.com overlaps x.a.com"),
    (f"{{hosts: [a, a], http: [{{{TO_WEB}}}]}}", "error hosts[1]: a appears twice"),
    (f"{{hosts: ['*', a.com], gateways: [g], http: [{{{TO_WEB}}}]}}", "error hosts[1]:"),
    (f"{{hosts: ['*.a.com', a.com], http: [{{{TO_WEB}}}]}}", None),
    (f"{{gateways: [g], http: [{{{TO_WEB}}}]}}", "error gateways: a VirtualService without hosts is a delegate"),
    (f"{{http: [{{{TO_WEB}}}], tcp: [{{{TO_WEB}}}]}}", "error tcp: a VirtualService without hosts is a delegate"),
    (f"{{http: [{{{TO_WEB}}}]}}", None),
    (
        "{http: [{delegate: {name: d}}]}",
        "error http[0].delegate: a delegate (a VirtualService without hosts) cannot delegate further",
    ),
    (f"{{hosts: [a.com], gateways: [ns/gw, gw, mesh], http: [{{{TO_WEB}}}]}}", None),
    (f"{{hosts: [a.com], gateways: [ns/*], http: [{{{TO_WEB}}}]}}", 'error gateways[0]: "*" is not a Gateway name'),
    (f"{{hosts: [a.com], gateways: [a/b/c], http: [{{{TO_WEB}}}]}}", "error gateways[0]:"),
    (f"{{hosts: [a.com], gateways: [/gw], http: [{{{TO_WEB}}}]}}", "error gateways[0]:"),
    (f"{{hosts: [a.com], gateways: [n_s/gw], http: [{{{TO_WEB}}}]}}", 'error gateways[0]: "n_s" is not a namespace'),
    (f"{{hosts: [a.com], gateways: [gw, g_w, a.b.c], http: [{{{TO_WEB}}}]}}", None),
    (f"{{hosts: [a.com], gateways: [g_w], http: [{{{TO_WEB}}}]}}", "error gateways[0]:"),
    (f"{{hosts: [a.com], gateways: ['*'], http: [{{{TO_WEB}}}]}}", "error gateways[0]:"),
    (
        f"{{hosts: [a.com], gateways: [gw.ns.svc.cluster.local], http: [{{{TO_WEB}}}]}}",
        "warning gateways[0]: gw.ns.svc.cluster.local is the old way to name a Gateway; write ns/gw",
    ),
    (f"{{hosts: [a], exportTo: [., '*'], http: [{{{TO_WEB}}}]}}", "error exportTo: `*` is everybody; it stands alone"),
    (f"{{hosts: [a], exportTo: [., shop], http: [{{{TO_WEB}}}]}}", "error exportTo[1]: shop appears twice"),
    (
        f"{{hosts: [a], exportTo: [shop, .], http: [{{{TO_WEB}}}]}}",
        "error exportTo[1]: `.` is the namespace shop, which appears twice",
    ),
    (f"{{hosts: [a], exportTo: [a, a], http: [{{{TO_WEB}}}]}}", "error exportTo[1]: a appears twice"),
    (
        f"{{hosts: [a], exportTo: ['~'], http: [{{{TO_WEB}}}]}}",
        "error exportTo[0]: `~` (nobody) is only for a ServiceEntry",
    ),
    (f"{{hosts: [a], exportTo: [a_b], http: [{{{TO_WEB}}}]}}", 'error exportTo[0]: "a_b" is not a namespace'),
    (f"{{hosts: [a], exportTo: [., other], http: [{{{TO_WEB}}}]}}", None),
]

RULES = [
    (rule("name: x"), "error http[0]: nothing to do"),
    (rule("route: []"), "error http[0]: nothing to do"),
    (routed("redirect: {uri: /x}"), "error http[0].route: cannot be used with redirect"),
    (
        rule("redirect: {uri: /x}, fault: {abort: {httpStatus: 500}}"),
        "error http[0].fault: cannot be used with redirect",
    ),
    (rule("redirect: {uri: /x}, rewrite: {uri: /y}"), "error http[0].rewrite: cannot be used with redirect"),
    (
        rule("redirect: {uri: /x}, directResponse: {status: 200}"),
        "error http[0].directResponse: cannot be used with redirect",
    ),
    (routed("directResponse: {status: 200}"), "error http[0].route: cannot be used with directResponse"),
    (
        rule("directResponse: {status: 200}, fault: {abort: {httpStatus: 500}}"),
        "error http[0].fault: cannot be used with directResponse",
    ),
    (
        rule("directResponse: {status: 200}, rewrite: {uri: /y}"),
        "error http[0].rewrite: cannot be used with directResponse",
    ),
    (rule("redirect: {uri: /x}, timeout: 5s, headers: {response: {set: {a: b}}}"), None),
    (rule("delegate: {name: d}"), None),
    (rule("delegate: {name: d}, timeout: 5s, rewrite: {uri: /}"), None),
    (routed("delegate: {name: d}"), "error http[0].route: a rule that delegates cannot have it"),
    (rule("delegate: {name: d}, redirect: {uri: /}"), "error http[0].redirect: a rule that delegates cannot have it"),
    (
        routed("mirror: {host: a}, mirrors: [{destination: {host: b}}]"),
        "error http[0].mirrors: mirror and mirrors cannot be used together",
    ),
]

MATCHES = [
    ("uri: {exact: /a}", None),
    ("uri: {prefix: ''}", None),
    ("uri: {}", None),
    ("uri: {regex: ''}", "error http[0].match[0].uri.regex: an empty regex is refused"),
    ("uri: {regex: (}", "error http[0].match[0].uri.regex: RE2 refuses this regex: missing ): ("),
    (
        "uri: {regex: '/a(?=b)'}",
        "error http[0].match[0].uri.regex: RE2 refuses this regex: invalid perl operator: (?=; RE2 has no look-around",
    ),
    (
        "uri: {regex: '(a)\\1'}",
        "error http[0].match[0].uri.regex: RE2 refuses this regex: invalid escape sequence: \\1; RE2 has no back-references",
    ),
    (
        "uri: {regex: '*'}",
        "error http[0].match[0].uri.regex: RE2 refuses this regex: no argument for repetition operator: *; this is not a shell pattern",
    ),
    (f"uri: {{regex: {'a' * 1024}}}", None),
    (f"uri: {{regex: {'a' * 1025}}}", "error http[0].match[0].uri.regex: 1025 characters are too many"),
    ("uri: {exact: /a, prefix: /b}", "error http[0].match[0].uri: only one of exact or prefix can be set"),
    ("headers: {x: {exact: a, regex: b}}", "error http[0].match[0].headers.x: only one of exact or regex can be set"),
    ("headers: {x: {prefix: ''}}", "error http[0].match[0].headers.x.prefix: an empty prefix is refused here"),
    ("method: {prefix: ''}", "error http[0].match[0].method.prefix:"),
    ("scheme: {prefix: ''}", "error http[0].match[0].scheme.prefix:"),
    ("authority: {prefix: ''}", "error http[0].match[0].authority.prefix:"),
    ("queryParams: {q: {prefix: ''}}", "error http[0].match[0].queryParams.q.prefix:"),
    ("withoutHeaders: {x: {prefix: ''}}", "error http[0].match[0].withoutHeaders.x.prefix:"),
    ("withoutHeaders: {x: {regex: '*'}}", None),
    ("headers: {x: {regex: '*'}}", "error http[0].match[0].headers.x.regex:"),
    ("headers: {x: {exact: ''}}", None),
    ("headers: {x: {}}", None),
    ("headers: {':path': {prefix: /}, ':authority': {}, ':method': {}, ':scheme': {}, host: {}}", None),
    ("headers: {':foo': {}}", 'error http[0].match[0].headers.:foo: ":foo" is not a header name'),
    ("headers: {x y: {}}", "error"),
    ("headers: {'': {}}", "error"),
    ("withoutHeaders: {'a b': {}}", "error"),
    ("queryParams: {'a b': {exact: c}}", None),
    ("headers: {'@request.auth.claims.sub': {exact: a}}", "error"),
    ("headers: {'@request.auth.claims': {exact: a}}", "error"),
    ("port: 0", None),
    ("port: 65536", "error http[0].match[0].port: 65536 is not a port"),
    ("port: 70000", "error http[0].match[0].port: 70000 is not a port"),
    ("port: 65535", None),
    ("sourceLabels: {app: web, app.kubernetes.io/name: web, empty: ''}", None),
    ("sourceLabels: {'a b': c}", "error"),
    ("sourceLabels: {app: 'a b'}", 'error http[0].match[0].sourceLabels.app: "a b" is not a label value'),
    ("sourceLabels: {a/b/c: d}", "error"),
    ("sourceNamespace: a_b", 'error http[0].match[0].sourceNamespace: "a_b" is not a namespace'),
    ("sourceNamespace: a.b", "error http[0].match[0].sourceNamespace:"),
    ("gateways: [mesh, a/b]", None),
    ("gateways: [a/*]", "error http[0].match[0].gateways[0]:"),
    ("gateways: [mesh, a_b]", None),  # Istio looks no further than the first name without a slash
    ("gateways: [a/b, a_b]", "error http[0].match[0].gateways[1]:"),
    ("gateways: [gw.ns]", "info http[0].match[0].gateways[0]: gw.ns is the old way to name a Gateway; write ns/gw"),
    ("ignoreUriCase: true, name: o, statPrefix: s", None),
]

FAULTS = [
    ("{}", "error http[0].fault: a fault needs a delay, an abort or both"),
    ("{abort: {httpStatus: 200}}", None),
    ("{abort: {httpStatus: 599}}", None),
    (
        "{abort: {httpStatus: 600}}",
        "error http[0].fault.abort.httpStatus: Envoy has no status 600: it would refuse every",
    ),
    ("{abort: {httpStatus: 601}}", "error http[0].fault.abort.httpStatus: 601 is not an HTTP status"),
    ("{abort: {httpStatus: 199}}", "error http[0].fault.abort.httpStatus:"),
    ("{abort: {httpStatus: 0}}", "error http[0].fault.abort.httpStatus:"),
    ("{abort: {httpStatus: -1}}", "error http[0].fault.abort.httpStatus:"),
    ("{abort: {grpcStatus: UNAVAILABLE}}", None),
    ("{abort: {grpcStatus: OK}}", None),
    (
        "{abort: {grpcStatus: unavailable}}",
        'error http[0].fault.abort.grpcStatus: "unavailable" is not a gRPC status; did you mean UNAVAILABLE?',
    ),
    ("{abort: {grpcStatus: '14'}}", "error http[0].fault.abort.grpcStatus:"),
    ("{abort: {http2Error: REFUSED}}", "error http[0].fault.abort.http2Error: Istio does not implement it"),
    (
        "{abort: {httpStatus: 500, grpcStatus: OK}}",
        "error http[0].fault.abort: only one of httpStatus or grpcStatus can be set",
    ),
    (
        "{abort: {percentage: {value: 10}}}",
        "info http[0].fault.abort: an abort without httpStatus or grpcStatus is ignored",
    ),
    ("{abort: {httpStatus: 500, percentage: {value: 0}}}", None),
    ("{abort: {httpStatus: 500, percentage: {}}}", None),
    ("{abort: {httpStatus: 500, percentage: {value: 0.0001}}}", None),
    (
        "{abort: {httpStatus: 500, percentage: {value: 0.00009}}}",
        "error http[0].fault.abort.percentage.value: 9e-05 is less than 0.0001",
    ),
    (
        "{abort: {httpStatus: 500, percentage: {value: 120}}}",
        "error http[0].fault.abort.percentage.value: 120 is not between 0 and 100",
    ),
    ("{abort: {httpStatus: 500, percentage: {value: 100.01}}}", "error http[0].fault.abort.percentage.value:"),
    ("{abort: {httpStatus: 500, percentage: {value: -1}}}", "error http[0].fault.abort.percentage.value:"),
    ("{delay: {fixedDelay: 5s, percentage: {value: 101}}}", "error http[0].fault.delay.percentage.value:"),
    ("{delay: {fixedDelay: 5s}}", None),
    ("{delay: {fixedDelay: 1ms}}", None),
    ("{delay: {fixedDelay: 1h2m3.5s}}", None),
    ("{delay: {fixedDelay: 0s}}", "error http[0].fault.delay.fixedDelay: must be at least 1ms"),
    ("{delay: {fixedDelay: -1s}}", "error http[0].fault.delay.fixedDelay:"),
    ("{delay: {fixedDelay: 999us}}", "error http[0].fault.delay.fixedDelay: must be at least 1ms"),
    ("{delay: {fixedDelay: 1.5ms}}", "error http[0].fault.delay.fixedDelay: has parts of a millisecond"),
    ("{delay: {fixedDelay: 1.0001s}}", "error http[0].fault.delay.fixedDelay: has parts of a millisecond"),
    ("{delay: {fixedDelay: 1.001s}}", None),
    (
        "{delay: {exponentialDelay: 5s}}",
        "error http[0].fault.delay.exponentialDelay: Istio does not implement it; use fixedDelay",
    ),
    (
        "{delay: {fixedDelay: 5s, exponentialDelay: 5s}}",
        "error http[0].fault.delay: only one of fixedDelay or exponentialDelay can be set",
    ),
    ("{delay: {percentage: {value: 10}}}", None),
    ("{delay: {percent: 10, fixedDelay: 1s}}", None),
]

ROUTES = [
    ("timeout: 0s", "error http[0].timeout: must be at least 1ms"),
    ("timeout: 1.5ms", "error http[0].timeout:"),
    ("timeout: 100ms", None),
    ("retries: {attempts: 3}", None),
    ("retries: {attempts: 0}", None),
    ("retries: {}", None),
    ("retries: {attempts: -1}", "error http[0].retries.attempts: -1 is less than 0"),
    (
        "retries: {attempts: 0, perTryTimeout: 1s}",
        "error http[0].retries.perTryTimeout: has no meaning with 0 attempts",
    ),
    ("retries: {perTryTimeout: 1s}", "error http[0].retries.perTryTimeout:"),
    ("retries: {attempts: 0, retryOn: 5xx}", "error http[0].retries.retryOn:"),
    ("retries: {attempts: 0, retryRemoteLocalities: false}", "error http[0].retries.retryRemoteLocalities:"),
    ("retries: {attempts: 0, retryIgnorePreviousHosts: true, backoff: 1s}", None),
    ("retries: {attempts: 1, perTryTimeout: 0s}", "error http[0].retries.perTryTimeout: must be at least 1ms"),
    ("retries: {attempts: 1, backoff: 0.5ms}", "error http[0].retries.backoff:"),
    (
        "retries: {attempts: 1, retryOn: '5xx,gateway-error,reset,reset-before-request,connect-failure,retriable-4xx,refused-stream,retriable-status-codes,retriable-headers,envoy-ratelimited,cancelled,deadline-exceeded,internal,resource-exhausted,unavailable,503,418,100'}",
        None,
    ),
    ("retries: {attempts: 1, retryOn: ''}", None),
    ("retries: {attempts: 1, retryOn: '+503,0503'}", None),
    ("retries: {attempts: 1, retryOn: '-503'}", "error http[0].retries.retryOn:"),
    ("retries: {attempts: 1, retryOn: '503, 500'}", 'error http[0].retries.retryOn: " 500" has a space'),
    ("retries: {attempts: 1, retryOn: '5xx,'}", "error http[0].retries.retryOn: an empty word"),
    (
        "retries: {attempts: 1, retryOn: 5XX}",
        'error http[0].retries.retryOn: "5XX" is not known to retryOn; did you mean 5xx?',
    ),
    ("retries: {attempts: 1, retryOn: conect-failure}", "error http[0].retries.retryOn:"),
    (
        "retries: {attempts: 1, retryOn: '499'}",
        "error http[0].retries.retryOn: 499 is not an HTTP status with a reason phrase",
    ),
    ("retries: {attempts: 1, retryOn: '599'}", "error http[0].retries.retryOn:"),
    ("retries: {attempts: 1, retryOn: '306'}", "error http[0].retries.retryOn:"),
    ("retries: {attempts: 1, retryOn: '0'}", "error http[0].retries.retryOn:"),
    ("rewrite: {}", "error http[0].rewrite: changes nothing"),
    ("rewrite: {uri: /}", None),
    ("rewrite: {authority: a}", None),
    (
        "rewrite: {uri: /, uriRegexRewrite: {match: a, rewrite: b}}",
        "error http[0].rewrite.uriRegexRewrite: uri and uriRegexRewrite cannot be used together",
    ),
    ("rewrite: {uriRegexRewrite: {match: a}}", "error http[0].rewrite.uriRegexRewrite: needs both match and rewrite"),
    ("rewrite: {uriRegexRewrite: {rewrite: a}}", "error http[0].rewrite.uriRegexRewrite:"),
    (
        "rewrite: {uriRegexRewrite: {match: '(', rewrite: b}}",
        "error http[0].rewrite.uriRegexRewrite.match: RE2 refuses",
    ),
    ("rewrite: {uriRegexRewrite: {match: '^/a/(.*)', rewrite: '/b/\\1'}}", None),
    (
        "rewrite: {authority: a}, headers: {request: {set: {Host: b}}}",
        "error http[0].headers.request.set.Host: the authority is changed here and in rewrite.authority",
    ),
    ("rewrite: {authority: a}, headers: {request: {add: {':authority': b}}}", "error"),
    ("headers: {request: {set: {host: a}, add: {':authority': b}}}", "error"),
    ("headers: {request: {set: {':authority': b}}}", None),
    ("headers: {request: {set: {host: b}}}", None),
    ("headers: {request: {set: {':path': /x}}}", "error"),
    ("headers: {request: {set: {'': x}}}", "error"),
    ("headers: {request: {remove: [host]}}", "error http[0].headers.request.remove[0]: host cannot be removed"),
    ("headers: {request: {remove: [':path']}}", "error http[0].headers.request.remove[0]:"),
    ("headers: {request: {remove: ['']}}", "error http[0].headers.request.remove[0]:"),
    (
        "headers: {response: {set: {Host: a}}}",
        "error http[0].headers.response.set.Host: Host cannot be changed in a response",
    ),
    ("headers: {response: {remove: [host]}}", "error http[0].headers.response.remove[0]:"),
    ("headers: {response: {add: {':status': '200'}}}", "error"),
    (
        "headers: {request: {set: {x: 50%}}}",
        'error http[0].headers.request.set.x: "50%": a % at the end; write %% for a percent sign',
    ),
    ("headers: {request: {set: {x: 50%%}}}", None),
    ("headers: {request: {set: {x: '%REQ(a)%'}}}", None),
    ("headers: {request: {set: {x: '%REQ(a)'}}}", "error http[0].headers.request.set.x:"),
    ("headers: {request: {set: {x: '%DOWNSTREAM_REMOTE_ADDRESS% and %PROTOCOL%'}}}", None),
    ("headers: {request: {set: {x: '%START_TIME%%'}}}", "error http[0].headers.request.set.x:"),
    ("headers: {request: {set: {x: 'abc%123'}}}", "error http[0].headers.request.set.x:"),
    ('headers: {request: {set: {x: \'%UPSTREAM_METADATA(["a", "b"])%\'}}}', None),
    ('headers: {request: {set: {x: \'%UPSTREAM_METADATA(["a" "b"])%\'}}}', "error http[0].headers.request.set.x:"),
    (
        'headers: {request: {set: {x: "a\\nb"}}}',
        "error http[0].headers.request.set.x: a header value cannot hold control characters",
    ),
    ('headers: {request: {set: {x: "a\\tb"}}}', None),
    ("headers: {request: {set: {x: ''}}}", None),
    (
        "corsPolicy: {allowOrigins: [{exact: '*'}], allowMethods: [GET, '*'], allowHeaders: ['*', x-a], exposeHeaders: ['*'], maxAge: 24h}",
        None,
    ),
    ("corsPolicy: {}", None),
    ("corsPolicy: {allowOrigins: [{}]}", "error http[0].corsPolicy.allowOrigins[0]: an origin needs a text"),
    ("corsPolicy: {allowOrigins: [{exact: ''}]}", "error http[0].corsPolicy.allowOrigins[0]:"),
    ("corsPolicy: {allowOrigins: [{regex: '('}]}", "error http[0].corsPolicy.allowOrigins[0].regex:"),
    ("corsPolicy: {allowOrigins: [{regex: a, exact: b}]}", "error http[0].corsPolicy.allowOrigins[0]: only one of"),
    (
        "corsPolicy: {allowMethods: [get]}",
        'error http[0].corsPolicy.allowMethods[0]: "get" is not a method that CORS can allow; write GET',
    ),
    ("corsPolicy: {allowMethods: [TRACE, CONNECT]}", None),
    ("corsPolicy: {allowMethods: [PURGE]}", "error http[0].corsPolicy.allowMethods[0]:"),
    ("corsPolicy: {allowHeaders: ['a b']}", "error http[0].corsPolicy.allowHeaders[0]:"),
    ("corsPolicy: {exposeHeaders: ['']}", "error http[0].corsPolicy.exposeHeaders[0]:"),
    ("corsPolicy: {maxAge: 1.5s}", "error http[0].corsPolicy.maxAge: must be whole seconds"),
    ("corsPolicy: {maxAge: 0s}", "error http[0].corsPolicy.maxAge: must be at least 1ms"),
    ("corsPolicy: {allowOrigin: ['http://a'], unmatchedPreflights: IGNORE}", None),
    ("mirror: {host: a}, mirrorPercentage: {value: 100}", None),
    ("mirror: {host: a}, mirrorPercentage: {value: 0.00001}", None),
    (
        "mirror: {host: a}, mirrorPercentage: {value: 101}",
        "error http[0].mirrorPercentage.value: 101 is not between 0 and 100",
    ),
    ("mirror: {host: a}, mirrorPercentage: {value: -1}", "error http[0].mirrorPercentage.value:"),
    (
        "mirror: {host: a}, mirrorPercent: 50",
        "warning http[0].mirrorPercent: deprecated; write mirrorPercentage: {value: 50}",
    ),
    ("mirror: {host: a}, mirror_percent: 50", "warning http[0].mirrorPercent: deprecated"),
    ("mirror: {host: a}, mirrorPercent: 101", "error http[0].mirrorPercent: 101 is not between 0 and 100"),
    ("mirror: {host: '*'}", "error http[0].mirror.host: `*` is not a destination"),
    ("mirrors: [{destination: {host: a}, percentage: {value: 101}}]", "error http[0].mirrors[0].percentage.value:"),
    ("mirrors: [{destination: {host: ''}}]", "error http[0].mirrors[0].destination.host: empty"),
    ("mirrors: [{destination: {host: a}}, {destination: {host: b}, percentage: {value: 5}}]", None),
]

DESTINATIONS = [
    ("{destination: {host: web}, weight: -1}", "error http[0].route[0].weight: -1 is less than 0"),
    ("{destination: {host: web}, weight: 0}", None),
    ("{destination: {host: web}, weight: 50}, {destination: {host: b}, weight: 60}", None),
    (
        "{destination: {host: web}, weight: 0}, {destination: {host: b}, weight: 0}",
        "error http[0].route: the weights of 2 destinations sum to 0",
    ),
    (
        "{destination: {host: web}}, {destination: {host: b}}",
        "error http[0].route: the weights of 2 destinations sum to 0",
    ),
    ("{destination: {host: web}}, {destination: {host: b}, weight: 1}", None),
    ("{destination: {host: ''}}", "error http[0].route[0].destination.host: empty; expected a host name"),
    ("{destination: {host: '*'}}", "error http[0].route[0].destination.host: `*` is not a destination"),
    ("{destination: {host: a_b}}", "error http[0].route[0].destination.host:"),
    (
        "{destination: {host: 'web:80'}}",
        'error http[0].route[0].destination.host: "web:80" is not a host name; a port goes into `port: {number: ...}`',
    ),
    ("{destination: {host: '*.a.com'}}", None),
    ("{destination: {host: web, subset: v1}}", None),
    (
        "{destination: {host: web, subset: v_1}}",
        'error http[0].route[0].destination.subset: "v_1" is not a subset name',
    ),
    ("{destination: {host: web, subset: v1.0}}", "error http[0].route[0].destination.subset:"),
    ("{destination: {host: web, port: {number: 80}}}", None),
    (
        "{destination: {host: web, port: {number: 0}}}",
        "error http[0].route[0].destination.port.number: 0 is not a port",
    ),
    ("{destination: {host: web, port: {}}}", "error http[0].route[0].destination.port.number:"),
    ("{destination: {host: web, port: {number: 65536}}}", "error http[0].route[0].destination.port.number:"),
    ("{destination: {host: web}, headers: {request: {set: {x: 5%}}}}", "error http[0].route[0].headers.request.set.x:"),
    (
        "{destination: {host: web}, headers: {response: {remove: [':status']}}}",
        "error http[0].route[0].headers.response.remove[0]:",
    ),
]

ANSWERS = [
    ("redirect: {}", "error http[0].redirect: redirects nowhere"),
    ("redirect: {redirectCode: 301}", "error http[0].redirect: redirects nowhere"),
    ("redirect: {uri: /x, redirectCode: 308}", None),
    ("redirect: {uri: /x, redirectCode: 200}", "error http[0].redirect.redirectCode: 200 is not a redirect status"),
    ("redirect: {uri: /x, redirectCode: 400}", "error http[0].redirect.redirectCode:"),
    ("redirect: {uri: /x, redirectCode: 300}", "error http[0].redirect.redirectCode: Envoy has no redirect 300"),
    ("redirect: {uri: /x, redirectCode: 305}", "error http[0].redirect.redirectCode: Envoy has no redirect 305"),
    ("redirect: {uri: /x, redirectCode: 399}", "error http[0].redirect.redirectCode: Envoy has no redirect 399"),
    (
        "redirect: {uri: /x, prefixRewrite: /y}",
        "error http[0].redirect.prefixRewrite: uri and prefixRewrite cannot be used together",
    ),
    ("match: [{uri: {prefix: /a}}], redirect: {prefixRewrite: /y}", None),
    ("redirect: {prefixRewrite: /y}", None),
    ("match: [{headers: {a: {}}}], redirect: {prefixRewrite: /y}", None),
    (
        "match: [{uri: {exact: /a}}], redirect: {prefixRewrite: /y}",
        "error http[0].redirect.prefixRewrite: needs a prefix in every uri",
    ),
    (
        "match: [{uri: {prefix: /a}}, {uri: {regex: /b}}], redirect: {prefixRewrite: /y}",
        "error http[0].redirect.prefixRewrite:",
    ),
    ("redirect: {scheme: ftp}", 'error http[0].redirect.scheme: "ftp" is refused; use http or https'),
    ("redirect: {scheme: https}", None),
    ("redirect: {port: 8080}", None),
    ("redirect: {port: 70000}", "error http[0].redirect.port: 70000 is not a port"),
    (
        "redirect: {port: 80, derivePort: FROM_REQUEST_PORT}",
        "error http[0].redirect: only one of port or derivePort can be set",
    ),
    ("redirect: {derivePort: FROM_REQUEST_PORT}", None),
    ("redirect: {authority: a}", None),
    ("directResponse: {status: 200}", None),
    ("directResponse: {status: 599}", None),
    ("directResponse: {status: 600}", "error http[0].directResponse.status: Envoy has no status 600: it would refuse"),
    ("directResponse: {status: 99}", "error http[0].directResponse.status: 99 is not an HTTP status"),
    ("directResponse: {status: 601}", "error http[0].directResponse.status:"),
    (
        "directResponse: {status: 200, body: {string: a, bytes: YQ==}}",
        "error http[0].directResponse.body: only one of string or bytes can be set",
    ),
    ("directResponse: {status: 200, body: {bytes: '???'}}", "error http[0].directResponse.body.bytes: is not base64"),
    ("directResponse: {status: 200, body: {bytes: YQ==}}", None),
    (f"directResponse: {{status: 200, body: {{string: {'x' * 102_400}}}}}", None),
    (
        f"directResponse: {{status: 200, body: {{string: {'x' * 102_401}}}}}",
        "warning http[0].directResponse.body: 102401 bytes",
    ),
]

LAYER_4 = [
    (f"{{hosts: [a.com], tls: [{{match: [{{sniHosts: [a.com]}}], {TO_WEB}}}]}}", None),
    (f"{{hosts: ['*.a.com'], tls: [{{match: [{{sniHosts: [x.a.com]}}], {TO_WEB}}}]}}", None),
    (
        f"{{hosts: [a.com], tls: [{{match: [{{sniHosts: [b.com]}}], {TO_WEB}}}]}}",
        "error tls[0].match[0].sniHosts[0]: b.com is not among the hosts",
    ),
    (
        f"{{hosts: [a.com], tls: [{{match: [{{sniHosts: []}}], {TO_WEB}}}]}}",
        "error tls[0].match[0].sniHosts: needs at least one",
    ),
    (f"{{hosts: [a.com], tls: [{{match: [], {TO_WEB}}}]}}", "error tls[0].match: a TLS route needs at least one match"),
    ("{hosts: [a.com], tls: [{match: [{sniHosts: [a.com]}]}]}", "error tls[0]: a TLS route needs destinations"),
    (
        f"{{hosts: [a.com], tls: [{{match: [{{sniHosts: [a.com], port: 70000}}], {TO_WEB}}}]}}",
        "error tls[0].match[0].port:",
    ),
    (
        f"{{hosts: [a.com], tls: [{{match: [{{sniHosts: [a.com], destinationSubnets: [10.0.0.0/99]}}], {TO_WEB}}}]}}",
        "error tls[0].match[0].destinationSubnets[0]:",
    ),
    (
        f"{{hosts: [10.0.0.1], tls: [{{match: [{{sniHosts: [10.0.0.1]}}], {TO_WEB}}}]}}",
        "warning tls[0].match[0].sniHosts[0]: clients do not send an IP address",
    ),
    (f"{{hosts: [a.com], tcp: [{{match: [{{port: 27017}}], {TO_WEB}}}]}}", None),
    ("{hosts: [a.com], tcp: [{match: [{port: 27017}]}]}", "error tcp[0]: a TCP route needs destinations"),
    (
        f"{{hosts: [a.com], tcp: [{{match: [{{destinationSubnets: [x]}}], {TO_WEB}}}]}}",
        "error tcp[0].match[0].destinationSubnets[0]:",
    ),
    (
        "{hosts: [a.com], tcp: [{route: [{destination: {host: a}}, {destination: {host: b}}]}]}",
        "error tcp[0].route: the weights of 2",
    ),
]

TABLE = [
    *SERVICE, *RULES, *LAYER_4,
    *((rule(fields), expected) for fields, expected in ANSWERS),
    *((matched(fields), expected) for fields, expected in MATCHES),
    *((routed(f"fault: {fault}"), expected) for fault, expected in FAULTS),
    *((routed(fields), expected) for fields, expected in ROUTES),
    *((rule(f"route: [{each}]"), expected) for each, expected in DESTINATIONS),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "expected"), TABLE, ids=[spec[:100] for spec, _ in TABLE])
def test_admission(spec: str, expected: str | None) -> None:
    """None: accepted without a warning; otherwise the finding begins with this text."""
    found = findings(spec)
    if expected is None:
        assert found == []
    else:
        assert any(each.startswith(expected) for each in found), found


def test_a_body_over_one_mebibyte_is_refused() -> None:
    """The text limit stops such a file earlier, so a base64 body made of aliases shows it."""
    from support.mesh import load_resources

    from chaos.mesh.check.admission.actions import validate_direct_response
    from chaos.mesh.check.cursor import At
    from chaos.mesh.model.virtual_service import HTTPBody, HTTPDirectResponse

    (service,) = load_resources(f"{HEAD}  {rule(TO_WEB)}\n").virtual_services
    at = At(service)
    validate_direct_response(at, HTTPDirectResponse(status=200, body=HTTPBody(string="x" * (1024 * 1024 + 1))))
    assert [problem.severity for problem in at.problems] == ["error"]


def test_claims_may_be_matched_on_a_gateway_alone() -> None:
    claim = "match: [{headers: {'@request.auth.claims.sub': {exact: a}}}]"
    assert findings(f"{{hosts: [a.com], gateways: [g], http: [{{{TO_WEB}, {claim}}}]}}") == []
    assert len(findings(f"{{hosts: [a.com], gateways: [g, mesh], http: [{{{TO_WEB}, {claim}}}]}}")) == 1


def test_every_problem_at_once_in_the_order_of_the_file() -> None:
    found = findings(
        "{hosts: [a_b], exportTo: [a, a], http: [{timeout: 0s, fault: {}}, {redirect: {}, retries: {attempts: -1}}]}"
    )
    assert [each.split(":")[0] for each in found] == [
        "error hosts[0]",
        "error exportTo[1]",
        "error http[0]",
        "error http[0].timeout",
        "error http[0].fault",
        "error http[1].redirect",
        "error http[1].retries.attempts",
    ]
