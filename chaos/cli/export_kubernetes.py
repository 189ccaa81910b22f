"""`chaos export kubernetes`: write a run as documents of Kubernetes."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chaos.cli.output import print_document, print_problems, require, say_lines, writing
from chaos.errors import InvalidInput
from chaos.runner.plan.engines import EngineName

if TYPE_CHECKING:
    from chaos.kubernetes.wanted import Wanted

_NAME = re.compile(r"[a-z]([-a-z0-9]{0,43}[a-z0-9])?")


def kubernetes(
    file: Annotated[str, typer.Argument(metavar="FILE", help="An experiment file, or one of Istio documents.")],
    image: Annotated[str, typer.Option(metavar="IMAGE", help="The image of all pods, made from the Containerfile.")],
    workers: Annotated[
        int | None,
        typer.Option(
            "--load-workers", metavar="N", min=1, max=1000, help="Pods that send the load; by default load.workers."
        ),
    ] = None,
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", metavar="NAME", help="Namespace; by default kubectl's own.")
    ] = "",
    gateway: Annotated[
        str | None, typer.Option(metavar="URL", help="Verify a gateway of the cluster, as chaos run --gateway does.")
    ] = None,
    engine: Annotated[
        EngineName | None, typer.Option(help="What carries out the rules, as chaos run --engine.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Override a field, as chaos run --set.")
    ] = None,
    name: Annotated[str, typer.Option(metavar="NAME", help="Name of the documents; by default the experiment's.")] = "",
    token_secret: Annotated[
        str, typer.Option(metavar="NAME", help="A Secret with a `token` for the workers; by default one is made.")
    ] = "",
    environment_secret: Annotated[
        str, typer.Option(metavar="NAME", help="A Secret with the variables that the experiment names as ${NAME}.")
    ] = "",
    files_in_secret: Annotated[
        bool, typer.Option("--files-in-secret", help="Put the files into a Secret, not into a ConfigMap.")
    ] = False,
    reports_claim: Annotated[
        str, typer.Option(metavar="NAME", help="A PersistentVolumeClaim for the reports, which else end with the pod.")
    ] = "",
    sidecar: Annotated[
        bool, typer.Option("--sidecar/--no-sidecar", help="Whether the pods get a sidecar of Istio, where it is added.")
    ] = False,
    out: Annotated[Path | None, typer.Option(metavar="PATH", help="Write the documents there, not to stdout.")] = None,
) -> int:
    """Print documents with which a run happens inside a cluster: the experiment's files, a Job for the run, and one for
    the workers that send its load. docs/kubernetes.md says how to apply them and where the result is."""
    from chaos.kubernetes.export import as_text, documents
    from chaos.kubernetes.wanted import Wanted, name_of
    from chaos.runner.plan.in_cluster import plan_in_cluster
    from chaos.runner.plan.load_hosts import LoadHosts
    from chaos.runner.plan.options import RunOptions
    from chaos.runner.plan.policies import require_policies

    if name and not _NAME.fullmatch(name):
        raise InvalidInput.of("--name", f"{name!r} is not a name of Kubernetes: a-z, 0-9 and -, at most 45 of them")
    hosts = LoadHosts(workers=workers)
    options = RunOptions(overrides=tuple(settings or ()), gateway=gateway, hosts=hosts)
    planned = plan_in_cluster(file, options, environment_secret=environment_secret, files_in_secret=files_in_secret)
    require(planned.problems)
    require_policies(planned.plan.prepared.reading, engine or EngineName.GATEWAY, 1)
    print_problems(planned.problems, err=True)
    wanted = Wanted(
        name=name or name_of(planned.plan.name),
        image=image,
        files=planned.files,
        workers=planned.workers,
        namespace=namespace,
        gateway=gateway or "",
        engine=engine.value if engine is not None else "",
        settings=tuple(settings or ()),
        token="" if token_secret else secrets.token_urlsafe(32),
        token_secret=token_secret,
        reports_claim=reports_claim,
        environment_secret=environment_secret,
        files_in_secret=files_in_secret,
        sidecar=sidecar,
        code=planned.code,
    )
    text = as_text(documents(wanted))
    if out is None:
        print_document(text)
        return 0
    with writing(str(out)):
        _write(out, text, private=bool(wanted.token) or files_in_secret)
    say_lines(_next_steps(wanted, out))
    return 0


def _write(path: Path, text: str, *, private: bool) -> None:
    """Write the documents; for their owner alone if they hold a secret."""
    if private:
        path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def _next_steps(wanted: Wanted, out: Path) -> Iterator[str]:
    """Yield the commands that begin the run, wait for its end, and show its result."""
    kubectl = f"kubectl -n {wanted.namespace}" if wanted.namespace else "kubectl"
    yield f"begin:  {kubectl} apply --server-side -f {out}"
    yield f"follow: {kubectl} logs -f --pod-running-timeout=5m job/{wanted.name}"
    yield f"remove: {kubectl} delete -f {out}"
