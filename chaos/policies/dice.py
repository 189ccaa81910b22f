"""The numbers that a request's faults are drawn from."""

from __future__ import annotations

from collections.abc import Callable

Dice = Callable[[str], float]
"""Returns a number in [0, 1) for a purpose: the same for the same seed, policy, request and purpose."""
