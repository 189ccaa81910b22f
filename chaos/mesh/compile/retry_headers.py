"""Retry settings in request headers that a rule sets: they are obeyed, and not sent upstream.

The client's own are dropped on arrival; a rule's (`headers.request` of the route or the destination) are added later,
and Envoy's router reads them. Source: Envoy source/common/router/retry_state_impl.cc; observed on Envoy 1.40."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from chaos.mesh.decision import Headers, RetryPolicy
from chaos.mesh.upstream.retry import compile_retry_on

RETRY_ON = b"x-envoy-retry-on"
GRPC_ON = b"x-envoy-retry-grpc-on"
MAX_RETRIES = b"x-envoy-max-retries"
STATUS_CODES = b"x-envoy-retriable-status-codes"

OBEYED = frozenset((RETRY_ON, GRPC_ON, MAX_RETRIES, STATUS_CODES))
STRIPPED = OBEYED | {b"x-envoy-upstream-rq-per-try-timeout-ms"}  # Envoy reads this one before the rule sets it

_NOTHING = RetryPolicy(1, compile_retry_on(""))
"""The base to which these headers add when the rule itself retries nothing: Envoy's own default of one retry."""


def obeyed(policy: RetryPolicy | None, headers: Headers) -> RetryPolicy | None:
    """Return the policy of a request that is sent upstream with these headers; None for no retries."""
    said = tuple((name, value) for name, value in headers if name in OBEYED)
    return _combined(policy, said) if said else policy


@lru_cache(maxsize=1024)
def _combined(policy: RetryPolicy | None, said: tuple[tuple[bytes, bytes], ...]) -> RetryPolicy | None:
    base = policy or _NOTHING
    words = [word for word in base.description.split(",") if word]
    codes: list[str] = []
    attempts = base.attempts
    for name, value in said:
        text = value.decode("latin-1")
        parts = [part.strip() for part in text.split(",")]
        if name == MAX_RETRIES:
            attempts = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else attempts
        elif name == STATUS_CODES:
            codes += [part for part in parts if part.isascii() and part.isdigit()]
        else:
            words += [part for part in parts if not part.isdigit()]
    if "retriable-status-codes" in words:
        words += codes
    if not words or attempts == 0:
        return None
    description = ",".join(dict.fromkeys(words))
    return replace(base, attempts=attempts, retry_on=compile_retry_on(description), description=description)
