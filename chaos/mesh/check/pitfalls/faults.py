"""Find faults, timeouts and retries that do not do what they seem to: infos.

Source: Istio's translation of percentages (truncated parts per million), Envoy's fault and router filters."""

from __future__ import annotations

from chaos.mesh.check.cursor import At
from chaos.mesh.model.message import Percent
from chaos.mesh.model.virtual_service import Delay, HTTPRetry, HTTPRoute
from chaos.mesh.read.shape import Wording
from chaos.units import MILLION, format_duration
from chaos.units import Percent as Share

_ON_PER_TRY_TIMEOUT = {"5xx", "gateway-error", "reset"}
_NEVER = {
    "refused-stream": "is about HTTP/2 alone",
    "retriable-headers": "needs a list of headers that Istio cannot express",
    "http3-post-connect-failure": "is about HTTP/3 alone",
}


DEPRECATED = "IST0002"


def fault_pitfalls(at: At, route: HTTPRoute) -> None:
    """Report on one HTTPRoute; `at` points at it."""
    _mirror_shares(at, route)
    _retries(at, route)
    fault = route.fault
    if fault is None:
        return
    here = at.into("fault")
    for kind, part in fault.given():
        percent = part.percent if isinstance(part, Delay) else 0
        _share(here.into(kind), part.percentage, kind.happened, deprecated=percent)
    if fault.delay is not None and fault.delay.fixed_delay is None and fault.delay.exponential_delay is None:
        here.into("delay").info("a delay without fixedDelay does nothing", "no-effect")
    if fault.abort is not None:
        _abort_status(here.into("abort", "httpStatus"), fault.abort.http_status)
    _beside(at, route)


def _share(at: At, percentage: Percent | None, what: str, deprecated: int = 0) -> None:
    if percentage is None:
        if deprecated:
            instead = f"percentage: {{value: {deprecated}}}"
            at.into("percent").warn(Wording(f"deprecated; write {instead}", instead), DEPRECATED)
        else:
            at.info(f"without a percentage no request is {what}; for all write percentage: {{value: 100}}", "never")
    elif not percentage.has("value"):
        at.into("percentage").info(f"without a value no request is {what}", "never")
    else:
        _value(at.into("percentage", "value"), percentage.value)
        if deprecated:
            at.into("percent").info("has no effect beside percentage", "no-effect")


def _value(at: At, value: float) -> None:
    if 0 < value < 1:
        one_in = f"{100 / value:.4g}"
        meant = f"{value * 100:.10g}"
        message = Wording(f"{value:.10g} means one request in {one_in}; did you mean {meant}?", meant)
        at.info(message, "small-percentage")
    kept = Share.of(value).per_million
    if abs(value * 10000 - kept) > 1e-6 and 0 < value <= 100:
        at.info(f"becomes {kept} in {MILLION}, which is {kept / 10000:.10g} %", "lost-digits")


def _abort_status(at: At, status: int | None) -> None:
    if status in (204, 304):
        at.info(f"Envoy sends a body even with {status}, which clients may take for the next response", "status")
    elif status == 200:
        at.info("callers will see a success whose body is `fault filter abort`", "status")


def _beside(at: At, route: HTTPRoute) -> None:
    """Report timeouts and retries beside a fault: Envoy's fault filter comes before the router, which handles both."""
    fault = route.fault
    assert fault is not None
    if route.timeout is not None and fault.delay is not None and fault.delay.fixed_delay is not None:
        late = format_duration(fault.delay.fixed_delay)
        message = f"never cuts the delay of {late} short: it starts when the delay is over"
        at.into("timeout").info(message, "fault-and-timeout")
    if route.retries is not None and route.retries.attempts > 0:
        faults = " or ".join(sorted(kind for kind, _ in fault.given()))
        message = f"do not apply to the {faults} of the same rule: an injected fault is never retried"
        at.into("retries").info(message, "fault-and-retries")


def _mirror_shares(at: At, route: HTTPRoute) -> None:
    if route.mirror_percentage is not None:
        if route.mirror is None:
            at.into("mirrorPercentage").info("has no effect without mirror", "no-effect")
        _value(at.into("mirrorPercentage", "value"), route.mirror_percentage.value)
    for index, mirror in enumerate(route.mirrors):
        if mirror.percentage is not None:
            _value(at.into("mirrors", index, "percentage", "value"), mirror.percentage.value)


def _retries(at: At, route: HTTPRoute) -> None:
    retries = route.retries
    if retries is None or retries.attempts <= 0:
        return
    words = set(retries.retry_on.split(",")) if retries.retry_on else set()
    here = at.into("retries")
    for word in sorted(words & _NEVER.keys()):
        here.into("retryOn").info(f"{word} {_NEVER[word]}; here it never applies", "no-effect")
    if "retriable-status-codes" in words and not any(word.isdecimal() for word in words):
        here.into("retryOn").info("retriable-status-codes does nothing without codes, like 503", "no-effect")
    if not words:
        here.info("without retryOn a 503 is not retried; add retryOn: 5xx if it should be", "default-retryon")
    _per_try_timeout(here.into("perTryTimeout"), retries, words, route.timeout)


def _per_try_timeout(at: At, retries: HTTPRetry, words: set[str], timeout: float | None) -> None:
    if retries.per_try_timeout is None:
        return
    if timeout is not None and retries.per_try_timeout >= timeout:
        message = f"never reached: the timeout of {format_duration(timeout)} for all attempts comes first"
        at.info(message, "per-try-timeout")
    elif not words & _ON_PER_TRY_TIMEOUT:
        at.info(
            "an attempt that reaches it is not retried; add 5xx, gateway-error or reset to retryOn", "per-try-timeout"
        )
