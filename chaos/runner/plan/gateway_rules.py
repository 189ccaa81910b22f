"""The rules of one gateway: compiled from the texts of its plan, again when a watched file changes, and from a text
sent to its admin API.

The gateway does not read experiments itself; it is handed these as callables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from chaos.experiment.read import read_experiment
from chaos.experiment.services import Addresses, proxy_of
from chaos.mesh.compile.rules import Rules, compile_rules
from chaos.protocol.gateway_plan import GatewayPlan
from chaos.runner.plan.checked import Prepared, check, prepare
from chaos.runner.plan.files import read_text


def gateway_plan(prepared: Prepared, *, watch: bool = False, **settings: object) -> GatewayPlan:
    """The plan of a gateway that serves what was read; `settings` are the plan's other fields."""
    texts = dict(prepared.reading.texts)
    plan = GatewayPlan(prepared.files, texts, prepared.overrides, watched=tuple(texts) if watch else ())
    return replace(plan, **settings)  # type: ignore[arg-type]


class GatewayRules:
    """Made from a plan. Raises InvalidInput when its texts cannot be read."""

    def __init__(self, plan: GatewayPlan):
        self.plan = plan
        self._prepared = self._prepare(frozenset())

    def compiled(self) -> Rules:
        """Of the plan's own texts, or what was last reloaded. Raises InvalidInput."""
        return compiled(self._prepared, self.plan.addresses)

    def reload(self) -> Rules:
        """What the watched files say now. Raises InvalidInput; the files before are then still what `parse` adds to."""
        prepared = self._prepare(frozenset(self.plan.watched))
        rules = compiled(prepared, self.plan.addresses)
        self._prepared = prepared
        return rules

    def parse(self, text: str) -> Rules:
        """Other Istio documents on the same services. An Experiment document in the text replaces the file's own.

        Raises InvalidInput; nothing has changed then."""
        return compiled(with_documents(self._prepared, text), self.plan.addresses)

    def text(self) -> str:
        """The documents as one YAML stream."""
        return "\n---\n".join(text.rstrip("\n") for text in self._prepared.reading.texts.values()) + "\n"

    def _prepare(self, again: frozenset[str]) -> Prepared:
        return prepare(self.plan.files, self.plan.overrides, thorough=False, read=self._reader(again))

    def _reader(self, again: frozenset[str]) -> Callable[[str], str]:
        """Gives texts by name: the plan's own, but those to be read again, and any that it does not have, from disk."""
        texts = self.plan.texts
        return lambda name: texts[name] if name in texts and name not in again else read_text(name)


def compiled(prepared: Prepared, addresses: Addresses) -> Rules:
    """Raises InvalidInput with every error."""
    prepared.require()
    reading = prepared.reading
    registry = prepared.registry(_with_stand_ins(prepared, addresses))
    return compile_rules(reading.resources, registry, proxy_of(reading))


def with_documents(prepared: Prepared, text: str, file: str = "rules") -> Prepared:
    """The same experiment with the Istio documents of a text in place of its own."""
    reading = read_experiment([(file, text)])
    if reading.document is None:
        reading = replace(
            reading,
            experiment=prepared.reading.experiment,
            document=prepared.reading.document,
            file=prepared.reading.file,
        )
    return check(reading, thorough=False)


def _with_stand_ins(prepared: Prepared, addresses: Addresses) -> Addresses:
    """Built-in services for hosts that came with a change: any instance of the same version answers, or any at all."""
    missing = [each for each in prepared.services.instances() if each.kind == "webserver" and each.key not in addresses]
    if not missing or not addresses:
        return addresses
    found = dict(addresses)
    for instance in missing:
        same = [key for key in addresses if _instance_group(key).endswith(instance.version)]
        found[instance.key] = addresses[(same or list(addresses))[0]]
    return found


def _instance_group(key: str) -> str:
    """The instance's name without its number: `webv2` of `web.default.svc.cluster.local:80/webv2-1`."""
    return key.rpartition("/")[2].rpartition("-")[0]
