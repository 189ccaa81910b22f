"""A finding survives the journal."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from chaos.claims.finding import Finding, Tally
from chaos.verify.verdict import Verdict

ABORT = Finding(
    id="virtualservice/default/webserver/0#abort",
    kind="abort",
    title="abort 400",
    verdict=Verdict.VERIFIED,
    rule="virtualservice/default/webserver/0",
    where="abort50.yaml:9:5",
    configured=0.5,
    tolerance=0.02,
    drawn=Tally(7010, 14000),
    observed=Tally(7010, 14000),
    estimate=7010 / 14000,
    interval=(0.482, None),
    ledgers=("configured", "drawn", "observed"),
)


def test_a_finding_goes_through_json_unchanged() -> None:
    assert Finding.from_dict(json.loads(json.dumps(ABORT.to_dict()))) == ABORT


def test_keys_of_a_later_version_are_left_aside() -> None:
    assert Finding.from_dict(ABORT.to_dict() | {"colour": "green"}) == ABORT


def test_a_record_that_is_no_finding_is_refused() -> None:
    with pytest.raises(KeyError):
        Finding.from_dict({"id": "x"})
    with pytest.raises(ValueError, match="splendid"):
        Finding.from_dict(ABORT.to_dict() | {"verdict": "splendid"})


def test_a_tally_without_requests_has_no_share() -> None:
    assert Tally(0, 0).share is None and Tally(1, 4).share == 0.25


def test_an_end_at_infinity_is_an_open_end() -> None:
    """JSON has no infinity: the upper end of a quantile may lie beyond all that was seen."""
    record = replace(ABORT, interval=(0.482, float("inf"))).to_dict()
    assert Finding.from_dict(json.loads(json.dumps(record, allow_nan=False))) == ABORT
