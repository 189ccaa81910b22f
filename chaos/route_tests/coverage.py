"""Which match entries of which rules the tests reach.

Each HTTP rule of a VirtualService counts once for each of its match entries, or once if it has none; a rule that
delegates counts once, beside its delegate's. TLS and TCP rules do not count, and neither do routes of services without
a VirtualService."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from chaos.errors import Location
from chaos.mesh.model.resources import Resource, Resources
from chaos.mesh.model.virtual_service import HTTPRoute, VirtualService
from chaos.mesh.resolve.delegate import shown_name
from chaos.route_tests.answer import Subject
from chaos.route_tests.judge import Outcome


@dataclass(frozen=True, slots=True)
class Unreached:
    """A match entry that no test reaches. `reason` says why no request of the proxies under test can, if so."""

    rule: str
    entry: int | None
    location: Location
    reason: str = ""

    def __str__(self) -> str:
        entry = "" if self.entry is None else f" match[{self.entry}]"
        return f"{self.location}: not reached: {self.rule}{entry}{f' ({self.reason})' if self.reason else ''}"


@dataclass(frozen=True, slots=True)
class Coverage:
    """`total` match entries, of which `unreached` are left."""

    total: int
    unreached: tuple[Unreached, ...]

    @property
    def reached(self) -> int:
        return self.total - len(self.unreached)

    @property
    def percent(self) -> float:
        """The share that is reached in percent; 100 if there is nothing to reach."""
        return 100 * self.reached / self.total if self.total else 100.0


def coverage(resources: Iterable[Resources], outcomes: Iterable[Outcome], subjects: Iterable[Subject]) -> Coverage:
    """Return the coverage of all files together; a rule that is in several sets is reached by the tests of any."""
    reached = {mark for outcome in outcomes for mark in _marks(outcome)}
    reasons = {place: reason for subject in subjects for place, reason in _reasons(subject)}
    items = {item.location: (item, key) for each in resources for item, key in _items(each)}
    left = tuple(
        replace(item, reason=reasons.get(item.location) or reasons.get(key, ""))
        for item, key in items.values()
        if item.location not in reached and key not in reached
    )
    return Coverage(len(items), left)


def _marks(outcome: Outcome) -> Iterator[Location | str | None]:
    """Yield the places of the entry and the rule that took the request, and the key of the root's rule."""
    taken, rule = outcome.taken, outcome.answer.rule
    if taken is None or rule is None:
        return
    if taken.entry is not None and rule.entries:
        yield rule.entries[taken.entry]
    yield rule.rule.location
    yield "/".join(rule.rule.key.split("/")[:4])


def _items(resources: Resources) -> Iterator[tuple[Unreached, str]]:
    """Yield everything that can be reached, with the key of a rule that delegates, and the place of any other."""
    for owner in resources.virtual_services:
        for index, route in enumerate(owner.spec.http):
            name = shown_name(route.name) or f"{owner.name}[{index}]"
            if route.delegate is not None:
                key = f"virtualservice/{owner.namespace}/{owner.name}/{index}"
                yield Unreached(name, None, owner.locate(("spec", "http", index))), key
            else:
                place = owner.locate(("spec", "http", index))
                yield from ((item, f"rule at {place}") for item in _entries(owner, index, route, name))


def _entries(owner: Resource[VirtualService], index: int, route: HTTPRoute, name: str) -> Iterator[Unreached]:
    if not route.match:
        yield Unreached(name, None, owner.locate(("spec", "http", index)))
    for entry in range(len(route.match)):
        yield Unreached(name, entry, owner.locate(("spec", "http", index, "match", entry)))


def _reasons(subject: Subject) -> Iterator[tuple[Location | str | None, str]]:
    """Yield the places of entries that can take no request of this proxy, or those of whole rules of delegates, with
    the reason."""
    for left in subject.rules.left_out:
        yield left.location, left.reason
    for problem in subject.rules.problems:
        if problem.code == "delegate":
            yield f"rule at {problem.location}", problem.message
