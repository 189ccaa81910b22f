"""Files of istio-config-validator: read as they are, with the same verdict wherever Istio routes as it supposes."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaos.errors import InvalidInput
from chaos.runner.route_testing import Tested as Run
from chaos.runner.route_testing import run_tests

RULES = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: shop}
spec:
  hosts: [shop.example.com, shop]
  gateways: [edge/public]
  http:
  - match: [{uri: {prefix: /old}}]
    redirect: {uri: /new}
  - match: [{uri: {prefix: /cart}, method: {regex: GET|POST}}]
    headers: {request: {set: {x-team: cart}}}
    rewrite: {uri: /basket}
    fault: {abort: {percentage: {value: 100}, httpStatus: 403}}
    route: [{destination: {host: cart, port: {number: 8080}}, weight: 100}]
  - match: [{uri: {prefix: /far}}]
    delegate: {name: far, namespace: away}
  - match: [{uri: {prefix: /near}}]
    delegate: {name: near}
  - route: [{destination: {host: front}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: near, namespace: shop}
spec:
  http: [{timeout: 1s, route: [{destination: {host: near}}]}]
"""


def run(folder: Path, case: str, *, want: bool = True, uri: str = "/cart/7") -> Run:
    (folder / "rules.yaml").write_text(RULES)
    (folder / "cases.yaml").write_text(
        f"testCases:\n- description: a case\n  wantMatch: {str(want).lower()}\n"
        f"  request: {{authority: [shop.example.com], method: [GET, POST], uri: ['{uri}']}}\n  {case}\n"
    )
    return run_tests([str(folder / "rules.yaml"), str(folder / "cases.yaml")])


ALIKE = [
    ("/cart/7", "route: [{destination: {host: cart, port: {number: 8080}}}]"),
    ("/cart/7", "route: [{destination: {host: cart.shop.svc.cluster.local, port: {number: 8080}}, weight: 100}]"),
    ("/cart/7", "headers: {request: {set: {x-team: cart}}}"),
    ("/cart/7", "rewrite: {uri: /basket}"),
    ("/cart/7", "fault: {abort: {percentage: {value: 100}, httpStatus: 403}}"),
    ("/old", "redirect: {uri: /new}"),
    ("/near", "delegate: {name: near}"),
    ("/near", "delegate: {name: near, namespace: shop}"),
    ("/near", "route: [{destination: {host: near}}]"),
    ("/far/1", "delegate: {name: far, namespace: away}"),
    ("/else?x=1", "route: [{destination: {host: front}}]"),
]
OTHER = [
    ("/cart/7", "route: [{destination: {host: cart}}]", "route: wanted "),
    ("/cart/7", "rewrite: {uri: /cart}", 'rewrite: wanted {"uri": "/cart"}, came {"uri": "/basket"} of shop[1]'),
    ("/near", "delegate: {name: far}", 'delegate: wanted {"name": "far"}, came {"name": "near", "namespace": "shop"}'),
    ("/else", "redirect: {uri: /new}", 'redirect: wanted {"uri": "/new"}, came none of shop[4]'),
]


@pytest.mark.parametrize(("uri", "case"), ALIKE)
def test_what_is_alike_matches(uri: str, case: str, tmp_path: Path) -> None:
    assert not run(tmp_path, case, uri=uri).failed
    assert len(run(tmp_path, case, uri=uri, want=False).failed) == 2


@pytest.mark.parametrize(("uri", "case", "said"), OTHER)
def test_what_is_not_alike_does_not(uri: str, case: str, said: str, tmp_path: Path) -> None:
    failed = run(tmp_path, case, uri=uri).failed
    assert len(failed) == 2 and str(failed[0].differences[0]).startswith(said)
    assert not run(tmp_path, case, uri=uri, want=False).failed


def test_every_request_is_a_test_of_its_own(tmp_path: Path) -> None:
    names = [each.case.name for each in run(tmp_path, "redirect: {uri: /new}", uri="/old").outcomes]
    assert names == [f"a case [{method} http://shop.example.com/old]" for method in ("GET", "POST")]


def test_what_the_files_lack_is_assumed_and_said(tmp_path: Path) -> None:
    assert run(tmp_path, "delegate: {name: far, namespace: away}", uri="/far").notes == (
        "Gateway edge/public is not in the files: taken as one with every host on port 80",
        "the delegate away/far is not in the files: taken as one that has every request",
    )


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("rout: []", "testCases[0].rout: unknown field `rout`; did you mean `route`?"),
        ("route: [{destination: {hots: a}}]", "did you mean `host`?"),
        ("# nothing", "testCases[0]: nothing is expected"),
    ],
)
def test_a_mistake_has_its_place(case: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as refused:
        run(tmp_path, case)
    assert said in str(refused.value) and "cases.yaml:" in str(refused.value)
