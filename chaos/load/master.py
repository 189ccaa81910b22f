"""Locust's master, which leaves users where they are.

Locust itself takes a worker that has been silent for three seconds out of its calculation, gives its users to others a
minute later, and back when it is heard again. Each of our workers has its own share of the request numbers, so other
workers' users do not make up for those of a lost one; and what a run is about must not change while it lasts."""

from __future__ import annotations

import logging
from collections.abc import Callable

from locust.env import Environment
from locust.rpc import Message
from locust.runners import MasterRunner

from chaos.load.channel import Server, use
from chaos.protocol.load_workers import JOIN


class Master(MasterRunner):
    """`admits` says whether a worker, by its identity, has joined."""

    server: Server  # type: ignore[assignment]
    admits: Callable[[str], bool]

    def heartbeat_worker(self) -> None:  # type: ignore[override]
        """Return: nobody goes missing for Locust (chaos/load/distributed.py looks after that)."""

    def rebalancing_enabled(self) -> bool:
        return False

    def handle_message(self, client_id: str, msg: Message) -> None:
        """Handle a message, but for those that would change other workers' users, and those of strangers, who may only
        ask to join."""
        if msg.type == "quit" or (msg.type != JOIN and not self.admits(client_id)):
            return
        if msg.type == "client_ready" and client_id in self.clients:
            self.send_message("ack", {"index": self.worker_indexes[client_id]}, client_id)
            return
        try:
            super().handle_message(client_id, msg)
        except (AttributeError, KeyError, TypeError, ValueError):  # whoever sent it, the others are heard
            logging.getLogger(__name__).exception("a load worker's message %s cannot be read", msg.type)


def master_of(environment: Environment, server: Server, admits: Callable[[str], bool]) -> Master:
    """Return the master of an environment, on our end of the channel."""
    use(server=server)
    runner = environment._create_runner(Master, "", server.port)
    runner.admits = admits
    return runner
