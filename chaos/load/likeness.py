"""Whether responses that a policy is to change have another body than usual.

Only the client can say so. It compares each with those of the same task that no policy has changed: if these are all
alike, a change shows; if they are not, or if none has come, nobody can tell."""

from __future__ import annotations

from zlib import crc32

from chaos.load.tags import Tags
from chaos.policies.fault import ALIKE, UNSURE

MOST = 1 << 20
"""Bytes of a body that are compared; of a longer one nobody can tell."""


class Likeness:
    """The usual body of one task's responses, as far as it is known."""

    __slots__ = ("_usual", "_varies")

    def __init__(self) -> None:
        self._usual: tuple[int, int, int] | None = None  # status, length, checksum
        self._varies = False

    def told(self, tags: Tags, status: int, body: bytes, size: int) -> Tags:
        """Return the tags, with a mark on the policy's if the response is as usual, or if nobody can tell."""
        here = (status, size, crc32(body))
        if not tags.policy:
            if not tags.fault and 200 <= status < 300:
                self._varies = self._varies or size > MOST or self._usual not in (None, here)
                self._usual = here
            return tags
        if self._usual is None or self._varies or status != self._usual[0]:
            return tags._replace(policy=tags.policy + UNSURE)
        return tags._replace(policy=tags.policy + ALIKE) if here == self._usual else tags
