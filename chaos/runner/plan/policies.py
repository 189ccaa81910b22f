"""Whether whoever carries out the rules of a run can carry out the policies of its experiment, too."""

from __future__ import annotations

from chaos.errors import InvalidInput
from chaos.experiment.read import Reading
from chaos.policies.check import stranger_problems, worker_problems
from chaos.runner.plan.engines import EngineName

_LACKS = {
    EngineName.ENVOY: "an Envoy does not say which policy a request has met, so nothing could be verified of it; "
    "run it with our own gateway, or write what an Envoy can do with chaos export envoy",
    EngineName.ISTIO: "a mesh has no faults but those of VirtualServices; run it with our own gateway",
}


def require_policies(reading: Reading, engine: EngineName, workers: int) -> None:
    """Raise InvalidInput for policies that the engine does not have, or that several workers would count each for
    itself."""
    if engine in _LACKS:
        found = list(stranger_problems(reading.policies, _LACKS[engine]))
    else:
        found = list(worker_problems(reading.policies, workers))
    if found:
        raise InvalidInput(found)
