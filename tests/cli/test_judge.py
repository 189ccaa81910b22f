"""`chaos judge`: the verdict on counts and samples of others, with the exit codes, sentences and folder of a run."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from chaos.cli.commands import call

DATA = Path(__file__).parents[1] / "samples/data"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def requests(count: int = 12000) -> str:
    """A CSV of requests, 200 a second, of which half fail."""
    rows = (
        f"{1796040000 + n / 200:.3f},{'buy' if n % 3 else 'look'},{503 if n * 7919 % 97 % 2 else 200},{5 + n % 11}\n"
        for n in range(count)
    )
    return "time,task,status,latency_ms\n" + "".join(rows)


@pytest.mark.parametrize(
    ("claim", "successes", "trials", "verdict", "code"),
    [
        ("abort 50% ± 2", 4980, 10000, "verified", 0),
        ("abort 50% +- 2", 4500, 10000, "falsified", 1),
        ("abort 50%", 50, 100, "inconclusive", 3),
        ("abort 50%", 0, 0, "no-traffic", 6),
        ("abort 0%", 1, 100000, "falsified", 1),
    ],
)
def test_two_numbers_have_a_verdict(
    claim: str, successes: int, trials: int, verdict: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = ["--successes", str(successes), "--trials", str(trials)]
    assert call(["judge", "--claim", claim, *counts, "--no-report"]) == code
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].endswith(verdict)
    assert shown[-1].startswith(verdict)
    assert not Path("reports").exists()


def test_a_file_of_claims_divides_the_confidence_that_it_states(capsys: pytest.CaptureFixture[str]) -> None:
    claims = "confidence: 95\nclaims:\n- {claim: abort 50% ± 2, successes: 4980, trials: 10000}\n"
    Path("counts.yaml").write_text(claims + "- {claim: cache hit 90%, successes: 8000, trials: 10000}\n")
    assert call(["judge", "counts.yaml"]) == 1
    assert "95 % interval" in capsys.readouterr().out
    (result,) = Path("reports/counts").glob("*/result.json")
    findings = json.loads(result.read_text())["findings"]
    assert [(each["title"], each["verdict"], each["alpha"]) for each in findings] == [
        ("abort", "verified", pytest.approx(0.025)),
        ("cache hit", "falsified", pytest.approx(0.025)),
    ]


def test_samples_get_the_folder_of_a_run_that_report_compare_and_the_index_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("shop.csv").write_text(requests())
    command = ["judge", "shop.csv", "--expect", "buy.p99 < 100ms", "--expect", "failures < 90%"]
    assert call(command) == 0
    assert call([*command, "--name", "shop"]) == 0
    first, second = sorted(each.parent for each in Path("reports/shop").glob("*/report.html"))
    result = json.loads((first / "result.json").read_text())
    assert (result["outcome"], result["load"]["delivered"]["requests"]) == ("verified", 12000)
    assert result["load"]["delivered"]["rate"] == pytest.approx(200, rel=0.02)
    page = (first / "report.html").read_text()
    assert "users at most" not in page  # nothing is said of a load and a gateway that there were not
    assert not {f'id="{each}"' for each in ("load", "ledgers")} & set(page.replace(">", " ").split())
    assert "--seed" not in page
    assert call(["report", str(first)]) == 0
    capsys.readouterr()
    assert call(["compare", str(first), str(second)]) in (0, 3)  # the same requests: none has changed
    assert "buy  p99 latency" in capsys.readouterr().out
    assert "shop" in Path("reports/index.html").read_text()


def test_what_a_format_cannot_know_is_said_and_the_rest_is_judged(capsys: pytest.CaptureFixture[str]) -> None:
    stats = str(DATA / "locust_stats.csv")
    assert call(["judge", stats, "--expect", "failures < 5%", "--expect", "p99 < 200ms", "--no-report"]) == 0
    shown = capsys.readouterr().out
    assert "p99 < 200ms: not judged: Locust's CSV has percentiles, not latencies" in shown
    assert "(the file itself says 80 ms)" in shown
    assert call(["judge", stats, "--expect", "p99 < 200ms", "--no-report"]) == 3


def test_gzip_is_recognized(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.gz").write_bytes(gzip.compress(requests(400).encode()))
    assert call(["judge", "a.gz", "--expect", "failures < 99%", "--no-report"]) == 0


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        ("time,status\n1,200\n2,abc\n", ["--expect", "failures < 5%"], 'requests:3:3: status: "abc" is no status'),
        (
            'status,fault\n200,"abrot"\n',
            ["--claim", "abort 5%"],
            'requests:2:5: fault: "abrot" is no fault; did you mean',
        ),
        (
            "status,latency\n200,12\n",
            ["--expect", "p99 < 1s"],
            'requests:2:5: latency: "12" has no unit; name the column',
        ),
        (
            "time,statos\n1,200\n",
            ["--expect", "failures < 5%"],
            "requests:1:1: no column has the status; did you mean statos?",
        ),
        ("a,status\n200\n", ["--expect", "failures < 5%"], "requests:2:1: has 1 fields, and the header 2"),
        (
            "status,elapsed,duration\n",
            ["--expect", "p99 < 1s"],
            "requests:1:8: duration and elapsed may all be the latency",
        ),
        (
            '{"status": 200}\n{"status": }\n',
            ["--expect", "failures < 5%"],
            "requests:2:12: is no JSON: Expecting value",
        ),
        ('{"status": 200}\n{"status": 2}\n', ["--expect", "failures < 5%"], "requests:2:2: status: 2 is no status"),
        ("", ["--expect", "failures < 5%"], "requests:1:1: is empty: there is nothing to judge"),
        ("hello\n", ["--expect", "failures < 5%"], "requests:1:1: is none of the formats that are known"),
        (
            "time,status\n9000,200\n5,200\n",
            ["--expect", "failures < 5%"],
            "requests:3:1: its request was sent 2h29m55s before",
        ),
        ("status\n200\n", [], "chaos judge:1:1: nothing is claimed"),
        (
            "status\n200\n",
            ["--expect", "failuers < 5%"],
            "--expect:1:1: unknown metric 'failuers'; did you mean 'failures'?",
        ),
        (
            "status\n200\n",
            ["--expect", "failures < 5%", "--format", "k6"],
            "--format:1:1: 'k6' is not known; there are csv",
        ),
        (
            "status\n200\n",
            ["--expect", "failures < 5%", "--column", "tsk=a"],
            "--column:1:1: 'tsk' is no field of a request",
        ),
        ("status\n200\n", ["--successes", "1", "--trials", "2"], "--successes:1:1: counts are those of one --claim"),
        ("claims: []\n", [], "requests:1:1: claims: is empty"),
        (
            "claims:\n- {claim: abort 50, success: 1, trials: 2}\n",
            [],
            "requests:2:21: claims[0].success: unknown field `success`; did you mean `successes`?",
        ),
        (
            '{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "5"]}]}}\n',
            ["--expect", "failures < 5%"],
            "requests:1:1: data.result[0]: the series has no label with the status",
        ),
        (
            '{"DurationHistogram": {}, "RetCodes": {"SERVING": 5}}\n',
            ["--expect", "failures < 5%"],
            "'SERVING' is no HTTP",
        ),
    ],
)
def test_bad_input_is_located(
    content: str, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("requests").write_text(content)
    assert call(["judge", "requests", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not list(Path().glob("reports/*/*"))  # nothing is left behind


def test_counts_without_their_claim_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["judge", "--claim", "abort 50%", "--successes", "5"]) == 2
    assert call(["judge", "--claim", "abort 50%", "--successes", "5", "--trials", "4"]) == 2
    assert call(["judge"]) == 2
    assert call(["judge", "nowhere.csv", "--expect", "failures < 5%"]) == 2
    shown = capsys.readouterr().err
    assert "--trials:1:1: is missing" in shown
    assert "5 successes of 4 trials" in shown
    assert "give a FILE of samples" in shown
    assert "nowhere.csv:1:1: cannot be read" in shown
