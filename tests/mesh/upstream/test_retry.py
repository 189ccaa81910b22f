"""What retryOn means for each outcome of a try."""

from __future__ import annotations

import pytest

from chaos.mesh.decision import Failure
from chaos.mesh.model.virtual_service import HTTPRetry
from chaos.mesh.upstream.retry import DEFAULT_POLICY, compile_retry, compile_retry_on

CONNECT, RESET, PER_TRY, OVERFLOW = Failure.CONNECT, Failure.RESET, Failure.PER_TRY_TIMEOUT, Failure.OVERFLOW
OUTCOMES = [200, 400, 409, 429, 500, 502, 503, 504, 599, CONNECT, RESET, PER_TRY, OVERFLOW]

RETRIED = [
    ("5xx", {500, 502, 503, 504, 599, CONNECT, RESET, PER_TRY}),
    ("gateway-error", {502, 503, 504, CONNECT, RESET, PER_TRY}),
    ("reset", {CONNECT, RESET, PER_TRY}),
    ("connect-failure", {CONNECT}),
    ("refused-stream", set()),
    ("retriable-4xx", {409}),
    ("retriable-status-codes", set()),
    ("retriable-headers", set()),
    ("504", {504}),
    ("429,503", {429, 503}),
    ("connect-failure,429", {CONNECT, 429}),
    ("unavailable", set()),
]


@pytest.mark.parametrize(("words", "retried"), RETRIED)
def test_words(words: str, retried: set[int | Failure]) -> None:
    retry_on = compile_retry_on(words)
    assert {outcome for outcome in OUTCOMES if retry_on(outcome, [], True)} == retried


def test_reset_before_request_only_before_anything_was_sent() -> None:
    retry_on = compile_retry_on("reset-before-request")
    assert [retry_on(outcome, [], False) for outcome in (CONNECT, RESET, OVERFLOW, 503)] == [True, True, False, False]
    assert not retry_on(RESET, [], True)


GRPC = [("cancelled", 1), ("deadline-exceeded", 4), ("resource-exhausted", 8), ("internal", 13), ("unavailable", 14)]


@pytest.mark.parametrize(("word", "code"), GRPC)
def test_grpc_words_look_at_the_status_header(word: str, code: int) -> None:
    retry_on = compile_retry_on(word)
    retried = [status for status in range(17) if retry_on(200, [(b"grpc-status", b"%d" % status)], True)]
    assert retried == [code]


def test_a_ratelimited_answer_is_only_for_its_own_word() -> None:
    limited = [(b"x-envoy-ratelimited", b"true")]
    assert not compile_retry_on("5xx,429")(429, limited, True)
    assert compile_retry_on("envoy-ratelimited")(200, limited, True)
    assert not compile_retry_on("envoy-ratelimited")(429, [], True)


def test_by_default_neither_503_nor_a_reset_is_retried() -> None:
    assert compile_retry(None) is DEFAULT_POLICY
    assert DEFAULT_POLICY.attempts == 2
    retried = {outcome for outcome in OUTCOMES if DEFAULT_POLICY.retry_on(outcome, [], True)}
    assert retried == {CONNECT}
    assert DEFAULT_POLICY.retry_on(200, [(b"grpc-status", b"14")], True)


def test_policies() -> None:
    assert compile_retry(HTTPRetry(attempts=0)) is None
    assert compile_retry(HTTPRetry(attempts=-1)) is None
    policy = compile_retry(
        HTTPRetry.model_validate(
            {"attempts": 3, "perTryTimeout": "2s", "retryOn": "5xx", "backoff": "1s", "retryIgnorePreviousHosts": False}
        )
    )
    assert policy is not None
    assert (policy.attempts, policy.per_try_timeout, policy.backoff_base) == (3, 2.0, 1.0)
    assert policy.avoid_previous_hosts is False
    plain = compile_retry(HTTPRetry(attempts=5))
    assert plain is not None
    assert (plain.attempts, plain.description) == (5, DEFAULT_POLICY.description)


@pytest.mark.parametrize(("retry", "bound"), [(1, 0.025), (2, 0.05), (4, 0.2), (5, 0.25), (20, 0.25)])
def test_back_off_doubles_up_to_ten_times_the_base(retry: int, bound: float) -> None:
    assert DEFAULT_POLICY.backoff(retry, 0.0) == 0.0
    assert DEFAULT_POLICY.backoff(retry, 0.5) == pytest.approx(bound / 2)
