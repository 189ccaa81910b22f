"""Put a load together, in this process or in several, with or without the web UI; and run it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

import gevent

from chaos.load.board import Board
from chaos.load.lines import Lines, SupervisorGone
from chaos.load.local import LocalLoad, NotAll
from chaos.load.process import calm_collector
from chaos.load.session import Session
from chaos.protocol.live_state import FETCHED
from chaos.protocol.load_plan import BadPlan, Plan

if TYPE_CHECKING:
    from chaos.load.distributed import DistributedLoad

FAILED, BAD_PLAN = 5, 2  # exit codes


def run(plan: Plan) -> int:
    """Run a load to its end. Returns the exit code."""
    make = maker(plan)
    out = Lines()
    try:
        load = make()
    except (BadPlan, OSError) as error:
        return refused(out, error, BAD_PLAN)
    session = Session(plan, load, out)
    ended_by = "ui" if plan.ui else "shape"  # apart from us, only these stop Locust's runner
    load.environment.events.test_stop.add_listener(lambda environment, **_: session.end(ended_by))
    gevent.signal_handler(signal.SIGTERM, session.end_now, "signal")
    try:
        load.gather(session.tell_event, lambda: bool(session.reason))
    except NotAll as error:
        return refused(out, error, FAILED)
    if session.reason:
        return 0
    board = address = None
    if plan.ui:
        from chaos.load.ui import serve

        board = Board()
        session.show = board.show
        load.environment.events.test_start.add_listener(lambda environment, **_: session.started())
        try:
            address = serve(plan, load, session, board)
        except (BadPlan, OSError) as error:
            return refused(out, error, BAD_PLAN)
    calm_collector()
    try:
        out.write({"type": "ready", "pid": os.getpid(), "ui": address})
        reason = session.run()
        if board is not None:
            session.left.wait()  # the pages still want the verdict
            board.wait_for_pages(FETCHED)
    except SupervisorGone:
        return FAILED
    return FAILED if reason == "failed" else 0


def refused(out: Lines, error: Exception, code: int) -> int:
    """Say why the load does not begin. Returns the exit code."""
    out.write({"type": "error", "reason": str(error)})
    return code


def maker(plan: Plan) -> Callable[[], LocalLoad | DistributedLoad]:
    """Return a function that makes the load. Worker processes are forked now, before this process has a loop."""
    if plan.processes == 1 and plan.joining is None:
        return lambda: LocalLoad.of(plan)
    from chaos.load.distributed import DistributedLoad

    if plan.joining is not None:
        from chaos.load.joining import Joined

        joining = plan.joining
        return lambda: DistributedLoad(plan, Joined(plan, joining))
    from chaos.load.forked import Forked

    workers = Forked(plan)
    return lambda: DistributedLoad(plan, workers)
