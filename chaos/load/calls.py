"""What users need of gRPC calls, without importing grpcio for a load that has none."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from chaos.load.shared import Shared
from chaos.protocol.load_plan import BadPlan

if TYPE_CHECKING:
    from chaos.load.grpc_user import Caller, UserCalls


def calls_of(shared: Shared) -> Callable[[Caller], UserCalls] | None:
    """Return what makes the connections of one user, if the plan has calls; None without. Raises BadPlan for a message
    that does not fit its method, and without grpcio."""
    if all(task.call is None for task in shared.plan.tasks):
        return None
    try:
        from chaos.load.grpc_user import UserCalls, prepare_calls
    except ImportError as error:  # on a worker's host
        raise BadPlan(
            f"gRPC calls need packages that are not here: pip install 'chaos-harness[grpc]' ({error})"
        ) from None

    calls = prepare_calls(shared)
    return lambda user: UserCalls(calls, user)
