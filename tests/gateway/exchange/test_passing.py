"""A response that passes the faults of policies, however it is split: what comes out is one with the right body."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import h11
from hypothesis import given, settings
from hypothesis import strategies as st

from chaos.gateway.exchange.passing import Passing
from chaos.gateway.exchange.wire import chunk
from chaos.mesh.headers.operations import Level
from chaos.policies.cutting import WINDOW, EndAfter, EndAtShare
from chaos.policies.kinds.corrupt import Corrupting, drawn_places
from chaos.policies.kinds.dribble import InPieces
from chaos.policies.kinds.patch import Patching
from chaos.policies.steps import End, Pause, Stage, Step


class Whole(Stage):
    """Holds a body back until it is complete, with a pause, and sends it byte by byte, some of them nothing."""

    def __init__(self) -> None:
        self._held = b""

    def before(self) -> Iterator[Step]:
        yield Pause(1.0)

    def body(self, data: bytes) -> Iterator[Step]:
        self._held += data
        yield b""

    def after(self) -> Iterator[Step]:
        for byte in self._held:
            yield Pause(0.1)
            yield bytes([byte])


@dataclass(frozen=True)
class Sent:
    """A response as its upstream meant it. `pieces` are its chunks if it has no length."""

    status: int
    method: str
    pieces: tuple[bytes, ...]
    has_length: bool

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def bodiless(self) -> bool:
        return self.method == "HEAD" or self.status in (204, 304)

    @property
    def data(self) -> bytes:
        length = b"content-length: %d\r\n" % len(self.body) if self.status != 204 else b""
        framing = length if self.has_length else b"transfer-encoding: chunked\r\n"
        head = b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 %d OK\r\n" % self.status + framing + b"\r\n"
        if self.bodiless:
            return head
        return head + (self.body if self.has_length else b"".join(map(chunk, self.pieces)) + b"0\r\n\r\n")


@dataclass
class Came:
    """What the client has of it. `end` is None for a response that came whole."""

    status: int
    body: bytes
    end: End | None
    pauses: int = 0


def dice(purpose: str) -> float:
    return (hash_of(purpose) % 9973) / 9973


def hash_of(text: str) -> int:
    return sum((place + 7) * 131**3 * byte + place**5 for place, byte in enumerate(text.encode()))


def passed(sent: Sent, stages: list[Stage], cuts: list[int]) -> Came:
    """Pass it on in pieces, and read what comes out with another's parser."""
    passing = Passing(stages, b"x-chaos-policy: p\r\n", head_only=sent.method == "HEAD")
    reader = h11.Connection(h11.CLIENT)
    reader.send(h11.Request(method=sent.method, target="/", headers=[("host", "web")]))
    reader.send(h11.EndOfMessage())
    came = Came(0, b"", None)
    places = sorted(cut % (len(sent.data) + 1) for cut in cuts)
    for start, end in zip([0, *places], [*places, len(sent.data)], strict=True):
        for step in passing.take(sent.data[start:end]):
            if isinstance(step, bytes):
                reader.receive_data(step)
            elif isinstance(step, Pause):
                came.pauses += 1
            else:
                came.end = step
                break
        if came.end is not None:
            break
    complete = read(reader, came)
    assert complete is (came.end is None)
    assert came.end is not None or passing.complete
    return came


def read(reader: h11.Connection, came: Came) -> bool:
    """Note what has come; return whether it is a whole response and nothing else."""
    while (event := reader.next_event()) is not h11.NEED_DATA:
        if isinstance(event, h11.Response):
            came.status = event.status_code
            assert dict(event.headers)[b"x-chaos-policy"] == b"p"
        elif isinstance(event, h11.Data):
            came.body += event.data
        elif isinstance(event, h11.EndOfMessage):
            assert reader.trailing_data == (b"", False)
            return True
    return False


def sent_responses() -> st.SearchStrategy[Sent]:
    sizes = st.one_of(st.integers(1, 40), st.just(3000))
    pieces = st.lists(sizes.map(lambda size: bytes(place % 251 for place in range(size))), max_size=5).map(tuple)
    return st.builds(
        Sent, st.sampled_from([200, 206, 404, 204, 304]), st.sampled_from(["GET", "HEAD"]), pieces, st.booleans()
    )


CUTS = st.lists(st.integers(0, 20_000), max_size=12)


@settings(max_examples=40)
@given(sent_responses(), CUTS)
def test_without_stages_it_is_what_it_was(sent: Sent, cuts: list[int]):
    assert passed(sent, [], cuts) == Came(sent.status, b"" if sent.bodiless else sent.body, None)


@settings(max_examples=40)
@given(sent_responses(), CUTS, st.integers(0, 60), st.sampled_from(End))
def test_what_is_cut_is_a_beginning_and_never_the_whole(sent: Sent, cuts: list[int], count: int, end: End):
    came = passed(sent, [EndAfter(count, end)], cuts)
    if sent.bodiless or (sent.has_length and not sent.body):
        assert came == Came(0, b"", end)
    else:
        most = len(sent.body) - 1 if sent.has_length else len(sent.body)
        assert came == Came(sent.status, sent.body[: min(count, most)], end)


@settings(max_examples=40)
@given(sent_responses(), CUTS, st.integers(0, 99))
def test_a_share_is_one_of_the_body(sent: Sent, cuts: list[int], share: int):
    came = passed(sent, [EndAtShare(share, End.CLOSE)], cuts)
    assert len(sent.body) < WINDOW
    if not came.status:
        assert sent.bodiless or not sent.body
    else:
        assert came == Came(sent.status, sent.body[: len(sent.body) * share // 100], End.CLOSE)


@settings(max_examples=40)
@given(sent_responses(), CUTS, st.integers(1, 50))
def test_so_many_bytes_are_others_wherever_it_is_split(sent: Sent, cuts: list[int], count: int):
    came = passed(sent, [Corrupting(count, dice)], cuts)
    body = b"" if sent.bodiless else sent.body
    changed = {place for place, (old, new) in enumerate(zip(body, came.body, strict=True)) if old != new}
    assert came.end is None and len(changed) == min(count, len(body))
    if sent.has_length:
        assert changed == drawn_places(count, len(body), dice)
    else:
        assert changed == set(range(len(changed)))


@settings(max_examples=40)
@given(sent_responses(), CUTS, st.binary(max_size=30), st.lists(st.integers(0, 4), max_size=4), st.integers(0, 30))
def test_stages_one_after_another(sent: Sent, cuts: list[int], text: bytes, kinds: list[int], count: int):
    """Each gets what the one before it has made, whatever the order."""
    stages: list[Stage] = []
    body, end, length = (b"" if sent.bodiless else sent.body), None, sent.has_length
    for kind in kinds:
        if kind == 0:
            stages.append(Whole())
        elif kind == 1:
            stages.append(InPieces(3, 1.0))
        elif kind == 2:
            stages.append(Patching(Level(frozenset(), ((b"x-b", b"2"),), (), frozenset()), text))
            if sent.status not in (204, 304):
                length = True
                body = body if sent.bodiless else text
        elif kind == 3:
            stages.append(Corrupting(count or 1, lambda purpose: 0.0))
            places = drawn_places(count or 1, len(body), lambda purpose: 0.0) if length else range(count or 1)
            body = bytes(byte ^ (place in places) for place, byte in enumerate(body))
        else:
            stages.append(EndAfter(count, End.RESET))
            end = End.RESET
            break
    came = passed(sent, stages, cuts)
    assert came.end is end
    if end is None:
        assert (came.status, came.body) == (sent.status, body)
    elif came.status:
        assert came.body == body[: min(count, len(body) - 1 if length else len(body))]
    else:
        assert sent.bodiless or (length and not body)
