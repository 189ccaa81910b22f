"""Tell of applications that answer users and call nobody through the gateway, so that no fault can reach them.

An HTTP client that ignores HTTP_PROXY looks for the mesh's hosts by itself, finds none, and the application answers
every user with an error: the commonest mistake with an application of one's own."""

from __future__ import annotations

from collections.abc import Collection

from chaos.claims.observations import Observed
from chaos.formatting import count, listed
from chaos.protocol.counters import GatewayCounters

ENOUGH = 20
"""Answered requests from which it is worth telling."""


def silent_applications(
    applications: Collection[str], observed: Observed, counters: GatewayCounters | None, gateway: str
) -> str:
    """Return what to do if the applications under test, to which the whole load goes, made no call through the gateway
    at this URL; empty if they did, or if nobody counted."""
    if (
        not applications
        or counters is None
        or any(counted["requests"] for rules in counters["phases"].values() for counted in rules.values())
    ):
        return ""
    answered = sum(number for outcome, number in observed if outcome.status)
    if answered < ENOUGH:
        return ""
    names = listed(sorted(applications))
    return (
        f"{names} answered {count(answered)} requests and called nobody through the gateway. Does its HTTP client "
        f"ignore HTTP_PROXY, which was {gateway}? aiohttp obeys it with ClientSession(trust_env=True), Node's fetch "
        "with NODE_USE_ENV_PROXY=1; else send its calls to CHAOS_GATEWAY, with the service's host in Host"
    )
