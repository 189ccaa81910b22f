"""`chaos export rbac`: the smallest Role with which a run may lay faults over a namespace."""

from __future__ import annotations

from typing import Annotated

import typer

from chaos.cli.output import print_document


def rbac(
    namespace: Annotated[str, typer.Option("--namespace", "-n", metavar="NAME", help="The namespace of the runs.")],
    patch: Annotated[
        bool, typer.Option("--patch", help="Also what `chaos run --patch` needs, and hosts without a VirtualService.")
    ] = False,
) -> int:
    """Print a ServiceAccount, a Role and a RoleBinding for `chaos run --engine istio` in one namespace: what the
    preflight asks for, and nothing else."""
    from chaos.engines.istio.rights import account, binding, rights, role
    from chaos.mesh.source.writing import to_yaml

    print_document(to_yaml(account(namespace), role(namespace, rights(patch=patch)), binding(namespace)))
    return 0
