"""What the users of one load process share: the requests to send, the counts, the clock. Does not import Locust."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import perf_counter
from typing import TYPE_CHECKING

import gevent

from chaos.errors import InvalidInput
from chaos.experiment.redaction import Redaction, credentials_in
from chaos.load.body_text import text_of
from chaos.load.deadlines import Deadlines
from chaos.load.doubts import Doubts
from chaos.load.pending import Pending
from chaos.load.recorder import Outcome, Recorder
from chaos.load.sequence import Sequence
from chaos.otel.needed import check as need_otel
from chaos.protocol.digest import Digest
from chaos.protocol.exemplars import MOST_BODY, Exemplar
from chaos.protocol.load_plan import BadPlan, Plan, Task
from chaos.statuses import failed, shown

LATE = 0.010  # seconds after which an arrival counts as late: no user was idle when it was due

if TYPE_CHECKING:
    from chaos.load.tracing import CallTracer


def tracer_of(plan: Plan) -> CallTracer | None:
    """Return what makes the spans of a plan's requests; None without any. Raises BadPlan if they cannot be exported."""
    if not plan.otel:
        return None
    try:
        need_otel()
    except InvalidInput as error:
        raise BadPlan(str(error)) from None
    from chaos.load.tracing import CallTracer

    return CallTracer()


class Shared:
    """`process` is this load process's index among the plan's; `remote`: it is on another host than the load. `fire`
    is Locust's request event, set when its statistics are shown. `behind` is how many seconds late the latest request
    of an open model was. `tracer` makes the requests' spans, if there are any."""

    def __init__(self, plan: Plan, process: int = 0, *, remote: bool = False):
        self.plan = plan
        self.sequence = Sequence(plan, process)
        self.recorder = Recorder(
            tuple(task.name for task in plan.tasks), plan.phase, plan.sample, process, plan.processes
        )
        self.deadlines = Deadlines(min((task.timeout for task in plan.tasks), default=60.0))
        self.began: float | None = None
        self.behind = 0.0
        self.pending = Pending(self.recorder, plan.hold, plan.interval)
        self.doubts = Doubts(self.pending, self.recorder.order.placed, perf_counter()) if remote else None
        self.fire: Callable[..., None] | None = None
        self.tracer = tracer_of(plan)

    def digest(self) -> Digest:
        """Return what can be reported now: whole cohorts if the plan has `hold`, else every response so far."""
        return self.pending.digest() if self.plan.hold else self.recorder.digest()

    def last_digest(self) -> Digest:
        """Return all that has not been reported."""
        return self.pending.last_digest() if self.plan.hold else self.recorder.digest()

    @property
    def told_until(self) -> float:
        """Until when, as perf_counter's value, the requests were sent that the last digest told of."""
        return self.pending.told_until if self.plan.hold else perf_counter()

    def begin(self) -> float:
        """Return when the load began, as perf_counter's value; the first call sets it."""
        if self.began is None:
            self.began = perf_counter()
        return self.began

    @property
    def finished(self) -> bool:
        """Whether every request of the run has its response or was abandoned."""
        return self.sequence.exhausted and self.sequence.taken == self.recorder.count + self.pending.abandoned

    def keep(
        self,
        outcome: Outcome,
        given: str,
        sent: float,
        micros: int,
        body: bytes = b"",
        reason: str = "",
        headers: Iterable[tuple[str, str]] = (),
        request: str = "",
    ) -> None:
        """Keep a request by itself, which was sent at `sent` (perf_counter's value), if it stands for others. Call it
        only for one that is slower or has a smaller id than those kept: to make text of a body takes time. Credentials
        in its `headers` are in no text of it."""
        second = round(max(sent - self.begin(), 0.0), 6)
        hide = Redaction(hidden=tuple(credentials_in(headers)))
        shown = (hide(text) for text in (text_of(body), reason[:MOST_BODY], request[:MOST_BODY]))
        self.recorder.exemplars.add(Exemplar(given, outcome.key, second, micros, *shown))

    def sleep_until_due(self, number: int) -> float:
        """Wait until a request of an open model is due. Returns when that was, as perf_counter's value; of one that was
        due while this process was cut off from its load, and sent nothing, when it is sent."""
        due = self.begin() + self.sequence.due(number)
        left = due - perf_counter()
        if left < -LATE:
            self.recorder.late += 1
            self.behind = max(self.behind, -left)
        while left > 0:
            gevent.get_hub().loop.update_now()  # libev's clock stands still between its iterations
            gevent.sleep(left)
            left = due - perf_counter()
        return perf_counter() if self.doubts is not None and due < self.doubts.until else due

    def tell_locust(self, task: Task, seconds: float, status: int, size: int, error: str) -> None:
        """Update Locust's own statistics, which its web UI shows; what its own clients call a failure is one here."""
        if self.fire is not None:
            failure = error or (f"status {shown(status)}" if failed(status) else "")
            self.fire(
                request_type=task.method if task.call is None else "gRPC",
                name=task.name,
                response_time=seconds * 1000,
                response_length=size,
                exception=ConnectionError(failure) if failure else None,
                context={},
                response=None,
            )
