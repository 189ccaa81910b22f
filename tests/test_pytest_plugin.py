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

from chaos.errors import InvalidInput
from chaos.testing import Chaos, Gateway, VerdictError
from chaos.verify.verdict import Verdict

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


def test_the_first_line_of_a_failure_says_what_is_wrong(chaos: Chaos) -> None:
    with chaos.rules(host="payments", abort={"percentage": 100, "httpStatus": 503}) as gateway:
        ask(gateway, "payments", 200)
    with pytest.raises(VerdictError) as failed:
        chaos.verify("failures < 5%", tolerance=20)
    first, *others = str(failed.value).splitlines()
    assert first.startswith("falsified: 100") and "less than 5" in first and others


def test_hypotheses_are_judged_without_the_rules_shares_if_asked(chaos: Chaos) -> None:
    with chaos.rules(host="payments", abort={"percentage": 50, "httpStatus": 503}) as gateway:
        ask(gateway, "payments", 400)
    (finding,) = chaos.verify("failures < 80%", rules=False)
    assert finding.kind == "hypothesis"
    with pytest.raises(VerdictError, match="inconclusive"):
        chaos.verify("failures < 80%")
    with pytest.raises(VerdictError, match="no hypothesis"):
        chaos.verify(rules=False)


def test_tests_that_share_a_gateway_are_judged_each_by_itself(chaos_module: Chaos, chaos_session: Chaos) -> None:
    assert chaos_module is not chaos_session
    with chaos_module.rules(host="payments", abort={"percentage": 100, "httpStatus": 503}) as gateway:
        ask(gateway, "payments", 300)
        assert chaos_module.verify(tolerance=40)
        gateway.renew()
        with pytest.raises(VerdictError, match="no-traffic"):
            chaos_module.verify()
        ask(gateway, "payments", 300)
        found = next(each for each in chaos_module.verify(tolerance=40) if each.kind == "abort")
    assert found.observed is not None and found.drawn is not None and found.observed.n == found.drawn.n == 300


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


def test_masking_is_not_judged_as_no_request_of_a_test_is_followed(chaos: Chaos) -> None:
    with chaos.rules(host="payments", abort={"percentage": 100, "httpStatus": 503}) as gateway:
        ask(gateway, "payments", 20)
        with pytest.raises(VerdictError, match="not followed by their id") as failed:
            gateway.verify("masked(payments) > 90%", rules=False)
    assert [each.verdict for each in failed.value.findings] == [Verdict.NOT_JUDGED]


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
def test_the_fixture_comes_with_the_package_and_imports_nothing_heavy(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_it(chaos):
            with chaos.rules(host="web", abort={"percentage": 100, "httpStatus": 418}) as gateway:
                assert gateway.url.startswith("http://127.0.0.1:")
            assert not {"locust", "gevent", "pandas", "numpy", "matplotlib"} & set(sys.modules)
        """
    )
    result = pytester.run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)


@pytest.mark.slow
def test_the_documents_first_example_runs_as_it_stands(pytester: pytest.Pytester) -> None:
    """With a tenth of its requests, which decide nothing yet."""
    text = (Path(__file__).parent.parent / "docs/pytest.md").read_text(encoding="utf-8")
    example = text.split("```python\n")[1].partition("```")[0]
    shorter = example.replace("range(6000)", "range(600)").replace("tolerance=5)", "tolerance=5, undecided=True)")
    assert "range(600)" in shorter and "undecided" in shorter
    pytester.makepyfile(shorter)
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=1)


def test_the_name_of_a_file_is_no_text_of_rules(chaos: Chaos) -> None:
    with pytest.raises(InvalidInput, match=r"a file is given as Path\('shop.yaml'\)"), chaos.rules("shop.yaml"):
        pass


def test_a_failure_shows_the_tests_own_line_and_none_of_ours(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_it(chaos):
            with chaos.rules(host="web", abort={"percentage": 100, "httpStatus": 418}) as gateway:
                for _ in range(200):
                    gateway.record(200)
            chaos.verify("failures > 50%", rules=False)
        """
    )
    result = pytester.run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    shown = result.stdout.str()
    assert "E           chaos.testing.VerdictError: falsified: 0" in shown.replace("E       chaos", "E           chaos")
    assert "testing.py" not in shown and ">       chaos.verify" in shown
