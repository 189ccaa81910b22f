"""VirtualServices from the whole HTTP grammar, and requests that are likely to hit them, as Hypothesis strategies.

A `World` is one VirtualService (with delegates, perhaps) on a host of its own, and requests to that host. Many worlds
run in one gateway and one Envoy, so that starting them costs little per request. The strategies keep to what two right
proxies must answer alike: percentages of 0 and 100, one drawable destination, endpoints that are known."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import strategies as st

from support.raw_client import encode

Json = dict[str, Any]

HOST = "HOST"  # in a world: its own host, filled in when worlds are put together
SERVICES: dict[str, dict[str, dict[str, str]]] = {
    "web.default.svc.cluster.local:80": {"web-1": {"version": "v1"}, "web-2": {"version": "v2"}},
    "one.default.svc.cluster.local:8080": {"one-1": {}},
    "empty.default.svc.cluster.local:80": {},
    "down.default.svc.cluster.local:80": {"down-1": {}},
    "shadow.default.svc.cluster.local:80": {"shadow-1": {}},
}
REFUSING = frozenset({"down-1"})
DESTINATION_RULE: Json = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "DestinationRule",
    "metadata": {"name": "web"},
    "spec": {
        "host": "web",
        "subsets": [
            {"name": "v1", "labels": {"version": "v1"}},
            {"name": "v2", "labels": {"version": "v2"}},
            {"name": "nobody", "labels": {"version": "v9"}},
        ],
    },
}
GATEWAY: Json = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "Gateway",
    "metadata": {"name": "edge"},
    "spec": {"servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}]},
}


@dataclass(frozen=True, slots=True)
class World:
    """`http` of a root VirtualService, `delegates` by name, and requests as (method, target, headers, body)."""

    http: list[Json]
    delegates: dict[str, list[Json]]
    requests: list[tuple[str, str, list[tuple[str, str]], str]]

    def documents(self, number: int, *, gateway: bool) -> list[Json]:
        binding = {"gateways": ["edge"]} if gateway else {}
        root = _virtual_service(f"w{number}", {"hosts": [host_of(number)], **binding, "http": self.http})
        below = [_virtual_service(f"w{number}-{name}", {"http": http}) for name, http in self.delegates.items()]
        # Names of delegates and the host are this world's own.
        text = json.dumps([root, *below]).replace('"name": "DELEGATE-', f'"name": "w{number}-')
        documents: list[Json] = json.loads(text.replace(HOST, host_of(number)))
        return documents

    def octets(self, number: int, index: int, id_: str) -> bytes:
        method, target, headers, body = self.requests[index]
        own = host_of(number)
        lines = [(name, value.replace("UP:HOST", own.upper()).replace(HOST, own)) for name, value in headers]
        if not any(name.lower() == "host" for name, _ in lines):
            lines.insert(0, ("host", own))
        return encode(method, target.replace(HOST, own), [*lines, ("x-test-id", id_)], body.encode("latin-1"))


def host_of(number: int) -> str:
    return f"w{number}.fuzz.test"


def _virtual_service(name: str, spec: Json) -> Json:
    kind = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService"}
    return {**kind, "metadata": {"name": name}, "spec": spec}


# ------------------------------------------------------------------------------------------------ rules

PATHS = ("/", "/a", "/a/", "/a/b", "/a/b/", "/ab", "/A", "/Ab/c", "/b", "/b/c/d", "/a%20b", "/a%2Fb", "/x.y", "/a;p=1")
PATH_REGEXES = ("/a.*", "/[a-z]+", "/a/[^/]*", "(?i)/ab?", "^/b/.*$", "/a|/b", "/.*%.*", ".*", "/a/b/?", "/\\w+/\\w+")
NAMES = ("x-a", "x-b", "X-C", "accept", "user-agent", "cookie", "content-type", "x-forwarded-for", "x-request-id")
VALUES = ("1", "2", "one", "One", "a,b", "", "one two", "a=b; c=d")
VALUE_REGEXES = ("1|2", "o.e", ".*", ".+", "[a-z]*", "a.b", "(?i)ONE")
KEYS = ("q", "k", "Q", "k[]", "a%20b")
METHODS = ("GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH")
ORIGINS = ("http://a.test", "http://b.test", "https://x.rx.test", "null")
STATUSES = (200, 201, 204, 301, 304, 400, 401, 403, 404, 418, 429, 500, 502, 503, 504, 599)

names, values = st.sampled_from(NAMES), st.sampled_from(VALUES)


def optional(strategy: st.SearchStrategy[Any], chance: int = 3) -> st.SearchStrategy[Any]:
    """None more often than not: about one in `chance`."""
    return st.one_of(*[st.none()] * (chance - 1), strategy)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """A mapping of those fields that are not None."""
    return st.fixed_dictionaries(fields).map(lambda found: {k: v for k, v in found.items() if v is not None})


def text_match(texts: tuple[str, ...], regexes: tuple[str, ...]) -> st.SearchStrategy[Json]:
    return st.one_of(
        st.sampled_from(texts).map(lambda text: {"exact": text}),
        st.sampled_from([text for text in texts if text]).map(lambda text: {"prefix": text}),
        st.sampled_from(regexes).map(lambda regex: {"regex": regex}),
    )


value_match = st.one_of(text_match(VALUES, VALUE_REGEXES), st.just({}))
path_match = st.one_of(
    text_match(PATHS, PATH_REGEXES),
    st.sampled_from(PATHS).map(lambda path: {"prefix": path}),
    st.sampled_from(PATHS).map(lambda path: {"exact": path}),
)
matches = some(
    uri=st.one_of(path_match, path_match, st.none()),
    ignoreUriCase=optional(st.just(True), 4),
    headers=optional(st.dictionaries(names, value_match, min_size=1, max_size=2), 4),
    withoutHeaders=optional(
        st.dictionaries(names, st.one_of(value_match, st.just({"regex": "*"})), min_size=1, max_size=2), 5
    ),
    queryParams=optional(st.dictionaries(st.sampled_from(KEYS), value_match, min_size=1, max_size=2), 4),
    method=optional(text_match(METHODS, ("GET|POST", "P.*", "get")), 4),
    authority=optional(text_match((HOST, HOST + ":80"), ("w.*", ".*:80", ".*[.]test")), 6),
    scheme=optional(text_match(("http", "https"), ("https?",)), 8),
    port=optional(st.sampled_from((80, 80, 81)), 10),
    gateways=optional(st.sampled_from((["mesh"], ["edge"], ["mesh", "edge"])), 10),
    sourceLabels=optional(st.just({"app": "fuzz"}), 12),
    sourceNamespace=optional(st.sampled_from(("default", "other")), 12),
)

FORMATS = (
    "%REQ(x-a)%",
    "[%REQ(x-none)%]",
    "%REQ(:path)%",
    "%REQ(:authority)%",
    "%REQ(x-none?x-a)%",
    "%PROTOCOL%",
    "50%%",
)
set_values = st.sampled_from(("v", "w", "", "a, b", *FORMATS))
response_values = st.sampled_from(("v", "w", "", "%RESP(x-up)%", "%RESPONSE_CODE%", "%REQ(:path)%", "%REQ(x-a)%"))
REQUEST_NAMES = ("x-a", "x-b", "X-C", "x-new", "accept", "user-agent", "cookie", "content-type", "x-forwarded-proto")
RESPONSE_NAMES = ("x-up", "x-a", "X-New", "content-type", "set-cookie", "cache-control", "via", "location", "server")


def operations(known: tuple[str, ...], given: st.SearchStrategy[str]) -> st.SearchStrategy[Json]:
    return some(
        set=optional(st.dictionaries(st.sampled_from(known), given, min_size=1, max_size=2), 2),
        add=optional(st.dictionaries(st.sampled_from(known), given, min_size=1, max_size=2), 2),
        remove=optional(st.lists(st.sampled_from(known), min_size=1, max_size=2, unique=True), 2),
    )


host_change = st.sampled_from(({"set": {"Host": "set.test"}}, {"add": {":authority": "add.test:81"}}))
headers = some(
    request=optional(st.one_of(operations(REQUEST_NAMES, set_values), host_change), 2),
    response=optional(operations(RESPONSE_NAMES, response_values), 2),
)
percentages = st.sampled_from(({"value": 100}, {"value": 100}, {"value": 0}, {}, None))
faults = some(
    abort=optional(
        st.one_of(
            some(
                httpStatus=st.sampled_from(STATUSES).filter(lambda code: code not in (204, 304)), percentage=percentages
            ),
            some(grpcStatus=st.sampled_from(("UNAVAILABLE", "NOT_FOUND", "OK")), percentage=percentages),
        ),
        2,
    ),
    delay=optional(some(fixedDelay=st.sampled_from(("1ms", "5ms")), percentage=percentages), 2),
).filter(bool)
cors = some(
    allowOrigins=st.lists(text_match(ORIGINS, ("https?://.*[.]test", ".*")), min_size=1, max_size=2) | st.just([]),
    allowMethods=optional(st.sampled_from((["GET"], ["GET", "POST"], ["*"])), 2),
    allowHeaders=optional(st.sampled_from((["x-a"], ["x-a", "X-B"], ["*"])), 2),
    exposeHeaders=optional(st.sampled_from((["x-e"], ["x-e", "x-f"])), 2),
    maxAge=optional(st.sampled_from(("24h", "90s")), 2),
    allowCredentials=optional(st.booleans(), 2),
    unmatchedPreflights=optional(st.sampled_from(("FORWARD", "IGNORE")), 2),
)
working: tuple[Json, ...] = (
    {"host": "web", "subset": "v1"}, {"host": "web", "subset": "v2"}, {"host": "one"},
    {"host": "one", "port": {"number": 8080}}, {"host": "web.default.svc.cluster.local", "subset": "v1"},
)  # fmt: skip
failing: tuple[Json, ...] = (
    {"host": "web", "subset": "nobody"}, {"host": "web", "subset": "undefined"}, {"host": "empty"}, {"host": "missing"},
    {"host": "one", "port": {"number": 81}}, {"host": "down"}, {"host": "one.default"},
)  # fmt: skip
destinations = st.sampled_from(working * 5 + failing)


@st.composite
def routes(draw: st.DrawFn) -> list[Json]:
    """One destination, or several of which one can be drawn."""
    parts = [{"destination": draw(destinations)} for _ in range(draw(st.sampled_from((1, 1, 1, 2, 3))))]
    for part in parts:
        part.update(draw(some(headers=optional(headers, 4))))
    if len(parts) > 1 or draw(st.booleans()):
        chosen = draw(st.integers(0, len(parts) - 1))
        for index, part in enumerate(parts):
            part["weight"] = draw(st.integers(1, 100)) if index == chosen else 0
    return parts


RETRY_ON = (
    "5xx", "5xx", "5xx", "gateway-error,reset", "gateway-error", "reset", "connect-failure", "retriable-4xx", "503",
    "418,503", "gateway-error,429",
    "retriable-status-codes", "unavailable", "cancelled,internal", "reset-before-request", "envoy-ratelimited",
    "5xx,409",
)  # fmt: skip
retries = some(
    attempts=st.sampled_from((1, 2, 3, 3, 0)),
    retryOn=st.one_of(st.sampled_from(RETRY_ON), st.sampled_from(RETRY_ON), st.none()),
    perTryTimeout=optional(st.just("5s"), 6),
    backoff=optional(st.just("1ms"), 2),
    retryIgnorePreviousHosts=optional(st.booleans(), 5),
).map(lambda found: found if found["attempts"] else {"attempts": 0})
REGEX_REWRITES = (("^/a/(.*)$", "/z/\\1"), ("a", "<\\0>"), ("[^/]+", "x"), ("/", "//"), ("nothing", "x"), ("b*", "-"))
rewrites = some(
    uri=optional(st.sampled_from(("/", "/z", "/z/", "/z?fixed=1", "/long/er")), 2),
    authority=optional(st.sampled_from(("other.test", "other.test:8443")), 2),
    uriRegexRewrite=optional(st.sampled_from(REGEX_REWRITES).map(lambda two: {"match": two[0], "rewrite": two[1]}), 3),
).filter(lambda found: bool(found) and not {"uri", "uriRegexRewrite"} <= set(found))
mirrors = st.sampled_from(({"host": "shadow"}, {"host": "empty"}, {"host": "missing"}, {"host": "down"}))
redirects = some(
    uri=optional(st.sampled_from(("/n", "/n?x=1", "n", "/%41")), 2),
    authority=optional(st.sampled_from(("other.test", "other.test:81")), 3),
    scheme=optional(st.sampled_from(("http", "https")), 3),
    port=optional(st.sampled_from((80, 443, 8080)), 3),
    derivePort=optional(st.sampled_from(("FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT")), 4),
    redirectCode=optional(st.sampled_from((301, 302, 303, 307, 308)), 2),
    prefixRewrite=optional(st.sampled_from(("/", "/p")), 3),
).filter(lambda found: bool(set(found) - {"redirectCode"}) and not {"uri", "prefixRewrite"} <= set(found)
         and not {"port", "derivePort"} <= set(found))  # fmt: skip
direct_responses = some(
    status=st.sampled_from(STATUSES),
    body=optional(st.sampled_from(({"string": "direct"}, {"string": "%REQ(x-a)%"}, {"bytes": "YWJj"})), 2),
).filter(lambda found: found["status"] not in (204, 304) or "body" not in found)


@st.composite
def rules(draw: st.DrawFn, *, delegate: bool = False) -> Json:
    rule: Json = draw(some(name=optional(st.sampled_from(("first", "second")), 4), headers=optional(headers, 2)))
    entries = draw(st.lists(matches, max_size=2))
    if entries:
        rule["match"] = entries
    rule.update(draw(some(corsPolicy=optional(cors, 3))))
    kind = draw(st.sampled_from(("route",) * 7 + ("redirect", "direct") + (() if delegate else ("delegate",))))
    if kind == "redirect":
        rule["redirect"] = draw(redirects)
    elif kind == "direct":
        rule["directResponse"] = draw(direct_responses)
    else:
        rule.update(draw(forwarding()))
        if kind == "delegate":
            rule["delegate"] = {"name": draw(st.sampled_from(("DELEGATE-low", "DELEGATE-missing", "DELEGATE-low")))}
        else:
            rule["route"] = draw(routes())
    return rule


def forwarding() -> st.SearchStrategy[Json]:
    return some(
        fault=optional(faults, 4),
        rewrite=optional(rewrites, 3),
        retries=optional(retries, 2),
        timeout=optional(st.just("6s"), 6),
        mirror=optional(mirrors, 6),
        mirrorPercentage=optional(st.sampled_from(({"value": 0}, {"value": 100}, {})), 8),
    ).map(lambda found: found if "mirror" in found else {k: v for k, v in found.items() if k != "mirrorPercentage"})


# ------------------------------------------------------------------------------------------------ requests

PLANS = ("503", "503,200", "500,503,200", "418,200", "429,200", "409,200", "reset,200", "close", "404", "599,200",
         "502,504,200", "grpc:14,200", "grpc:1,200", "grpc:13", "204", "304", "201", "cut")  # fmt: skip
RESPONDS: tuple[Json, ...] = (
    {"x-a": ["1", "2"], "set-cookie": ["a=1", "b=2"]}, {"content-type": "text/html"}, {"x-envoy-ratelimited": "true"},
    {"cache-control": ["no-cache", "max-age=0"], "via": ["1", "2"]}, {"location": "/up"}, {"x-new": ""},
    {"access-control-allow-origin": "*", "access-control-expose-headers": "x-up"}, {"connection": "x-a", "x-a": "hop"},
    {"date": "Thu, 01 Jan 1970 00:00:00 GMT"}, {"x-envoy-upstream-service-time": "99"}, {"vary": ["a", "b"]},
)  # fmt: skip
TWISTS = ("{}", "{}", "{}", "{}", "{}/", "{}x", "{}/x/../", "/z/..{}", "{}/./y", "{}%2e", "{}//z", "{}%zz", "{};v=1",
          "/.{}", "{}%41", "{}%2F", "http://HOST{}", "https://HOST{}", "http://HOST:8080{}",
          "{}\\z")  # fmt: skip
QUERIES = (
    "",
    "",
    "",
    "?q=1",
    "?q=one&k=2",
    "?k",
    "?q=",
    "?q=2&q=1",
    "?k[]=1",
    "?a%20b=one",
    "?Q=1;q=1",
    "??q=1",
    "?q=a+b",
    "?",
)
OTHER_HEADERS: tuple[tuple[str, str], ...] = (
    ("x-forwarded-proto", "https"), ("x-forwarded-for", "10.0.0.1"), ("x-request-id", "mine"),
    ("x-envoy-retry-on", "5xx"),
    ("x-envoy-max-retries", "9"), ("connection", "x-a"), ("connection", "close"), ("te", "trailers"), ("x_under", "1"),
    ("x-envoy-original-path", "/o"), ("x-envoy-upstream-rq-timeout-ms", "1"), ("keep-alive", "5"), ("x-empty", ""),
    ("origin", "http://a.test"), ("content-type", "application/grpc"), ("x-envoy-attempt-count", "7"),
    ("x-a", "caf\u00e9"),
)  # fmt: skip


def request_for(http: list[Json], dice: Random) -> tuple[str, str, list[tuple[str, str]], str]:
    """What some rule's match asks for, more often than not, with a twist; method, target, headers, body."""
    entry = dice.choice([entry for rule in http for entry in rule.get("match", ())] or [{}])
    method = dice.choice((*METHODS, "GET", "GET", "GET", entry.get("method", {}).get("exact", "GET")))
    lines: list[tuple[str, str]] = []
    for name, match in entry.get("headers", {}).items():
        lines += [(name, _fitting(match, dice))] * dice.choice((1, 1, 1, 0, 2))
    lines += [(dice.choice(NAMES), dice.choice(VALUES)) for _ in range(dice.choice((0, 0, 1, 2)))]
    lines += dice.sample(OTHER_HEADERS, dice.choice((0, 0, 1, 2)))
    if dice.random() < 0.25:
        method = dice.choice(("OPTIONS", "GET"))
        lines += [("origin", dice.choice(ORIGINS)), ("access-control-request-method", "GET")]
        lines += [("access-control-request-headers", "x-a, x-b")] * dice.choice((0, 1))
    if dice.random() < 0.4:
        lines.append(("x-test-plan", dice.choice(PLANS)))
    if dice.random() < 0.25:
        lines.append(("x-test-respond", json.dumps(dice.choice(RESPONDS))))
    if dice.random() < 0.15:
        lines.append(("host", dice.choice((HOST + ":80", HOST + ":8080", HOST + ":", HOST + ".", "UP:HOST"))))
    body = dice.choice(("", "", "body")) if method != "HEAD" else ""
    return method, _target(entry, dice), lines, body


def _fitting(match: Json, dice: Random) -> str:
    """A value that fits, or any of the values."""
    text = match.get("exact", match.get("prefix"))
    return dice.choice((text, text, *VALUES[:2], text + "x") if text is not None else VALUES)


def _target(entry: Json, dice: Random) -> str:
    uri = entry.get("uri", {})
    wanted = uri.get("exact") or uri.get("prefix")
    base = dice.choice((wanted, wanted, wanted.swapcase()) if wanted else PATHS)
    pairs = [f"{key}={_fitting(match, dice)}" for key, match in entry.get("queryParams", {}).items()]
    query = dice.choice((*QUERIES, *["?" + "&".join(pairs).replace(" ", "%20")] * (len(QUERIES) if pairs else 0)))
    return dice.choice(TWISTS).replace("{}", dice.choice((base, base, dice.choice(PATHS)))) + query


@st.composite
def worlds(draw: st.DrawFn) -> World:
    http = draw(st.lists(rules(), min_size=1, max_size=4))
    delegates = {"low": draw(st.lists(rules(delegate=True), min_size=1, max_size=2))}
    delegates = delegates if any("delegate" in rule for rule in http) else {}
    everything = http + [rule for below in delegates.values() for rule in below]
    dice = draw(st.randoms(use_true_random=True))
    return World(http, delegates, [request_for(everything, dice) for _ in range(REQUESTS_PER_WORLD)])


REQUESTS_PER_WORLD = 24
