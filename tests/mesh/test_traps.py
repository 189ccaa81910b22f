"""What a plausible implementation gets wrong: 22 points at which Istio and Envoy surprise."""

from __future__ import annotations

from support.mesh import (
    answered,
    by_name,
    decide,
    forwarded,
    request,
    rules_of,
    sent,
    taken,
    virtual_service,
    web,
)

from chaos.mesh.decision import Abort, DirectResponse, Failure, Forward, Preflight, Redirect
from chaos.mesh.draws import FixedDraws
from chaos.mesh.names import Proxy
from chaos.mesh.upstream.retry import DEFAULT_POLICY, compile_retry_on

TO_WEB = "route: [{destination: {host: web}}]"
ALL = FixedDraws()  # every draw is 0: whatever can fire does


def test_01_a_fault_without_percentage_never_fires() -> None:
    rules = web(f"- fault: {{abort: {{httpStatus: 500}}, delay: {{fixedDelay: 1s}}}}\n  {TO_WEB}")
    decision = decide(rules, "/", ALL)
    assert isinstance(decision.action, Forward) and decision.delay == 0.0


def test_02_the_default_retry_leaves_503_and_resets_alone() -> None:
    assert forwarded(web(f"- {TO_WEB}")).retry is DEFAULT_POLICY
    assert not any(DEFAULT_POLICY.retry_on(outcome, [], True) for outcome in (503, Failure.RESET))


def test_03_attempts_exclude_the_first_try() -> None:
    retry = forwarded(web(f"- retries: {{attempts: 3, retryOn: 5xx}}\n  {TO_WEB}")).retry
    assert retry is not None and retry.attempts == 3  # so up to four requests


def test_04_a_delay_is_outside_the_timeout_and_an_abort_has_no_retry() -> None:
    rules = web(f"- fault: {{delay: {{fixedDelay: 1s, percentage: {{value: 100}}}}}}\n  timeout: 400ms\n  {TO_WEB}\n")
    decision = decide(rules, "/", ALL)
    assert isinstance(decision.action, Forward)
    assert (decision.delay, decision.action.timeout) == (1.0, 0.4)  # the timeout belongs to what comes after the wait
    aborting = web(
        f"- fault: {{abort: {{httpStatus: 503, percentage: {{value: 100}}}}}}\n  retries: {{attempts: 9}}\n  {TO_WEB}"
    )
    assert isinstance(decide(aborting, "/", ALL).action, Abort)  # which knows of no retries


def test_05_a_per_try_timeout_is_retried_neither_by_default_nor_as_504() -> None:
    expired = Failure.PER_TRY_TIMEOUT
    assert not DEFAULT_POLICY.retry_on(expired, [], True)
    assert not compile_retry_on("504")(expired, [], True)
    assert all(compile_retry_on(word)(expired, [], True) for word in ("5xx", "gateway-error", "reset"))


def test_06_an_unknown_subset_is_empty_an_empty_one_says_no_healthy_upstream() -> None:
    subsets = (
        "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: web}\n"
        "spec: {host: web, subsets: [{name: none, labels: {version: v9}}]}\n"
    )
    for subset, endpoints in (("nosuch", None), ("none", ())):
        rules = rules_of(virtual_service(f"- route: [{{destination: {{host: web, subset: {subset}}}}}]") + subsets)
        cluster = forwarded(rules).cluster
        assert (cluster.endpoints if cluster else None) == endpoints


def test_07_a_sidecar_ignores_the_second_virtual_service_a_gateway_merges() -> None:
    first = virtual_service("- {name: one, directResponse: {status: 200}}", name="a", hosts="[web.test]")
    second = virtual_service(
        "- {name: two, match: [{uri: {exact: /2}}], directResponse: {status: 200}}", name="b", hosts="[web.test]"
    )
    asked = request("/2", host="web.test")
    assert taken(rules_of(first + second), asked) == "one"
    gateway = (
        "---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: gw}\n"
        "spec: {servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}\n"
    )
    bound = [document.replace("  http:", "  gateways: [gw]\n  http:") for document in (first, second)]
    assert taken(rules_of(gateway + "".join(bound), proxy=Proxy(gateway="gw")), asked) == "two"


def test_08_without_headers_treats_absent_as_empty() -> None:
    rules = web("- {name: hit, match: [{withoutHeaders: {x: {exact: ''}}}], directResponse: {status: 200}}")
    assert taken(rules) is None
    assert taken(rules, request("/", {"x": "1"})) == "hit"


def test_09_repeated_header_lines_are_matched_one_by_one() -> None:
    rules = web("- {name: hit, match: [{headers: {x: {exact: b}}}], directResponse: {status: 200}}")
    assert taken(rules, request("/", {"x": ["a", "b"]})) == "hit"


def test_10_query_values_are_not_decoded() -> None:
    rules = web("- {name: hit, match: [{queryParams: {q: {exact: 'a b'}}}], directResponse: {status: 200}}")
    assert taken(rules, "/?q=a%20b") is None


def test_11_a_prefix_rewrite_has_no_slash_logic() -> None:
    rules = web(f"- match: [{{uri: {{prefix: /api/}}}}]\n  rewrite: {{uri: /}}\n  {TO_WEB}")
    assert forwarded(rules, "/api/x").target == b"/x"
    rules = web(f"- match: [{{uri: {{prefix: /api}}}}]\n  rewrite: {{uri: /}}\n  {TO_WEB}")
    assert forwarded(rules, "/api/x").target == b"//x"


def test_12_setting_an_empty_value_does_nothing_and_remove_comes_before_set() -> None:
    rules = web(f"- headers: {{request: {{set: {{x: '', z: new}}, remove: [z]}}}}\n  {TO_WEB}")
    found = sent(rules, request("/", {"x": "old", "z": "old"}))
    assert (found["x"], found["z"]) == (["old"], ["new"])


def test_13_with_one_destination_its_set_wins_with_several_the_routes() -> None:
    own = "{destination: {host: web}, headers: {request: {set: {x: destination}}}"
    top = "- headers: {request: {set: {x: route}}}\n  route: "
    assert sent(web(f"{top}[{own}}}]"))["x"] == ["destination"]
    assert sent(web(f"{top}[{own}, weight: 1}}, {{destination: {{host: web}}, weight: 0}}]"))["x"] == ["route"]


def test_14_a_mirror_keeps_the_host() -> None:
    rules = web(f"- mirror: {{host: web}}\n  {TO_WEB}")
    forward = forwarded(rules)
    assert [cluster.name for cluster in forward.mirrors] == ["web.default.svc.cluster.local:80"]
    assert forward.authority == b"web"  # without -shadow


def test_15_cors_echoes_the_origin_never_checks_the_method_and_faults_come_first() -> None:
    cors = "corsPolicy: {allowOrigins: [{exact: '*'}], allowMethods: [GET]}"
    asked = request("/", {"origin": "http://o", "access-control-request-method": "DELETE"}, method="OPTIONS")
    action = decide(web(f"- {cors}\n  {TO_WEB}"), asked).action
    assert isinstance(action, Preflight)
    assert by_name(action.reply.headers)["access-control-allow-origin"] == ["http://o"]
    abort = "fault: {abort: {httpStatus: 503, percentage: {value: 100}}}"
    assert isinstance(decide(web(f"- {cors}\n  {abort}\n  {TO_WEB}"), asked, ALL).action, Abort)


def test_16_port_80_in_a_redirect_does_not_remove_the_requests_port() -> None:
    action = decide(web("- redirect: {port: 80, uri: /}", proxy=Proxy(port=80)), request("/", host="web:8080")).action
    assert isinstance(action, Redirect)
    assert by_name(action.reply.headers)["location"] == ["http://web:8080/"]


def test_17_ejection_is_limited_to_10_percent_which_is_nobody_among_nine() -> None:
    rule = (
        "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: web}\n"
        "spec: {host: web, trafficPolicy: {outlierDetection: {consecutive5xxErrors: 1}}}\n"
    )
    cluster = forwarded(rules_of(virtual_service(f"- {TO_WEB}") + rule)).cluster
    assert cluster is not None and cluster.outlier_detection is not None
    assert cluster.outlier_detection.max_ejection_percent == 10


def test_18_a_grpc_status_abort_is_200_for_a_plain_client() -> None:
    rules = web(f"- fault: {{abort: {{grpcStatus: UNAVAILABLE, percentage: {{value: 100}}}}}}\n  {TO_WEB}")
    action = decide(rules, "/", ALL).action
    assert isinstance(action, Abort)
    assert (action.reply.status, action.reply.body) == (200, b"fault filter abort")


def test_19_a_direct_response_of_201_or_3xx_gets_a_location() -> None:
    for status, located in ((200, False), (201, True), (302, True), (404, False)):
        action = decide(web(f"- directResponse: {{status: {status}}}"), "/p?q").action
        assert isinstance(action, DirectResponse)
        assert ((b"location", b"http://web/p?q") in action.reply.headers) is located


def test_20_weight_zero_on_a_single_destination_still_routes() -> None:
    assert forwarded(web("- route: [{destination: {host: web}, weight: 0}]")).cluster is not None


def test_21_match_port_is_the_listeners() -> None:
    rule = "- {name: hit, match: [{port: 9080}], directResponse: {status: 200}}"
    asked = request("/", host="web:9080")
    assert taken(web(rule), asked) != "hit"
    assert taken(web(rule, {"web:9080": [{}]}, Proxy(port=9080)), request("/", host="web:1")) == "hit"


def test_22_a_regex_must_match_all_and_ignores_ignore_uri_case() -> None:
    rules = web("- {name: hit, match: [{uri: {regex: '/a'}, ignoreUriCase: true}], directResponse: {status: 200}}")
    assert [taken(rules, path) for path in ("/a", "/ab", "/A")] == ["hit", None, None]


def test_the_server_header_is_always_the_proxys() -> None:
    rules = web(f"- headers: {{response: {{set: {{server: mine}}}}}}\n  {TO_WEB}")
    assert answered(rules, "/", [(b"server", b"upstream")])["server"] == ["envoy"]
