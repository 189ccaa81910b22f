"""Messages between a load and its workers are signed: nothing is taken that was not sent by the other side, to this
side, in this run, once."""

from __future__ import annotations

import pytest

from chaos.load.signing import (
    NONCE,
    REFUSED,
    Incoming,
    Outgoing,
    Pairing,
    Unsigned,
    greeted,
    greeting,
    welcomed,
)

TOKEN, IDENTITY, ONE, OTHER = b"0123456789abcdef", b"worker", b"1" * NONCE, b"2" * NONCE


def pairing(token: bytes = TOKEN, identity: bytes = IDENTITY, theirs: bytes = ONE, ours: bytes = OTHER) -> Pairing:
    return Pairing(token, identity, theirs, ours)


def test_both_sides_agree_and_their_messages_are_taken() -> None:
    load = greeted(TOKEN, IDENTITY, greeting(TOKEN, IDENTITY, ONE))
    assert load is not None
    worker = welcomed(TOKEN, IDENTITY, ONE, load.reply)
    assert worker is not None
    for here, there in ((load.up, worker.up), (load.down, worker.down)):
        sender, receiver = Outgoing(here), Incoming(there)
        assert [receiver.check(sender.sign(body)) for body in (b"one", b"two")] == [b"one", b"two"]


def test_a_token_is_not_taken_for_another() -> None:
    assert greeted(b"another token!!!", IDENTITY, greeting(TOKEN, IDENTITY, ONE)) is None
    assert greeted(b"", IDENTITY, greeting(TOKEN, IDENTITY, ONE)) is None
    assert welcomed(TOKEN, IDENTITY, ONE, pairing(b"another token!!!").reply) is None
    assert welcomed(TOKEN, IDENTITY, ONE, [REFUSED]) is None


@pytest.mark.parametrize(
    "other",
    [
        {"token": b"another token!!!"},
        {"identity": b"another worker"},
        {"theirs": b"3" * NONCE},
        {"ours": b"3" * NONCE},
    ],
    ids=str,
)
def test_a_message_of_another_run_or_worker_is_not_taken(other: dict[str, bytes]) -> None:
    with pytest.raises(Unsigned, match="wrongly signed"):
        Incoming(pairing().up).check(Outgoing(pairing(**other).up).sign(b"spawn"))


def test_a_welcome_to_another_greeting_is_not_taken() -> None:
    """It was sent to a worker of an earlier run, or to another one of this."""
    assert welcomed(TOKEN, IDENTITY, ONE, pairing(theirs=b"3" * NONCE).reply) is None
    assert welcomed(TOKEN, IDENTITY, ONE, pairing(identity=b"another").reply) is None


def test_what_one_side_has_sent_is_not_taken_by_the_same_side() -> None:
    with pytest.raises(Unsigned, match="wrongly signed"):
        Incoming(pairing().down).check(Outgoing(pairing().up).sign(b"spawn"))


def test_a_message_is_taken_once_and_never_after_a_later_one() -> None:
    sender, receiver = Outgoing(pairing().up), Incoming(pairing().up)
    first, second, third = (sender.sign(body) for body in (b"1", b"2", b"3"))
    receiver.check(first)
    receiver.check(third)  # one was lost
    for old in (first, second, third):
        with pytest.raises(Unsigned, match="repeated"):
            receiver.check(old)
    assert receiver.check(sender.sign(b"4")) == b"4"


@pytest.mark.parametrize("frame", range(4))
def test_a_changed_message_is_not_taken(frame: int) -> None:
    frames = Outgoing(pairing().up).sign(b"body")
    frames[frame] = bytes([frames[frame][0] ^ 1]) + frames[frame][1:]
    with pytest.raises(Unsigned):
        Incoming(pairing().up).check(frames)


@pytest.mark.parametrize("frames", [[], [b""], [b"\x93\xa4ready"], [b"a", b"b", b"c", b"d"]], ids=repr)
def test_what_is_not_signed_is_not_taken(frames: list[bytes]) -> None:
    """Such as a message of Locust's own worker, one frame of MessagePack."""
    with pytest.raises(Unsigned, match="unsigned"):
        Incoming(pairing().up).check(frames)
    with pytest.raises(Unsigned):
        greeted(TOKEN, IDENTITY, frames)
    with pytest.raises(Unsigned):
        welcomed(TOKEN, IDENTITY, ONE, frames)
