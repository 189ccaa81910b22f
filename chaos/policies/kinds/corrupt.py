"""The fault *corrupt*: some bytes of a response's body are changed on the way. Head and length stay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator

from chaos.formatting import plural
from chaos.policies.dice import Dice
from chaos.policies.fault import Fault, Happening, Seen, is_changed
from chaos.policies.steps import Headers, Stage, Step, announced_length
from chaos.policies.values import Count

MOST = 1024  # places that are drawn for one response


def _few(count: int) -> int:
    if count > MOST:
        raise ValueError(f"{count} bytes are more than {MOST}, the most that are changed in one body")
    return count


class Corrupt(Fault):
    """Change bytes of the body."""

    bytes: Annotated[Count, AfterValidator(_few)]
    """How many, at most 1024, at places drawn anew for each response; each becomes another byte. Of a body in chunks,
    whose length nobody knows beforehand, it is the first ones. A shorter body has all of its bytes changed."""

    kind = "corrupt"
    happened = "corrupted"

    @property
    def changes(self) -> bool:
        return True

    def shows(self, seen: Seen, name: str) -> bool | None:
        """Return whether a client got another body than usual."""
        return is_changed(seen.policy, name)

    @property
    def sentence(self) -> str:
        return f"get {plural(self.bytes, 'byte')} of the body changed"

    def happen(self, dice: Dice) -> Happening:
        """Return the stage that changes the bytes."""
        return Happening(stage=Corrupting(self.bytes, dice))


class Corrupting(Stage):
    """Changes `count` bytes at places that the dice choose."""

    def __init__(self, count: int, dice: Dice):
        self._count, self._dice = count, dice
        self._places: list[int] = []  # the next one last
        self._passed = 0

    def head(self, status: int, headers: Headers) -> Headers:
        """Return the headers as they are, and choose the places."""
        length = announced_length(headers)
        places = range(self._count) if length is None else drawn_places(self._count, length, self._dice)
        self._places = sorted(places, reverse=True)
        return headers

    def body(self, data: bytes) -> Iterator[Step]:
        end = self._passed + len(data)
        if self._places and self._places[-1] < end:
            changed = bytearray(data)
            while self._places and self._places[-1] < end:
                place = self._places.pop()
                changed[place - self._passed] ^= 1 + int(self._dice(f"byte {place}") * 255)  # 1..255: never the same
            data = bytes(changed)
        self._passed = end
        yield data


def drawn_places(count: int, length: int, dice: Dice) -> set[int]:
    """Return `count` of the numbers 0 .. length - 1, each subset as likely as another (Floyd's algorithm); all of them
    if there are no more."""
    chosen: set[int] = set()
    for last in range(max(0, length - count), length):
        drawn = int(dice(f"place {last}") * (last + 1))
        chosen.add(last if drawn in chosen else drawn)
    return chosen
