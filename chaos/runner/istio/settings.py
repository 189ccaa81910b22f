"""What the Istio engine is told on its command line, beside the plan of a gateway on its stdin."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from chaos.engines.istio.marks import Marks


@dataclass(frozen=True, slots=True)
class Settings:
    """`url` is the entry to the mesh to which the load sends its requests; `run` the run's id. With `everybody` the
    faults meet all traffic; with `patch` VirtualServices are changed in place of an overlay. `about` are annotations of
    the run's objects. A generation may take `longest` seconds to be in force.

    No task reaches the rules that are `deeper`, by their keys: their faults are for calls of applications that pass on
    the run's baggage. `prometheus` is the URL of who counts these, empty without one."""

    context: str
    namespace: str
    url: str
    run: str
    everybody: bool = False
    patch: bool = False
    longest: float = 60.0
    about: Mapping[str, str] = field(default_factory=dict)
    deeper: Sequence[str] = ()
    prometheus: str = ""

    @property
    def marks(self) -> Marks:
        return Marks(self.run, self.namespace, self.about)

    def line(self) -> str:
        """Return the settings as one argument."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, line: str) -> Settings:
        return cls(**json.loads(line))
