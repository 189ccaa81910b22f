"""Passive health checks: set endpoints that keep failing aside for a while (Envoy's outlier detection as Istio
configures it).

There are no timers: an ejection knows when it ends. Envoy checks ejected hosts once per `interval`, so an ejection ends
on a multiple of it. State is per worker."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

from chaos.mesh.decision import OutlierDetection

MAX_EJECTION_SECONDS = 300.0
GATEWAY_ERRORS = frozenset((502, 503, 504))


class Watched(Protocol):
    @property
    def ejected(self) -> bool: ...


class Detector:
    """The record of one endpoint. `group` holds every endpoint of its cluster, because max_ejection_percent limits how
    many may be ejected at once."""

    def __init__(self, group: Sequence[Watched], policy: OutlierDetection, now: Callable[[], float]):
        self.group = group
        self.policy = policy
        self._now = now
        self._beat_zero = now()
        self._consecutive_5xx = 0
        self._consecutive_gateway = 0
        self._consecutive_local = 0
        self._ejections = 0  # the multiplier of the next ejection's length; falls by one per healthy interval
        self._until = 0.0

    @property
    def ejected(self) -> bool:
        return self._now() < self._until

    def answered(self, status: int) -> None:
        """Count a response with this status."""
        if self.policy.split_external_local_origin_errors:
            self._consecutive_local = 0
        if status < 500:
            self._consecutive_5xx = self._consecutive_gateway = 0
            return
        self._count_5xx(gateway=status in GATEWAY_ERRORS)

    def failed(self) -> None:
        """Count an attempt without a response: refused, reset, or timed out."""
        if self.policy.split_external_local_origin_errors:
            self._consecutive_local += 1
            if self._reached(self._consecutive_local, self.policy.consecutive_local_origin_failures):
                self._consecutive_local = 0
                self._eject()
        else:
            self._count_5xx(gateway=True)

    def _count_5xx(self, *, gateway: bool) -> None:
        self._consecutive_gateway = self._consecutive_gateway + 1 if gateway else 0
        self._consecutive_5xx += 1
        if self._reached(self._consecutive_gateway, self.policy.consecutive_gateway_errors):
            self._consecutive_gateway = 0
            self._eject()
        if self._reached(self._consecutive_5xx, self.policy.consecutive_5xx):
            self._consecutive_5xx = 0
            self._eject()

    @staticmethod
    def _reached(count: int, threshold: int) -> bool:
        return threshold > 0 and count >= threshold

    def _eject(self) -> None:
        """Eject the endpoint, unless too many of the group already are. Each further ejection lasts longer."""
        if self.ejected:
            return
        out = sum(watched.ejected for watched in self.group)
        if (out + 1) * 100 > self.policy.max_ejection_percent * len(self.group):
            return
        now, policy = self._now(), self.policy
        healthy_intervals = int((now - self._until) / policy.interval) if self._until else 0
        self._ejections = max(0, self._ejections - healthy_intervals) + 1
        longest = max(MAX_EJECTION_SECONDS, policy.base_ejection_time)
        ends = now + min(policy.base_ejection_time * self._ejections, longest)
        beats = math.ceil((ends - self._beat_zero) / policy.interval)
        self._until = self._beat_zero + beats * policy.interval
