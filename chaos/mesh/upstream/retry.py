"""Retry policies: which outcomes the words of retryOn cover.

Source: istio pilot/pkg/networking/core/route/retry (defaults, number parsing), Envoy
source/common/router/retry_state_impl.cc (which outcome each word covers). gRPC words look at the grpc-status header of
a response, which is there in trailers-only responses."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from chaos.mesh.decision import Failure, Headers, RetryPolicy
from chaos.mesh.model.virtual_service import HTTPRetry

DEFAULT_ATTEMPTS = 2
DEFAULT_RETRY_ON = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes"
_GRPC_WORDS = {"cancelled": 1, "deadline-exceeded": 4, "resource-exhausted": 8, "internal": 13, "unavailable": 14}
_GATEWAY_ERRORS = frozenset((502, 503, 504))
_SERVER_ERRORS = frozenset(range(500, 600))
_NO_ANSWER = frozenset((Failure.CONNECT, Failure.RESET, Failure.PER_TRY_TIMEOUT))

# Istio accepts the codes for which Go's net/http has a reason phrase; these are all of them.
_REASONS = "100-103 200-208 226 300-305 307 308 400-418 421-426 428 429 431 451 500-508 510 511"
_WITH_REASON = frozenset(
    code
    for first, _, last in (span.partition("-") for span in _REASONS.split())
    for code in range(int(first), int(last or first) + 1)
)
_NUMBER = re.compile(r"\+?[0-9]{1,9}")  # as Go's strconv.Atoi has it; +503 is a status, too

RetryOn = Callable[[int | Failure, Headers, bool], bool]


def compile_retry(retries: HTTPRetry | None, *, hashed: bool = False) -> RetryPolicy | None:
    """Return the policy; None when nothing is retried (`attempts: 0`). Without retries in the rule Istio's default
    applies.

    Where the only destination is `hashed`, retries go to the endpoint that the hash names, unless the rule says
    otherwise."""
    if retries is None:
        return HASHED_DEFAULT_POLICY if hashed else DEFAULT_POLICY
    if retries.attempts <= 0:
        return None
    words, ignored = retries.retry_on or DEFAULT_RETRY_ON, retries.retry_ignore_previous_hosts
    return RetryPolicy(
        attempts=retries.attempts,
        retry_on=compile_retry_on(words),
        per_try_timeout=retries.per_try_timeout or None,
        backoff_base=retries.backoff or 0.025,
        avoid_previous_hosts=not hashed if ignored is None else ignored,
        description=words,
    )


def compile_retry_on(words: str) -> RetryOn:
    """Return a function that says whether an outcome (an HTTP status or a Failure) with these response headers is
    retried; its last argument is whether the request had been sent.

    Words that cover nothing on HTTP/1 (refused-stream) or on their own (retriable-status-codes) are accepted."""
    statuses, failures, grpc, ratelimited, before_request = _sets(words)

    def retry_on(outcome: int | Failure, headers: Headers, sent: bool) -> bool:
        if isinstance(outcome, Failure):
            return outcome in failures or (before_request and not sent and outcome in _NO_ANSWER)
        for name, _ in headers:
            if name == b"x-envoy-ratelimited":
                return ratelimited
        return outcome in statuses or (bool(grpc) and _grpc_status(headers) in grpc)

    return retry_on


def _sets(words: str) -> tuple[frozenset[int], frozenset[Failure], frozenset[bytes], bool, bool]:
    statuses: set[int] = set()
    failures: set[Failure] = set()
    grpc: set[bytes] = set()
    given = words.split(",")
    for word in given:
        if word == "5xx":
            statuses |= _SERVER_ERRORS
            failures |= _NO_ANSWER
        elif word == "gateway-error":
            statuses |= _GATEWAY_ERRORS
            failures |= _NO_ANSWER
        elif word == "reset":
            failures |= _NO_ANSWER
        elif word == "connect-failure":
            failures.add(Failure.CONNECT)
        elif word == "retriable-4xx":
            statuses.add(409)
        elif word in _GRPC_WORDS:
            grpc.add(b"%d" % _GRPC_WORDS[word])
        elif _NUMBER.fullmatch(word):
            statuses.add(int(word))
    return (
        frozenset(statuses),
        frozenset(failures),
        frozenset(grpc),
        "envoy-ratelimited" in given,
        "reset-before-request" in given,
    )


def status_of(word: str) -> int | None:
    """Return the status that a word of retryOn means, `503` or `+503`; None for a number without a reason phrase, and
    for other words."""
    number = int(word) if _NUMBER.fullmatch(word) else 0
    return number if number in _WITH_REASON else None


def _grpc_status(headers: Headers) -> bytes:
    return next((value for name, value in headers if name == b"grpc-status"), b"")


DEFAULT_POLICY = RetryPolicy(DEFAULT_ATTEMPTS, compile_retry_on(DEFAULT_RETRY_ON), description=DEFAULT_RETRY_ON)
HASHED_DEFAULT_POLICY = replace(DEFAULT_POLICY, avoid_previous_hosts=False)
