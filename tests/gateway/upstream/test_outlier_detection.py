"""When an endpoint is set aside, and for how long."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from chaos.gateway.upstream.outlier_detection import Detector
from chaos.mesh.decision import OutlierDetection


@dataclass
class Group:
    """Endpoints and a clock."""

    count: int
    settings: dict[str, Any] = field(default_factory=dict)
    time: float = 0.0

    def __post_init__(self) -> None:
        policy = OutlierDetection(
            **({"max_ejection_percent": 100, "interval": 1.0, "base_ejection_time": 3.0} | self.settings)
        )
        self.detectors: list[Detector] = []
        for _ in range(self.count):
            self.detectors.append(Detector(self.detectors, policy, lambda: self.time))

    def out(self) -> list[int]:
        return [index for index, detector in enumerate(self.detectors) if detector.ejected]


def _tell(detector: Detector, outcomes: str) -> None:
    """`5` a 500, `g` a 503, `x` no answer, `.` a success."""
    for outcome in outcomes:
        if outcome == "x":
            detector.failed()
        else:
            detector.answered({"5": 500, "g": 503, ".": 200}[outcome])


CASES = [
    ("55555", {}, True),
    ("5555", {}, False),
    ("5555.5555", {}, False),
    ("5g5g5", {}, True),
    ("xxxxx", {}, True),
    ("xx5gx", {}, True),
    ("555", {"consecutive_5xx": 3}, True),
    ("55555555", {"consecutive_5xx": 0}, False),
    ("ggg", {"consecutive_5xx": 0, "consecutive_gateway_errors": 3}, True),
    ("gg5g", {"consecutive_5xx": 0, "consecutive_gateway_errors": 3}, False),
    ("gxg", {"consecutive_5xx": 0, "consecutive_gateway_errors": 3}, True),
    ("xxxxxxxxx", {"split_external_local_origin_errors": True}, False),
    ("xx", {"split_external_local_origin_errors": True, "consecutive_local_origin_failures": 2}, True),
    ("x5x", {"split_external_local_origin_errors": True, "consecutive_local_origin_failures": 2}, False),
]


@pytest.mark.parametrize(("outcomes", "settings", "ejected"), CASES)
def test_consecutive_failures_eject(outcomes: str, settings: dict[str, Any], ejected: bool) -> None:
    group = Group(1, settings)
    _tell(group.detectors[0], outcomes)
    assert (group.out() == [0]) is ejected


@pytest.mark.parametrize(
    ("hosts", "percent", "most"), [(3, 34, 1), (3, 33, 0), (9, 10, 0), (10, 10, 1), (3, 100, 3), (4, 50, 2), (2, 0, 0)]
)
def test_only_a_share_may_be_out(hosts: int, percent: int, most: int) -> None:
    """Istio's default of 10 % ejects nobody in a service of fewer than ten endpoints."""
    group = Group(hosts, {"max_ejection_percent": percent})
    for detector in group.detectors:
        _tell(detector, "55555")
    assert len(group.out()) == most


def test_it_comes_back_after_its_time_on_a_beat_and_stays_out_longer_each_time() -> None:
    group = Group(1)
    (detector,) = group.detectors
    group.time = 0.4
    _tell(detector, "55555")
    group.time = 3.9
    assert group.out() == [0], "3 s from 0.4 are over at 3.4, looked at on the beat at 4"
    group.time = 4.0
    assert group.out() == []
    _tell(detector, "55555")
    group.time = 9.9
    assert group.out() == [0], "the second time lasts twice as long"
    group.time = 10.0
    assert group.out() == []


def test_a_long_healthy_time_is_forgiven() -> None:
    group = Group(1)
    (detector,) = group.detectors
    _tell(detector, "55555")
    group.time = 60.0
    _tell(detector, "55555")
    group.time = 63.0
    assert group.out() == []


def test_no_ejection_is_longer_than_the_longest() -> None:
    group = Group(1, {"base_ejection_time": 200.0})
    (detector,) = group.detectors
    for _ in range(2):
        _tell(detector, "55555")
        group.time += 200.0
    assert group.out() == [0], "2 x 200 s, but 300 s at most"
    group.time += 100.0
    assert group.out() == []
