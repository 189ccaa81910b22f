"""What the end of a run says of failures that nobody injected."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaos.protocol.digest import WARM_UP, Digest, Key
from chaos.protocol.exemplars import Exemplar
from chaos.runner.supervise.unexplained import Unexplained, is_unexplained

OK, BROKEN = Key("", "cart", "web[0]", "v1:80", 200), Key("", "cart", "web[0]", "v1:80", 500)
LOST = Key("", "cart", "", "", 0, "", 1, "reset")
FOLDER = Path("reports/shop/1")


@pytest.mark.parametrize(
    ("key", "unexplained"),
    [
        (OK, False),
        (BROKEN, True),
        (LOST, True),
        (OK._replace(check="body"), True),
        (BROKEN._replace(destination="", fault="abort", status=503), False),
        (BROKEN._replace(fault="delay", status=504), False),
        (BROKEN._replace(destination="", status=503), False),  # a direct response
        (BROKEN._replace(route="", destination="", status=404), True),  # no rule took it
        (BROKEN._replace(phase=WARM_UP), False),
    ],
)
def test_neither_a_fault_nor_a_rules_own_reply_explains_it(key: Key, unexplained: bool) -> None:
    assert is_unexplained(key) is unexplained


def line(*keys: Key, applications: tuple[str, ...] = (), replays: bool = True, gateway: str | None = None) -> str:
    found, digest = Unexplained(), Digest()
    for key in keys:
        digest.add(key, 1000)
    found.count(digest)
    found.keep([Exemplar(f"id-{key.status}", key, 0.0, 1000).record() for key in keys])
    return found.line(applications, FOLDER, gateway, replays=replays)


def test_the_line_has_the_command_that_sends_one_of_the_most_frequent_again() -> None:
    assert line(OK, BROKEN._replace(fault="abort")) == ""
    assert line(OK, BROKEN) == (
        "1 request failed without a fault; one of them again: chaos replay reports/shop/1 --id id-500"
    )
    assert line(BROKEN, LOST, LOST, gateway="http://mesh:80") == (
        "3 requests failed without a fault; one of them again: "
        "chaos replay reports/shop/1 --id id-0 --gateway http://mesh:80"
    )
    assert line(BROKEN, replays=False) == "1 request failed without a fault: see Single requests in the report"


def test_an_application_has_faults_in_its_own_calls() -> None:
    assert line(BROKEN, applications=("cart",)) == ""
