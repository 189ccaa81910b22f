"""The model of the document `kind: FaultPolicy`. The text under a field is its description in the JSON Schema."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from chaos.mesh.model.message import Message, Text
from chaos.mesh.model.virtual_service import HTTPMatchRequest
from chaos.policies.fault import Fault, Scope
from chaos.policies.kinds import OneFault
from chaos.policies.values import Count, Percentage, Seconds, Span

KIND = "FaultPolicy"


class PolicyMetadata(Message):
    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,100}[a-z0-9])?$")
    """Name of the policy: that of its claim, and what the tag x-chaos-policy says."""
    namespace: str = "default"
    """Namespace in which a host without a dot is looked up."""
    labels: dict[str, Text] = {}
    """Labels; they mean nothing here."""
    annotations: dict[str, Text] = {}
    """Annotations; they mean nothing here."""


class Target(Message):
    """Requests that the policy is about: those to a host, or some of them."""

    host: Text
    """Host of the mesh. A name without a dot belongs to the policy's namespace."""
    match: HTTPMatchRequest | None = None
    """Conditions as in a VirtualService; all must hold. Without them it is every request to the host."""


class When(Message):
    """The stretch of a run in which the policy is in force; without it, always."""

    phase: str = ""
    """Name of a phase of the experiment; empty for all of them."""
    after: Seconds = 0.0
    """How long after the phase has begun, which it does with its first request."""
    for_: Span | None = None
    """For how long; by default to the end of the phase."""


class FaultPolicySpec(Message):
    targets: Annotated[tuple[Target, ...], Field(min_length=1)]
    """The requests that may meet the fault."""
    percentage: Percentage = 100.0
    """The share of them that meets it, in percent."""
    fault: OneFault
    """The fault."""
    when: When | None = None
    """When it is in force."""
    scope: Scope = "downstream"
    """`downstream`: once for each request, in front of the rules. `upstream`: once for each attempt, beneath the
    route's retries and timeout."""
    max_active: Count | None = None
    """The number of requests that may be under the fault at a time; others are spared."""


class FaultPolicy(Message):
    """A fault that Istio does not have, for a share of the requests."""

    api_version: Literal["chaos/v1alpha1"] = "chaos/v1alpha1"
    """Version of this format."""
    kind: Literal["FaultPolicy"] = "FaultPolicy"
    """A fault of our own."""
    metadata: PolicyMetadata
    """Its name."""
    spec: FaultPolicySpec
    """What it does, and to which requests."""

    @property
    def fault(self) -> Fault:
        """The one fault that it has."""
        return next(self.spec.fault.given())
