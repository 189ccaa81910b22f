"""What tests of the engine `istio` run, and where: one host of a mesh, in the namespace `shop`."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp

from chaos.experiment.services import ServicePlan
from chaos.protocol.gateway_plan import GatewayPlan
from chaos.runner.istio.settings import Settings
from chaos.runner.plan.checked import prepare
from chaos.runner.plan.engines import Engine, istio_engine
from chaos.runner.plan.gateway_rules import gateway_plan
from chaos.runner.processes.session import Session, start
from support.experiments import experiment, write

Json = dict[str, Any]

HOST = "web.shop.svc.cluster.local"
KEY = "virtualservice/shop/web/0"
NO_PLAN = GatewayPlan((), {})
"""The plan of a gateway that has nothing but rules."""

VIRTUAL_SERVICES = "networking.istio.io/v1"


def abort(percent: float, status: int = 503) -> Json:
    return {"abort": {"percentage": {"value": percent}, "httpStatus": status}}


def rules(fault: Json | None = None, *, name: str = "web", host: str = HOST, **more: Any) -> Json:
    """A VirtualService of one route, called `all`."""
    route: Json = {"name": "all", "route": [{"destination": {"host": HOST}}], **more}
    if fault is not None:
        route["fault"] = fault
    return {
        "apiVersion": VIRTUAL_SERVICES,
        "kind": "VirtualService",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"hosts": [host], "http": [route]},
    }


def case(folder: Path, document: Json, *more: Json, **spec: Any) -> str:
    """The file of an experiment with these rules."""
    load = {"users": 4, "tasks": [{"get": f"http://{HOST}/"}], **spec.pop("load", {})}
    services = {HOST: {"builtin": "webserver"}}
    return write(folder, experiment(services=services, load=load, proxy={"namespace": "shop"}, **spec), document, *more)


def engine_at(url: str, **settings: Any) -> Engine:
    """The engine `istio` of the context `test`."""
    values = {"context": "test", "namespace": "", "url": url, "run": secrets.token_hex(16), **settings}
    return istio_engine(Settings(**values))


@asynccontextmanager
async def session(folder: Path, engine: Engine, *documents: Json) -> AsyncIterator[Session]:
    """The engine's process with these rules in force. The admin API is `session.gateway.admin`."""
    prepared = prepare([case(folder, *documents)]).require_sound()
    prepared = replace(prepared, services=ServicePlan())
    plan = gateway_plan(prepared, seed=1)
    async with start(prepared, plan, seed=1, program=engine.program, pace=engine.pace) as found:
        yield found


async def answers(url: str, headers: Mapping[str, str], count: int = 20) -> list[tuple[int, Mapping[str, str]]]:
    """Status and headers of so many responses, one after the other."""
    found: list[tuple[int, Mapping[str, str]]] = []
    async with aiohttp.ClientSession() as client:
        for _ in range(count):
            async with client.get(url, headers={"host": HOST, **headers}) as response:
                found.append((response.status, response.headers))
    return found


def specs(documents: list[Json]) -> str:
    """The specs of objects, byte for byte."""
    return json.dumps([each["spec"] for each in documents])
