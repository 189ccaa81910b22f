"""Hosts with a network of their own: network namespaces of one kernel, each joined to the first by a cable."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress

ENTER = ("--user", "--preserve-credentials", "--net")
LIMIT = 10.0


def why_not() -> str:
    """Why there can be no such hosts here; empty if there can."""
    for program in ("unshare", "nsenter", "ip"):
        if shutil.which(program) is None:
            return f"there is no {program}"
    made = subprocess.run(["unshare", "-Urn", "ip", "link"], capture_output=True, text=True, timeout=LIMIT, check=False)
    return "" if made.returncode == 0 else f"the kernel allows no network namespace: {made.stderr.strip()}"


class Hosts:
    """A first host and `others`, with the addresses 10.77.N.1 (of the first) and 10.77.N.2 at both ends of cable N."""

    def __init__(self, others: int = 2):
        self._holders = [self._hold(["unshare", "-Urn"])]
        for number in range(1, others + 1):
            self._holders.append(self._hold([*self.enter(0), "unshare", "--net"]))
            self._connect(number)

    def _hold(self, before: list[str]) -> subprocess.Popen[str]:
        """A process that keeps a namespace, which is there once it has said so."""
        holder = subprocess.Popen(
            [*before, "sh", "-c", "ip link set lo up && echo up && exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert holder.stdout is not None and holder.stdout.readline() == "up\n"
        return holder

    def __enter__(self) -> Hosts:
        return self

    def __exit__(self, *_: object) -> None:
        for holder in self._holders:
            with suppress(BrokenPipeError):
                holder.communicate(timeout=LIMIT)

    def enter(self, number: int) -> list[str]:
        """What to put before a command that is to run on a host."""
        return ["nsenter", "--target", str(self._holders[number].pid), *ENTER]

    def _ip(self, host: int, command: str) -> None:
        subprocess.run([*self.enter(host), "ip", *command.split()], check=True, timeout=LIMIT)

    def _connect(self, number: int) -> None:
        pid = self._holders[number].pid
        self._ip(0, f"link add cable{number} type veth peer name cable netns {pid}")
        for host, end, device in ((0, 1, f"cable{number}"), (number, 2, "cable")):
            self._ip(host, f"address add 10.77.{number}.{end}/24 dev {device}")
            self._ip(host, f"link set {device} up")

    def address(self, number: int) -> str:
        """The first host's address, as another calls it."""
        return f"10.77.{number}.1"

    def cut(self, number: int) -> None:
        """Cut a cable."""
        self._ip(0, f"link set cable{number} down")

    def mend(self, number: int) -> None:
        self._ip(0, f"link set cable{number} up")
