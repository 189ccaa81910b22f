"""Say in a line who carried the load, and of whom something is unknown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from chaos.errors import Severity
from chaos.formatting import count as thousands
from chaos.formatting import listed, plural
from chaos.protocol.worker_messages import THIS_HOST, WorkerRecord


def told_of_workers(workers: Sequence[WorkerRecord]) -> Iterator[tuple[Severity, str]]:
    """Yield what is to be said of the workers at the end of a run; nothing of processes of this host that told all."""
    hosts = Counter(worker["host"] for worker in workers)
    unknown = sum(worker["unknown"] for worker in workers)
    if set(hosts) > {THIS_HOST} or (hosts and THIS_HOST not in hosts):
        where = listed([f"{host} ({count})" if count > 1 else host for host, count in sorted(hosts.items())])
        yield "info", f"{plural(len(workers), 'load worker')} took part, on {where}"
    if unknown:
        names = listed([f"{worker['worker']} ({worker['host']})" for worker in workers if worker["unknown"]])
        text = f"of load worker {names} up to {thousands(unknown)} requests are unknown"
        yield "warning", f"{text}: claims hold only if they do whatever became of these"
