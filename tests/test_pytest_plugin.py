"""The pytest plugin as a user meets it: a test of the demo application, with a client of its own."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from chaos.testing import Chaos, Gateway, VerdictError

pytest_plugins = ["pytester"]


def ask(gateway: Gateway, host: str, times: int, path: str = "/") -> list[int]:
    """Statuses of so many requests on one connection, recorded."""
    address = urlsplit(gateway.url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=10)
    statuses = []
    for _ in range(times):
        connection.request("GET", path, headers={"Host": host})
        response: HTTPResponse = connection.getresponse()
        response.read()
        gateway.record(response)
        statuses.append(response.status)
    connection.close()
    return statuses


def many(gateway: Gateway, host: str, times: int, path: str = "/") -> list[int]:
    with ThreadPoolExecutor(4) as pool:
        return [s for part in pool.map(lambda _: ask(gateway, host, times // 4, path), range(4)) for s in part]


@pytest.mark.slow
def test_half_of_the_requests_are_aborted_and_the_verdict_says_so(chaos: Chaos) -> None:
    with chaos.rules(host="payments", abort={"percentage": 50, "httpStatus": 503}) as gateway:
        statuses = many(gateway, "payments", 6000)
    assert set(statuses) == {200, 503}
    findings = chaos.verify("failures < 60%", tolerance=5)
    assert {finding.kind for finding in findings} >= {"abort", "hypothesis"}


@pytest.mark.slow
def test_a_hypothesis_that_does_not_hold_fails_the_test_and_says_why(chaos: Chaos) -> None:
    with chaos.rules(host="payments", abort={"percentage": 50, "httpStatus": 503}) as gateway:
        many(gateway, "payments", 2000)
    with pytest.raises(VerdictError, match="less than 5"):
        chaos.verify("failures < 5%", tolerance=10)


@pytest.mark.slow
def test_a_rule_without_traffic_is_never_a_success(chaos: Chaos) -> None:
    with chaos.rules(host="payments", abort={"percentage": 50, "httpStatus": 503}):
        pass
    with pytest.raises(VerdictError, match="no-traffic"):
        chaos.verify()


@pytest.mark.slow
def test_too_few_requests_decide_nothing(chaos: Chaos) -> None:
    with chaos.rules(host="payments", abort={"percentage": 50, "httpStatus": 503}) as gateway:
        ask(gateway, "payments", 20)
    with pytest.raises(VerdictError, match="inconclusive"):
        chaos.verify()
    assert chaos.verify(undecided=True)


def test_faults_can_be_switched_off_while_the_test_runs(chaos: Chaos) -> None:
    with chaos.rules(host="payments", abort={"percentage": 100, "httpStatus": 503}) as gateway:
        assert set(ask(gateway, "payments", 5)) == {503}
        gateway.faults(False)
        assert set(ask(gateway, "payments", 5)) == {200}


@pytest.mark.slow
def test_an_experiment_file_serves_as_it_is(chaos: Chaos) -> None:
    file = Path(__file__).parents[1] / "experiments" / "redirect.yaml"
    with chaos.rules(file) as gateway:
        assert set(ask(gateway, "webserver", 3)) == {301}


@pytest.mark.slow
def test_an_applications_own_calls_pass_through_http_proxy(chaos: Chaos) -> None:
    with chaos.rules(host="payments", abort={"percentage": 100, "httpStatus": 418}) as gateway:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler(gateway.proxies))
        with pytest.raises(urllib.error.HTTPError) as refused:
            opener.open("http://payments/", timeout=10)
        assert refused.value.code == 418
        refused.value.close()


@pytest.mark.slow
def test_the_fixture_comes_with_the_package_and_never_imports_locust(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_it(chaos):
            with chaos.rules(host="web", abort={"percentage": 100, "httpStatus": 418}) as gateway:
                assert gateway.url.startswith("http://127.0.0.1:")
            assert "locust" not in sys.modules
        """
    )
    result = pytester.run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
