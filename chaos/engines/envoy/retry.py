"""HTTPRetry as Envoy's RetryPolicy (pilot/pkg/networking/core/route/retry/retry.go)."""

from __future__ import annotations

from chaos.engines.envoy.bootstrap import Message, typed
from chaos.engines.envoy.values import duration
from chaos.mesh.model.virtual_service import HTTPRetry
from chaos.mesh.upstream.retry import DEFAULT_RETRY_ON, status_of

_PREVIOUS_HOSTS = {
    "name": "envoy.retry_host_predicates.previous_hosts",
    "typed_config": typed("extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"),
}

_PREVIOUS_PRIORITIES = {
    "name": "envoy.retry_priorities.previous_priorities",
    "typed_config": typed(
        "extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig", update_frequency=2
    ),
}


def retry_policy(retries: HTTPRetry | None, *, consistent_hash: bool = False) -> Message | None:
    """Return the policy; None when the rule switches retries off. With a consistent hash, retries go to the same
    host."""
    if retries is None:
        return _policy(2, DEFAULT_RETRY_ON, [], avoid_previous=not consistent_hash)
    if not retries.attempts or retries.attempts < 0:
        return None
    words, codes = DEFAULT_RETRY_ON, list[int]()
    if retries.retry_on:
        words, codes = _split(retries.retry_on)
    avoid_previous = not consistent_hash
    if retries.retry_ignore_previous_hosts is not None:
        avoid_previous = retries.retry_ignore_previous_hosts
    policy = _policy(retries.attempts, words, codes, avoid_previous=avoid_previous)
    if retries.per_try_timeout is not None:
        policy["per_try_timeout"] = duration(retries.per_try_timeout)
    if retries.retry_remote_localities:
        policy["retry_priority"] = _PREVIOUS_PRIORITIES
    if retries.backoff is not None:
        policy["retry_back_off"] = {"base_interval": duration(retries.backoff)}
    return policy


def _policy(retries: int, words: str, codes: list[int], *, avoid_previous: bool) -> Message:
    policy: Message = {"num_retries": retries, "retry_on": words, "host_selection_retry_max_attempts": 5}
    if codes:
        policy["retriable_status_codes"] = codes
    if avoid_previous:
        policy["retry_host_predicate"] = [_PREVIOUS_HOSTS]
    return policy


def _split(retry_on: str) -> tuple[str, list[int]]:
    """Return retryOn's words and status codes. Codes turn the condition retriable-status-codes on."""
    parts = [part for part in map(str.strip, retry_on.split(",")) if part]
    codes = [code for part in parts if (code := status_of(part)) is not None]
    words = [part for part in parts if status_of(part) is None]
    if codes and "retriable-status-codes" not in words:
        words.append("retriable-status-codes")
    return ",".join(words), codes
