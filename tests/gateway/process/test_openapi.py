"""The admin API is what `/openapi.json` says: what fits the description is taken, what does not is refused, and every
answer fits it.

These are our own forty lines on Hypothesis and not schemathesis, which brings GraphQL and six more packages, and is a
pytest plugin in every session. Run by hand against a gateway, it agrees."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.json_schema import fitting, misfits, spoilt
from support.mesh import rules_of
from support.scripted import gateway, get

from chaos.gateway.process.app import admin
from chaos.gateway.process.openapi import description
from chaos.gateway.process.operations import JSON, OPERATIONS, Operation
from chaos.gateway.process.options import GatewayOptions, bind
from chaos.protocol.fault_levels import PERCENTAGE

RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [web]
  http:
  - fault:
      abort: {percentage: {value: 50}, httpStatus: 503}
      delay: {percentage: {value: 0}, fixedDelay: 5s}
    route: [{destination: {host: web}}]
"""
KEY = "virtualservice/default/web/0"
DOCUMENT = description()


@asynccontextmanager
async def api() -> AsyncIterator[aiohttp.ClientSession]:
    rules = rules_of(RULES)
    listener = bind("127.0.0.1:0", "--admin")[0]
    options = GatewayOptions(load=lambda: rules, parse=lambda text: rules, text=lambda: RULES)
    base = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with gateway(rules, seed=1) as proxy:
        proxy.control._options = options
        async with admin(options, proxy.control, listener), aiohttp.ClientSession(base) as session:
            await proxy.ask(get())
            yield session


async def ask(operation: Operation, key: str, query: dict[str, str], body: bytes | None) -> tuple[int, list[str]]:
    """The status, and where the answer does not fit the description."""
    path = operation.path.replace("{key}", quote(key, safe="/"))
    kinds = {"content-type": next(iter(operation.body))} if operation.body else {}
    async with (
        api() as session,
        session.request(operation.method, path, params=query, data=body, headers=kinds) as response,
    ):
        said = DOCUMENT["paths"][operation.path][operation.method.lower()]["responses"]
        described = said[str(response.status)]["content"]
        assert response.content_type in described
        if response.content_type != JSON:
            return response.status, []
        return response.status, misfits(await response.json(), described[JSON]["schema"], DOCUMENT)


def test_every_route_is_described_once() -> None:
    assert len({(each.method, each.path) for each in OPERATIONS}) == len(OPERATIONS)
    assert len({each.handler for each in OPERATIONS}) == len(OPERATIONS)
    assert {each.path for each in OPERATIONS} == set(DOCUMENT["paths"])
    assert description(with_token=True)["security"] == [{"token": []}]
    for each in OPERATIONS:
        if each.method == "PUT" and each.path != "/rules":
            assert DOCUMENT["paths"][each.path]["get"], "what can be put can be got"


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: f"{each.method} {each.path}")
async def test_every_answer_fits_its_description(operation: Operation) -> None:
    body = {"put_rules": RULES, "put_faults": '{"enabled": false}', "put_levels": '{"abort": 1}'}
    sent = body.get(operation.handler, '{"name": "a"}').encode() if operation.body else None
    assert await ask(operation, KEY, {}, sent) == (200, [])


def of_rules(schema: dict[str, Any]) -> dict[str, Any]:
    """What a rule's levels may be: a percentage is a policy's, and refused for a rule."""
    properties = {name: each for name, each in schema.get("properties", {}).items() if name != PERCENTAGE}
    return schema | {"properties": properties} if properties else schema


ASKED = [each for each in OPERATIONS if JSON in each.body or each.query]


@pytest.mark.slow
@pytest.mark.representative
@pytest.mark.parametrize("operation", ASKED, ids=lambda each: f"{each.method} {each.path}")
@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_fits_is_taken_and_what_does_not_is_refused(operation: Operation, data: st.DataObject) -> None:
    query = {name: data.draw(fitting(schema)) for name, schema in operation.query.items()}
    body: Any = None
    good = True
    if JSON in operation.body:
        schema = of_rules(operation.body[JSON])
        body = data.draw(fitting(schema))
        if not (good := data.draw(st.booleans())):
            body = data.draw(spoilt(body, schema))
    elif not (good := data.draw(st.booleans())):
        query = {name: f"!{value}" for name, value in query.items()}
    sent = None if body is None else json.dumps(body).encode()
    status, wrong = asyncio.run(ask(operation, KEY, query, sent))
    assert (status, wrong) == (200 if good else 400, [])


@given(
    key=st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1).filter(lambda key: key.strip("/."))
)
@settings(max_examples=40, deadline=None)
def test_a_key_of_no_rule_is_refused(key: str) -> None:
    operation = next(each for each in OPERATIONS if each.handler == "get_levels")
    assert asyncio.run(ask(operation, f"x/{key}", {}, None)) == (404, [])
