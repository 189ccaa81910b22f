"""Compile the rules of a gateway: from the texts of its plan, again when a watched file changes, and from a text sent
to its admin API.

The gateway does not read experiments itself; it gets these functions as callables.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypedDict, Unpack

from chaos.errors import InvalidInput, Problem
from chaos.experiment.further_listeners import further_listeners, stands_for
from chaos.experiment.read import read_experiment
from chaos.experiment.safety import allowed
from chaos.experiment.services import Addresses, proxy_of
from chaos.mesh.compile.rules import Rules, compile_rules
from chaos.mesh.model.resources import Resource
from chaos.mesh.model.virtual_service import VirtualService
from chaos.policies.compiled import compile_policies, policed
from chaos.protocol.gateway_plan import GatewayPlan
from chaos.runner.plan.checked import Prepared, check, prepare
from chaos.runner.plan.engines import EngineName
from chaos.runner.plan.files import read_text
from chaos.runner.plan.policies import require_policies, unrouted


class GatewaySettings(TypedDict, total=False):
    """The fields of GatewayPlan that do not follow from the files."""

    listen: str
    admin: str
    admin_token: str | None
    workers: int
    seed: int | None
    tags: bool
    access_log: str | int | None
    access_log_sample: float
    otel: bool


def gateway_plan(
    prepared: Prepared, *, watched: Iterable[str] = (), **settings: Unpack[GatewaySettings]
) -> GatewayPlan:
    """Return the plan of a gateway that serves what was read, and reads the `watched` files again when they change."""
    texts = dict(prepared.reading.texts)
    return GatewayPlan(prepared.files, texts, prepared.overrides, watched=tuple(watched), **settings)


class GatewayRules:
    """The rules of one plan, and the further listeners of its experiment, each with the mesh host and port that it
    stands for. Raises InvalidInput if its texts cannot be read."""

    def __init__(self, plan: GatewayPlan, engine: EngineName = EngineName.GATEWAY):
        self.plan = plan
        self._engine = engine  # what carries the rules out
        self._prepared = self._prepare(frozenset())
        reading = self._prepared.reading
        self.listeners = [(each, stands_for(each, reading)) for each in further_listeners(reading)]

    @property
    def virtual_services(self) -> Sequence[Resource[VirtualService]]:
        """The VirtualServices of the plan's texts."""
        return self._prepared.reading.resources.virtual_services

    def compiled(self) -> Rules:
        """Return the rules of the plan's texts, or of the last reload. Raises InvalidInput."""
        return self._checked(self._prepared)

    def _checked(self, prepared: Prepared) -> Rules:
        """Return the rules, whose policies all have hosts. Raises InvalidInput."""
        rules = compiled(prepared, self.plan, self._engine)
        if found := unrouted(prepared.reading, rules):
            raise InvalidInput(found)
        return rules

    def reload(self) -> Rules:
        """Read the watched files again and return their rules. Raises InvalidInput; `parse` then keeps using the texts
        of before."""
        prepared = self._prepare(frozenset(self.plan.watched))
        rules = self._checked(prepared)
        self._prepared = prepared
        return rules

    def parse(self, text: str) -> Rules:
        """Return the rules of other Istio documents with the same services. An Experiment document in the text replaces
        the file's own, but may not allow hosts that the file's own does not. Raises InvalidInput."""
        prepared = with_documents(self._prepared, text)
        beyond = list(_allowed_beyond(prepared, self._prepared))
        if beyond:
            raise InvalidInput(beyond)
        return compiled(prepared, self.plan, self._engine)

    def text(self) -> str:
        """Return the documents as one YAML stream."""
        return "\n---\n".join(text.rstrip("\n") for text in self._prepared.reading.texts.values()) + "\n"

    def _prepare(self, again: frozenset[str]) -> Prepared:
        return prepare(self.plan.files, self.plan.overrides, thorough=False, read=self._reader(again))

    def _reader(self, again: frozenset[str]) -> Callable[[str], str]:
        """Return a function from a name to its text: the plan's own; names in `again`, and any unknown one, are read
        from disk."""
        texts = self.plan.texts
        return lambda name: texts[name] if name in texts and name not in again else read_text(name)


def compiled(prepared: Prepared, plan: GatewayPlan, engine: EngineName = EngineName.GATEWAY) -> Rules:
    """Compile the rules for a gateway. Raises InvalidInput with every error."""
    prepared.require()
    reading = prepared.reading
    require_policies(reading, engine, plan.workers)
    registry = prepared.registry(_with_stand_ins(prepared, plan.addresses))
    rules = compile_rules(reading.resources, registry, proxy_of(reading))
    return policed(rules, compile_policies(reading.policies, rules))


def _allowed_beyond(prepared: Prepared, own: Prepared) -> Iterator[Problem]:
    """Yield a problem for each host that the documents allow beyond those that the gateway's own experiment does: who
    may change rules may not send requests off this machine by that."""
    allow = own.reading.experiment.spec.allow_hosts
    for index, host in enumerate(prepared.reading.experiment.spec.allow_hosts):
        if host not in allow and not allowed(host, allow):
            message = f"{host} is not among the allowHosts that this gateway was started with"
            yield prepared.reading.problem(("spec", "allowHosts", index), message, code="beyond-loopback")


def with_documents(prepared: Prepared, text: str, file: str = "rules") -> Prepared:
    """Return the same experiment with the Istio documents of a text instead of its own."""
    reading = read_experiment([(file, text)], environment=os.environ)
    if reading.document is None:
        reading = replace(
            reading,
            policies=reading.policies or prepared.reading.policies,
            experiment=prepared.reading.experiment,
            document=prepared.reading.document,
            file=prepared.reading.file,
        )
    return check(reading, thorough=False)


def _with_stand_ins(prepared: Prepared, addresses: Addresses) -> Addresses:
    """Return the addresses, with those of running built-in services for hosts that a change added: an instance of the
    same version if there is one, else any."""
    missing = [each for each in prepared.services.instances() if each.kind == "webserver" and each.key not in addresses]
    if not missing or not addresses:
        return addresses
    found = dict(addresses)
    for instance in missing:
        same = [key for key in addresses if _instance_group(key).endswith(instance.version)]
        found[instance.key] = addresses[(same or list(addresses))[0]]
    return found


def _instance_group(key: str) -> str:
    """Return the instance's name without its number: `webv2` of `web.default.svc.cluster.local:80/webv2-1`."""
    return key.rpartition("/")[2].rpartition("-")[0]
