"""Compile the user's files for the gateway: at its start, whenever a file changes, and for a text sent to its admin
API.

The gateway does not read experiments itself; it is handed these as callables.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from chaos.experiment.read import read_experiment
from chaos.experiment.services import Addresses, proxy_of
from chaos.mesh.compile.rules import Rules, compile_rules
from chaos.run.plan.checked import Prepared, check, prepare


@dataclass(frozen=True)
class RuleFiles:
    """The files of one gateway. `addresses` are those of the services that were started for it."""

    files: tuple[str, ...]
    addresses: Addresses
    overrides: tuple[str, ...] = ()

    def load(self) -> Rules:
        """What the files say now. Raises InvalidInput."""
        return compiled(prepare(self.files, self.overrides, thorough=False), self.addresses)

    def parse(self, text: str) -> Rules:
        """Other Istio documents on the same services. An Experiment document in the text replaces the file's own.

        Raises InvalidInput; nothing has changed then."""
        return compiled(with_documents(prepare(self.files, self.overrides, thorough=False), text), self.addresses)

    def watched(self) -> tuple[str, ...]:
        """The files whose change means other rules, those named by spec.resources among them."""
        return tuple(prepare(self.files, self.overrides, thorough=False).reading.texts)


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
        same = [key for key in addresses if key.rpartition("/")[2].rstrip("0123456789-").endswith(instance.version)]
        found[instance.key] = addresses[(same or list(addresses))[0]]
    return found
