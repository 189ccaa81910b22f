"""A digest's size depends on how many kinds of outcome there were, and digests merge in any order."""

from __future__ import annotations

import json
from itertools import pairwise

from hypothesis import given
from hypothesis.strategies import builds, integers, lists, none, one_of, sampled_from, tuples

from chaos.protocol.digest import Digest, Key

KEYS = builds(
    Key,
    phase=sampled_from(["", "fault"]),
    task=sampled_from(["home", "cart"]),
    route=sampled_from(["", "reviews[0]"]),
    destination=sampled_from(["", "v1:80/v1"]),
    status=sampled_from([0, 200, 503]),
    fault=sampled_from(["", "delay", "abort", "delay,abort"]),
    attempts=sampled_from([1, 3]),
    error=sampled_from(["", "reset"]),
)
REQUESTS = lists(tuples(KEYS, integers(0, 10**9), one_of(none(), integers(0, 10**9))), max_size=30)


def digest_of(requests: list[tuple[Key, int, int | None]]) -> Digest:
    made = Digest()
    for key, latency, due in requests:
        made.add(key, latency, due)
    for (before, _, _), (after, _, _) in pairwise(requests):
        made.add_pairs(before, after)
    return made


@given(requests=REQUESTS)
def test_a_digest_survives_the_journal(requests: list[tuple[Key, int, int | None]]) -> None:
    made = digest_of(requests)
    text = json.dumps([made.entries(), made.pair_entries(), made.pending_entries(), made.parts.record()])
    assert Digest.of(*json.loads(text)) == made
    assert made.count == len(requests)
    assert made.errors == sum(1 for key, _, _ in requests if key.error)


@given(a=REQUESTS, b=REQUESTS)
def test_merging_is_the_digest_of_everything(a: list, b: list) -> None:
    both, other = digest_of(a), digest_of(b)
    both.merge(other)
    reverse = digest_of(b)
    reverse.merge(digest_of(a))
    assert both == reverse
    assert both.count == len(a) + len(b)
    assert both.tallies == digest_of(a + b).tallies


@given(requests=REQUESTS)
def test_merging_leaves_the_other_digest_alone(requests: list) -> None:
    other, kept = digest_of(requests), digest_of(requests)
    into = Digest()
    into.merge(other)
    into.merge(other)
    assert other == kept


def test_pairs_count_neighbours_of_one_phase_task_and_route() -> None:
    """[clean-clean, clean-faulted, faulted-clean, faulted-faulted], for delays and for aborts."""
    clean = Key("", "home", "r", "d", 200)
    aborted = Key("", "home", "r", "", 503, "abort")
    both = Key("", "home", "r", "", 503, "delay,abort")
    elsewhere = Key("", "cart", "r", "", 503, "abort")
    made = Digest()
    for before, after in [(clean, clean), (clean, aborted), (aborted, both), (both, clean), (clean, elsewhere)]:
        made.add_pairs(before, after)
    assert ["", "home", "r", "abort", [1, 1, 1, 1]] in made.pair_entries()
    assert ["", "home", "r", "delay", [2, 1, 1, 0]] in made.pair_entries()
    assert {(task, route) for _, task, route, *_ in made.pair_entries()} == {("home", "r")}


def test_entries_are_small_and_have_an_error_only_when_there_was_one() -> None:
    made = Digest()
    for latency in range(1, 200_000, 7):
        made.add(Key("", "home", "", "", 200), latency)
    made.add(Key("", "home", "", "", 0, error="refused"), 90)
    failed, answered = made.entries()
    assert failed["error"] == "refused"
    assert "error" not in answered
    assert answered["count"] == len(range(1, 200_000, 7))
    assert len(json.dumps(answered)) < 12_000
