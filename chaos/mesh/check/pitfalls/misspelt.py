"""Find hosts of VirtualServices that no service has while one of nearly that name is there: infos.

A host needs no service of its own, so nothing is wrong with such a rule but that nobody asks for its host."""

from __future__ import annotations

from difflib import get_close_matches

from chaos.mesh.check.admission.virtual_service import bound_to_mesh
from chaos.mesh.check.cursor import At
from chaos.mesh.check.known_services import KnownServices
from chaos.mesh.model.resources import Resource
from chaos.mesh.model.virtual_service import VirtualService
from chaos.mesh.names import full_name
from chaos.mesh.read.shape import Wording

CLOSE = 0.8
"""Likeness from which a name was probably meant: a letter of five, or two of ten. `web` and `web1` are two names."""


def misspelt_pitfalls(at: At, service: Resource[VirtualService], known: KnownServices) -> None:
    """Report on one VirtualService; `at` points at its spec."""
    if not bound_to_mesh(service.spec):
        return
    for index, host in enumerate(service.spec.hosts):
        meant = _meant(host, service.namespace, known)
        if meant:
            at.into("hosts", index).info(Wording(f"no service {host}; did you mean {meant}?", meant), "misspelt-host")


def _meant(host: str, namespace: str, known: KnownServices) -> str:
    """Return the name that a host was probably meant to be, written as the host is; empty if there is none."""
    name, _, domain = full_name(host, namespace).partition(".")
    if "*" in host or known.find(host, namespace) or known.hidden(host, namespace):
        return ""
    beside = [each.partition(".")[0] for each in known.names(namespace) if each.partition(".")[2] == domain]
    close = [each for each in get_close_matches(name, beside, 2, CLOSE) if _digits(each) == _digits(name)]
    return f"{close[0]}{host[len(name) :]}" if len(close) == 1 else ""


def _digits(name: str) -> str:
    return "".join(filter(str.isdigit, name))
