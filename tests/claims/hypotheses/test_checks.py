"""`checks_failed` and `checks_succeeded` are shares of the responses of which a task expects something."""

from __future__ import annotations

from chaos.claims.checks import told_of_checks
from chaos.claims.hypotheses.expression import parse_expression
from chaos.claims.hypotheses.observed_values import latencies_of, share_of
from chaos.claims.observations import Observed
from chaos.protocol.digest import Digest, Key, entry_of, key_of


def observed() -> Observed:
    digest = Digest()
    for task, status, check, count in (
        ("order", 200, "passed", 90),
        ("order", 200, "json", 6),
        ("order", 503, "status", 3),
        ("order", 0, "response", 1),
        ("cart", 200, "passed", 50),
        ("plain", 503, "", 1000),
    ):
        key = Key("", task, "r", "web:80", status, error="" if status else "reset", check=check)
        for _ in range(count):
            digest.add(key, 1000)
    found = Observed()
    found.add(digest)
    return found


def counts(text: str) -> tuple[int, int]:
    found = share_of(parse_expression(f"{text} < 1%").left, observed())
    return found.k, found.n


def test_only_requests_that_are_checked_count() -> None:
    assert counts("checks_failed") == (10, 150)
    assert counts("checks_succeeded") == (140, 150)
    assert counts("order.checks_failed") == (10, 100)
    assert counts("plain.checks_failed") == (0, 0)
    assert counts("failures") == (1004, 1150)
    assert latencies_of(parse_expression("p50 < 1s").left, observed()).n == 1150


def test_the_parts_that_failed_are_told_by_task() -> None:
    assert list(told_of_checks(observed())) == [
        "order: 10 of 100 requests failed their checks (json 6, status 3, no response 1)"
    ]


def test_a_check_is_kept_in_the_journal() -> None:
    digest = Digest()
    digest.add(Key("", "order", "r", "web:80", 200, check="json"), 1000)
    ((key, tally),) = digest.items()
    entry = entry_of(key, tally)
    assert entry["check"] == "json" and key_of(entry) == key
    assert "check" not in entry_of(key._replace(check=""), tally)
