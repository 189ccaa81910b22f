"""The plan of a gateway process: one JSON object on the first line of its stdin.

The rules are the texts that the parent process has read and judges by, and the addresses are those of the services that
it has started. So the gateway reads no file a second time, when it might have changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class GatewayPlan:
    """What one gateway process does.

    `files` are the names that were given, `texts` the text of each and of those that they name in spec.resources.
    `overrides` are those of `--set`. `addresses` has (host, port) by the key of a service's instance.

    `certificate` are the files of the certificate (with its chain) and of the key that listeners of HTTPS have.

    `watched` are the names that are read again, from disk, when they change. `admin_token` is required of admin
    requests; it must be set beyond loopback. Without a `seed` the draws differ each time; `tags` are x-chaos response
    headers. `access_log` is a path, `-` for stdout, or a descriptor that the process has been handed; its sample is in
    percent. `otel`: spans and metrics are exported."""

    files: tuple[str, ...]
    texts: Mapping[str, str]
    overrides: tuple[str, ...] = ()
    addresses: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    certificate: tuple[str, str] | None = None
    watched: tuple[str, ...] = ()
    listen: str = "127.0.0.1:0"
    admin: str = "127.0.0.1:0"
    admin_token: str | None = None
    workers: int = 1
    seed: int | None = None
    tags: bool = True
    access_log: str | int | None = None
    access_log_sample: float = 100.0
    otel: bool = False

    def line(self) -> str:
        """Return the plan as one line of JSON, without its line end."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, line: str | bytes) -> GatewayPlan:
        """Read the plan from its line. Raises ValueError or TypeError when it is malformed."""
        plan = cls(**json.loads(line))
        return cls(
            **{
                **{name: getattr(plan, name) for name in cls.__slots__},
                "files": tuple(plan.files),
                "overrides": tuple(plan.overrides),
                "watched": tuple(plan.watched),
                "certificate": None if plan.certificate is None else tuple(plan.certificate),
                "addresses": {key: (host, port) for key, (host, port) in plan.addresses.items()},
            }
        )
