"""The ids that a run's requests have, by its seed."""

from __future__ import annotations

from chaos.journal.identity import Identities


def first_ids(seed: int, count: int) -> list[str]:
    """The ids of the first `count` requests of a run."""
    identify = Identities(seed)
    return [identify(number)[0] for number in range(count)]
