"""`chaos recover`: list and remove what runs left in a mesh."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from chaos.cli.output import say


def recover(
    context: Annotated[str, typer.Option(metavar="NAME", help="The context, as the kubeconfig calls it.")],
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", metavar="NAME", help="The namespace; else the context's.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List it, and remove nothing.")] = False,
) -> int:
    """List what runs of `--engine istio` left in a namespace, and remove it: faults, and the leases that own them. A
    run that is still going on loses its faults, and ends with exit code 5."""
    from chaos.runner.istio.api import connect
    from chaos.runner.istio.recover import left_behind, remove_all

    async def work() -> None:
        async with await connect(context, namespace or "") as cluster:
            found = await left_behind(cluster)
            for each in found:
                say(f"{'would remove' if dry_run else 'removing'} {each}")
            if not found:
                say(f"no run left anything in namespace {cluster.namespace} of context {cluster.context}")
            elif not dry_run:
                await remove_all(cluster, found)

    asyncio.run(work())
    return 0
