"""Octets that attackers and broken servers send: our gateway is as strict as Envoy, or stricter, and never laxer.

Each row goes through our gateway and through the real Envoy, configured by `chaos export envoy`, to an upstream that
writes down every request it can read. The two give the same answers and send upstream the same requests, or the row
says what Envoy does (`envoy`) and docs/fidelity.md says why we differ: we may refuse what Envoy accepts where the end
of a message is in question, and never the other way round."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from support.attacks import ATTACKS, HANGS, Attack, Does
from support.conformance import by_name, differences
from support.envoy import Envoy, available
from support.envoy_bootstrap import envoy_bootstrap
from support.gateway import Gateway
from support.raw_client import Answer
from support.raw_exchange import Outcome, Recorder, Written, play, recorder

EXPERIMENT = """\
apiVersion: chaos/v1alpha1
kind: Experiment
metadata: {{name: attacks}}
spec:
  services:
    web.default.svc.cluster.local:80: {{endpoints: [{{address: 127.0.0.1:{port}}}]}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: web}}
spec:
  hosts: [web]
  http:
  - {{match: [{{uri: {{exact: /mirrored}}}}], mirror: {{host: web}}, route: [{{destination: {{host: web}}}}]}}
  - {{retries: {{attempts: 0}}, route: [{{destination: {{host: web}}}}]}}
"""


each = pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
SHORT = {name: attack for name, attack in ATTACKS.items() if len(attack.data) < 200 and not name.startswith("answers")}


# ------------------------------------------------------------------------------------------------ the two proxies


@dataclass
class Stand:
    """One proxy in front of one upstream."""

    port: int
    upstream: Recorder

    async def play(self, attack: Attack, does: Does, *pieces: bytes) -> Outcome:
        self.upstream.answer, self.upstream.ending = attack.answer, attack.ending
        data = pieces or (attack.data,)
        stays_open, copies = does.open, does.requests
        return await play(
            self.port, data, self.upstream, answers=len(does.statuses), stays_open=stays_open, copies=copies
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ours() -> AsyncIterator[Stand]:
    async with recorder() as upstream, Gateway(EXPERIMENT.format(port=upstream.port)) as proxy:
        yield Stand(proxy.port, upstream)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def envoy() -> AsyncIterator[Stand]:
    async with recorder() as upstream, Envoy(envoy_bootstrap(EXPERIMENT.format(port=upstream.port))) as proxy:
        yield Stand(proxy.port, upstream)


def check(outcome: Outcome, does: Does) -> None:
    assert tuple(outcome.statuses) == does.statuses
    assert outcome.open is does.open
    assert outcome.surplus == b""
    if not does.open:
        last = outcome.answers[-1]
        assert last.cut or "close" in last.first("connection"), "the client is told that this is the end"
    assert len(outcome.upstream) == does.requests, outcome.upstream


def comparable(outcome: Outcome) -> dict[str, Any]:
    upstream = sorted(outcome.upstream, key=lambda request: ("x-envoy-internal", "true") in request.headers)
    return {"answers": [_answer(one) for one in outcome.answers], "upstream": [_request(one) for one in upstream]}


def _answer(answer: Answer) -> dict[str, Any]:
    body = b"<cut>" if answer.cut else answer.body  # how much came before depends on how the octets were read
    return {
        "status": answer.status, "interim": answer.interim, "headers": by_name(answer.headers, False),
        "trailers": answer.trailers, "body": body, "cut": answer.cut,
    }  # fmt: skip


def _request(request: Written) -> dict[str, Any]:
    return {
        "start": request.start, "headers": by_name(request.headers, False), "body": request.body,
        "trailers": request.trailers,
    }  # fmt: skip


@each
@pytest.mark.asyncio(loop_scope="module")
async def test_our_gateway_does_what_the_row_says(attack: Attack, ours: Stand) -> None:
    check(await ours.play(attack, attack.ours), attack.ours)


@pytest.mark.parametrize("attack", SHORT.values(), ids=SHORT)
@pytest.mark.asyncio(loop_scope="module")
async def test_it_does_so_however_the_octets_are_split(attack: Attack, ours: Stand) -> None:
    """A limit or a refusal that holds for one read must hold for two."""
    for at in range(5, len(attack.data), 11):
        check(await ours.play(attack, attack.ours, attack.data[:at], attack.data[at:]), attack.ours)


@pytest.mark.envoy
@pytest.mark.slow
@pytest.mark.skipif(not available(), reason="no Envoy here")
@each
@pytest.mark.asyncio(loop_scope="module")
async def test_envoy_does_what_the_row_says_and_the_same_as_ours_in_every_octet_that_matters(
    attack: Attack, ours: Stand, envoy: Stand
) -> None:
    if attack.envoy is HANGS:
        pytest.skip("Envoy waits for ever")
    theirs = await envoy.play(attack, attack.envoy)
    check(theirs, attack.envoy)
    if attack.kept:
        return
    mine = await ours.play(attack, attack.ours)
    found = differences(comparable(mine), comparable(theirs))
    assert not found, found


def test_where_we_differ_we_are_stricter() -> None:
    """A row that Envoy refuses or cuts is never one that we let pass."""
    for name, attack in ATTACKS.items():
        if attack.envoy is not HANGS and attack.envoy != attack.ours:
            assert attack.ours.requests <= attack.envoy.requests, name
            assert attack.ours.statuses[-1] >= 400 or not attack.ours.open, name
