"""Who may join a load as a worker, what each is told, and what is not taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gevent
import pytest
from support.joining import TOKEN, Peer, Waiting

from chaos.load.signing import NONCE, greeting
from chaos.load.versions import versions


def test_workers_join_in_their_order_and_get_the_plan_without_the_token() -> None:
    with Waiting(seed=5) as load:
        peers = [Peer(load.port), Peer(load.port)]
        told = [peer.join() for peer in peers]
        assert [(each.type, each.data["number"], each.data["count"]) for each in told] == [
            ("chaos_plan", 0, 2),
            ("chaos_plan", 1, 2),
        ]
        plan = json.loads(told[1].data["plan"])
        assert (plan["seed"], plan["processes"], plan["joining"]) == (5, 2, None)
        assert TOKEN not in str(told[1].data)
        for peer in peers:
            peer.ready()
        assert load.outcome() == ""
        assert "2 load workers: 2 on web-1 at 127.0.0.1" in load.said
        assert [worker.host for worker in load.load.roster.workers.values()] == ["web-1 at 127.0.0.1"] * 2


def test_one_too_many_is_refused() -> None:
    with Waiting(workers=1) as load:
        first, second = Peer(load.port), Peer(load.port)
        first.join()
        answer = second.join()
        assert (answer.type, answer.data["reason"]) == ("chaos_refused", "the load has its 1 load worker already")
        assert load.until("already") == "worker at 127.0.0.1: the load has its 1 load worker already"


@pytest.mark.parametrize("name", list(versions()))
def test_another_version_is_refused_by_name_on_both_sides(name: str) -> None:
    ours = versions()[name]
    with Waiting() as load:
        answer = Peer(load.port).join(**{name: "2.40"})
        assert answer.type == "chaos_refused"
        assert answer.data["reason"] == f"the load at {{}} has {name} {ours}, this is 2.40"
        assert load.until(name) == f"worker at 127.0.0.1 has {name} 2.40, this is {ours}"


@pytest.mark.parametrize("token", ["", "another token of 30 characters"])
def test_without_the_token_nobody_gets_anything(token: str) -> None:
    with Waiting() as load:
        stranger = Peer(load.port, token)
        assert not stranger.greeted
        assert load.until("another token") == (
            "somebody at 127.0.0.1 who wanted to join has another token, or none; still waiting"
        )
        assert Peer(load.port).join().type == "chaos_plan"


def test_what_is_not_signed_is_dropped_counted_and_told_once() -> None:
    with Waiting() as load:
        server, peer = load.load.runner.server, Peer(load.port)
        for _ in range(3):
            peer.socket.send_multipart([b"\x93\xacclient_ready\xa62.43.0\xa1w"])
        assert peer.join().type == "chaos_plan"  # its messages are taken all the same
        assert server.dropped == {"unsigned": 3}
        peer.socket.send_multipart([b"chaos-1", (99).to_bytes(8, "big"), b"body", b"0" * 32])
        assert load.until("wrongly signed") == (
            "a wrongly signed message came from 127.0.0.1 and was dropped; others are dropped and counted"
        )
        assert len([said for said in load.said if "dropped" in said]) == 2


def test_what_was_sent_before_is_dropped() -> None:
    """Somebody who has listened sends it once more: in this run, or in the next one with the same token."""
    with Waiting() as load:
        peer = Peer(load.port)
        outgoing: Any = peer.client._outgoing
        frames = outgoing.sign(b"\x93\xaachaos_none\xc0\xa1w")
        peer.socket.send_multipart(frames)
        peer.join()
        peer.socket.send_multipart(frames)
        load.until("sent before")
        assert load.load.runner.server.dropped == {"repeated": 1}
    with Waiting() as again:
        other = Peer(again.port)
        other.socket.send_multipart(frames)
        again.until("wrongly signed")
        assert other.join().type == "chaos_plan"


def test_a_greeting_that_is_sent_again_gives_nobody_a_share() -> None:
    with Waiting(wait=0.3) as load:
        peer = Peer(load.port)
        peer.join()
        peer.socket.send_multipart(greeting(TOKEN.encode(), peer.client.identity.encode(), b"x" * NONCE))
        load.until("sent before")
        assert load.outcome() == "0 of 2 load workers joined within 0.3 s: 1 on web-1 at 127.0.0.1"


def test_who_did_not_come_in_time_is_said() -> None:
    with Waiting(wait=0.2) as load:
        assert load.outcome() == f"0 of 2 load workers joined within 0.2 s (at 127.0.0.1:{load.port})"
    with Waiting(wait=0.5) as load:
        first, second = Peer(load.port), Peer(load.port)
        first.join()
        first.ready()
        second.join()
        second.send("chaos_refuses", {"reason": "cannot reach the gateway at http://127.0.0.1:1: Connection refused"})
        assert load.outcome() == (
            "1 of 2 load workers joined within 0.5 s: 1 on web-1 at 127.0.0.1; worker at 127.0.0.1 cannot take part: "
            "cannot reach the gateway at http://127.0.0.1:1: Connection refused"
        )
        assert first.hear().type == "chaos_over"


def test_the_share_of_one_that_leaves_before_the_beginning_goes_to_the_next() -> None:
    with Waiting() as load:
        first, second = Peer(load.port), Peer(load.port)
        assert [first.join().data["number"], second.join().data["number"]] == [0, 1]
        first.send("chaos_leave")
        assert load.until("has left") == "load worker 1 (web-1 at 127.0.0.1) has left before the load began"
        assert Peer(load.port).join().data["number"] == 0


def test_a_locustfile_goes_only_to_those_who_run_code(tmp_path: Path) -> None:
    file = tmp_path / "load.py"
    file.write_text("from locust import FastHttpUser, task\nclass U(FastHttpUser):\n  @task\n  def t(self): pass\n")
    with Waiting(tasks=[], locustfile=str(file)) as load:
        refused = Peer(load.port).join()
        assert (refused.type, refused.data["code"]) == ("chaos_refused", 2)
        said = "worker at 127.0.0.1 takes no code: the locustfile needs --allow-code there"
        assert load.until("takes no code") == said
        sent = Peer(load.port).join(code=True)
        assert sent.type == "chaos_plan"
        assert json.loads(sent.data["plan"])["locustfile"] == "load.py"
        assert sent.data["code"] and len(sent.data["sha256"]) == 64


def test_a_worker_knows_when_its_connection_is_closed() -> None:
    """By the load's end; a cable that is cut closes none."""
    with Waiting() as load:
        peer = Peer(load.port)
        assert (peer.client.connected, peer.client.broken) == (True, False)
        load.load.runner.greenlet.kill(block=True)
        load.load.runner.server.socket.close(linger=0)
        with gevent.Timeout(10.0):
            while not peer.client.broken:
                gevent.sleep(0.005)


def test_a_message_that_nobody_understands_does_not_end_the_others() -> None:
    with Waiting() as load:
        peers = [Peer(load.port), Peer(load.port)]
        for peer in peers:
            peer.join()
        for kind in ("heartbeat", "stats", "spawning_complete", "chaos_refuses", "exception"):
            peers[0].send(kind, "not what it has to be")
        for peer in peers:
            peer.ready()
        assert load.until("2 load workers:")


def test_a_worker_cannot_speak_for_another() -> None:
    with Waiting() as load:
        first, second = Peer(load.port), Peer(load.port)
        first.join()
        second.send("client_ready", "2.43.0")  # has not joined
        second.client.send(_as(first.client.identity))
        second.join()
        first.ready()
        second.ready()
        assert load.outcome() == ""


def _as(identity: str) -> Any:
    from locust.rpc import Message

    return Message("chaos_leave", None, identity)


def test_a_worker_that_is_lost_changes_nothing_for_the_others() -> None:
    """Locust would take it out after three seconds of silence, and give its users to others a minute later."""
    with Waiting() as load:
        peers = [Peer(load.port), Peer(load.port)]
        for peer in peers:
            peer.join()
            peer.ready()
        assert load.outcome() == ""
        gevent.spawn(load.load.start, 4, 1000.0)
        spawned = [_users(peer) for peer in peers]
        assert spawned == [2, 2]
        peers[0].send("quit")
        gevent.sleep(0.1)
        assert len(load.load.runner.clients) == 2


def _users(peer: Peer) -> int:
    with gevent.Timeout(5.0):
        while True:
            message = peer.client.recv()
            if message.type == "spawn":
                return sum(message.data["user_classes_count"].values())
