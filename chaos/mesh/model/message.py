"""What every Istio message here has in common, and the small messages that several kinds of resource use.

The models hold shape only: names, types, ranges of the wire types and required fields, as the API server's schema has
them. Istio's further checks are in `check/admission/`. Attributes are the API's names in snake case; a document's own
spelling is camelCase. Durations are seconds, percentages 0..100 as written. Source: istio/api
networking/v1alpha3/*.proto. The text under an attribute becomes its description in editors."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, WithJsonSchema, model_validator

from chaos.mesh.source.scalars import BareWord
from chaos.units import parse_duration


def camel_case(name: str) -> str:
    """Return `consecutive5xxErrors` for `consecutive_5xx_errors`, as protobuf's JSON mapping does."""
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def _seconds(value: Any) -> float:
    if not isinstance(value, str):
        raise ValueError(f"{_shown(value)} is not a duration; write it with a unit{_with_unit(value)}")
    seconds = parse_duration(value)
    if abs(seconds) > _LONGEST:
        raise ValueError(f"{value!r} is longer than Go's durations, which end at 292 years")
    return seconds


_LONGEST = 2**63 / 1e9  # seconds; a Go duration counts nanoseconds in 64 bits


def _shown(value: Any) -> str:
    return "true" if value is True else "false" if value is False else repr(value)


def _with_unit(value: Any) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f": {value}s or {value}ms" if number else ", like 5s, 100ms or 1m30s"


def _boolean(value: Any) -> Any:
    """Return the boolean of a bare `y` or `n`; anything else stays."""
    return value.boolean if isinstance(value, BareWord) else value


def _label(value: Any) -> Any:
    if isinstance(value, BareWord):
        raise ValueError(f'a bare {value} is a boolean to kubectl, which refuses it here; write "{value}" in quotes')
    return value


DURATION_PATTERN = (
    r"^[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(h|ms|m|s|us|µs|ns)(([0-9]+(\.[0-9]*)?|\.[0-9]+)(h|ms|m|s|us|µs|ns))*$"
)

Text = Annotated[str, Strict()]
Flag = Annotated[bool, BeforeValidator(_boolean), Strict()]
Label = Annotated[str, BeforeValidator(_label), Strict()]
Int32 = Annotated[int, Strict(), Field(ge=-(2**31), le=2**31 - 1)]
UInt32 = Annotated[int, Strict(), Field(ge=0, le=2**32 - 1)]
# The API server keeps whole numbers in 64 bits, one of them for the sign.
UInt64 = Annotated[int, Strict(), Field(ge=0, le=2**63 - 1)]
Double = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Duration = Annotated[
    float,
    BeforeValidator(_seconds),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "examples": ["5s", "100ms", "1m30s"]}),
]


class Message(BaseModel):
    """A protobuf message as Kubernetes reads it: unknown fields are refused, whatever their value, and a field of the
    schema that is null counts as absent."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=camel_case,
        validate_by_name=True,
        validate_by_alias=True,
        defer_build=True,
        hide_input_in_errors=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, value: Any) -> Any:
        if type(value) is dict and None in value.values():
            known = {field.alias for field in cls.model_fields.values()}
            return {key: item for key, item in value.items() if item is not None or key not in known}
        return value

    def has(self, *names: str) -> bool:
        """Return whether any of these attributes is set in the document, whatever its value."""
        return not self.model_fields_set.isdisjoint(names)


class PortSelector(Message):
    number: UInt32 = 0
    """Port of the service, 1..65535."""


class Percent(Message):
    value: Double = 0.0
    """Share in percent, 0 to 100; 0.1 is one request in a thousand."""


class Destination(Message):
    """A service that requests are sent to, once routing is decided."""

    host: Text
    """Name of a service in the registry. A name without a dot belongs to the namespace of the rule."""
    subset: Text = ""
    """Name of a subset in a DestinationRule for the host."""
    port: PortSelector | None = None
    """Port of the service; only needed when it has several."""


class StringMatch(Message):
    """How a text must look: exactly one of `exact`, `prefix` and `regex`."""

    exact: Text | None = None
    """The whole text, case-sensitive."""
    prefix: Text | None = None
    """The beginning of the text."""
    regex: Text | None = None
    """RE2 syntax; must match the whole text."""


class WorkloadSelector(Message):
    """Which workloads, by their labels (networking.v1alpha3)."""

    labels: dict[str, Text] = {}
    """All of these labels must be set to these values."""


class Metadata(Message):
    """metadata of a Kubernetes object; what the API server adds is accepted and ignored."""

    name: Text = ""
    """Name of the object, unique among its kind in its namespace."""
    generate_name: Text = ""
    """Prefix of a name that the API server completes."""
    namespace: Text = ""
    """Namespace of the object; `default` if there is none."""
    labels: dict[str, Label] = {}
    """Labels, by which selectors choose objects."""
    annotations: dict[str, Label] = {}
    """Annotations; those of Istio are checked."""
    creation_timestamp: Text | None = None
    """Set by the API server; ignored."""
    uid: Any = None
    """Set by the API server; ignored."""
    resource_version: Any = None
    """Set by the API server; ignored."""
    generation: Any = None
    """Set by the API server; ignored."""
    managed_fields: Any = None
    """Set by the API server; ignored."""
    owner_references: Any = None
    """Objects that this one belongs to; ignored."""
    finalizers: Any = None
    """What must happen before the object is deleted; ignored."""
    self_link: Any = None
    """Set by the API server; ignored."""
    deletion_timestamp: Any = None
    """Set by the API server; ignored."""
    deletion_grace_period_seconds: Any = None
    """Set by the API server; ignored."""


class KubernetesMetadata(Metadata):
    """metadata of Kubernetes' own kinds, of which only some fields are read."""

    model_config = ConfigDict(extra="ignore")
