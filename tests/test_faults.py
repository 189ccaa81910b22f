"""The table of fault kinds: its names, and what is made of it."""

from __future__ import annotations

from itertools import permutations

import pytest

from chaos.faults import TAGS, FaultKind, count_of, happened, joined, tag_of
from chaos.mesh.model.virtual_service import HTTPFaultInjection
from chaos.protocol.digest import UNCLEAR, Key
from chaos.report.data import frames
from chaos.report.figures.distribution import COLOURS


def test_a_kind_is_its_name_in_documents_and_tags():
    assert [str(kind) for kind in FaultKind][:2] == ["delay", "abort"]
    assert FaultKind("delay") is FaultKind.DELAY
    assert FaultKind.DELAY in "delay,abort"


def test_no_name_is_part_of_another():
    """Whether a tag names a kind is asked of the whole text."""
    assert not any(one in other for one, other in permutations([*FaultKind, UNCLEAR], 2))


def test_a_tag_names_what_one_request_met_in_the_order_of_the_table():
    assert tag_of([]) == ""
    assert tag_of([FaultKind.ABORT, FaultKind.DELAY]) == "delay,abort"
    assert {"delay", "abort", "delay,abort"} <= set(TAGS)


def test_a_tag_grows_with_each_kind_that_a_request_meets():
    late, refused = joined(FaultKind.DELAY), joined(FaultKind.ABORT)
    assert (late[""], refused[""], refused[late[""]]) == ("delay", "abort", "delay,abort")
    assert refused["delay,abort"] == "delay,abort"


def test_a_kind_is_counted_alone_and_with_others():
    counts = {"delay": 9, "delay,abort": 3, "abort": 5, "": 100}
    assert [count_of(fault, counts) for fault in ("delay", "abort", "delay,abort", "melt")] == [12, 8, 3, 0]


def test_what_happened_is_one_word_a_kind():
    assert happened("abort") == "aborted"
    assert happened("delay,abort") == "delayed, then aborted"
    assert len({kind.happened for kind in FaultKind}) == len(FaultKind)


@pytest.mark.parametrize("kind", FaultKind)
def test_istio_s_fault_has_a_field_for_each_kind(kind: FaultKind):
    part = HTTPFaultInjection.model_validate({kind: {"percentage": {"value": 50.0}}})
    [(given, written)] = part.given()
    assert given is kind and written.percentage is not None and written.percentage.value == 50.0


@pytest.mark.parametrize("tag", TAGS)
def test_figures_have_a_group_and_a_colour_for_each_combination(tag: str):
    group = frames.group(Key("", "", "r", "", 200, tag))
    assert group == happened(tag) and group in frames.GROUPS and group in COLOURS


def test_every_group_has_a_colour_and_a_fault_that_nobody_knows_has_a_group():
    assert set(COLOURS) == set(frames.GROUPS)
    assert frames.group(Key("", "", "r", "", 200, "melt")) == frames.UNKNOWN
