"""What a gateway's process is told to do: the plan, one JSON object on the first line of its stdin.

The rules come as the texts that whoever started it has read and judged by, together with the addresses of the services
that it has started. So there is no second reading, in which a file might say something else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class GatewayPlan:
    """`files` are the names that were given, `texts` the text of each and of those that they name in spec.resources.
    `overrides` as `--set` has them. `addresses` (host, port) by the key of a service's instance.

    `watched` are the names that are read again, from disk, when they change. `admin_token` is asked of admin requests,
    and needed beyond loopback. Without a `seed` the draws differ each time; `tags` are x-chaos response headers."""

    files: tuple[str, ...]
    texts: Mapping[str, str]
    overrides: tuple[str, ...] = ()
    addresses: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    watched: tuple[str, ...] = ()
    listen: str = "127.0.0.1:0"
    admin: str = "127.0.0.1:0"
    admin_token: str | None = None
    workers: int = 1
    seed: int | None = None
    tags: bool = True

    def line(self) -> str:
        """One line of JSON, without its end."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, line: str | bytes) -> GatewayPlan:
        """From the line. Raises ValueError or TypeError for what is no plan."""
        plan = cls(**json.loads(line))
        return cls(
            **{
                **{name: getattr(plan, name) for name in cls.__slots__},
                "files": tuple(plan.files),
                "overrides": tuple(plan.overrides),
                "watched": tuple(plan.watched),
                "addresses": {key: (host, port) for key, (host, port) in plan.addresses.items()},
            }
        )
