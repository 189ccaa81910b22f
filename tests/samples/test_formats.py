"""Each format is recognized by its content and read as the tool that writes it means it (small files in `data`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from chaos.errors import InvalidInput
from chaos.protocol.digest import Key
from chaos.samples.detect import Options, Text, source_of
from chaos.samples.source import Batch, Row, Source

DATA = Path(__file__).parent / "data"
NOON = 1796040000.0  # 2026-11-30T12:00:00Z


def opened(*names: str, options: Options | None = None) -> Source:
    texts = [Text(name, (DATA / name).read_text().splitlines(keepends=True)) for name in names]
    return source_of(texts, options or Options())


def rows(*names: str) -> tuple[Source, Sequence[Row | Batch]]:
    """The source, read to its end, and what it gave."""
    source = opened(*names)
    return source, list(source.items)


def counts(status: dict[tuple[str, int], int]) -> dict[Key, int]:
    return {Key("", task, "", "", code): count for (task, code), count in status.items()}


@pytest.mark.parametrize("name", ["requests.csv"])
def test_csv_rows_have_times_by_their_size_or_iso_and_a_latency_in_the_columns_unit(name: str) -> None:
    source, found = rows(name)
    assert found == [
        Row("GET /cart", 200, NOON + 0.25, 12500, "", "calm"),
        Row("GET /a,b", 503, NOON + 0.5, 1250, "abort", "storm"),
        Row("GET /cart", 0, NOON + 1, 2_000_000, "", "storm", "no response"),
    ]
    assert (source.format, source.unknown) == ("csv", {})


def test_ndjson_rows_may_leave_out_what_there_is_nothing_to_say_of() -> None:
    source = opened("requests.ndjson", options=Options(unit="ms"))
    assert list(source.items) == [
        Row("GET /cart", 200, NOON + 0.25, 12500),
        Row("GET /a,b", 503, NOON + 0.5, 1250, "abort"),
        Row("GET /cart", 0, NOON + 1, 1, error="reset"),
    ]
    assert (source.format, source.unknown) == ("ndjson", {})


def test_k6_csv_has_a_row_a_metric_stamped_with_the_end_of_the_request() -> None:
    source, found = rows("k6.csv")
    assert found == [
        Row("http://shop/cart", 200, pytest.approx(NOON + 1 - 0.0125), 12500),
        Row("http://shop/a,b", 503, NOON + 3 - 1.5, 1_500_000, "abort", "storm"),
        Row("http://shop/cart", 0, pytest.approx(NOON + 4), 1, error="refused"),
    ]
    assert (source.format, source.unknown) == ("k6-csv", {})  # a tag says which met a fault


def test_k6_json_has_nanoseconds_and_zones() -> None:
    source, found = rows("k6.json")
    assert found == [
        Row("http://shop/cart", 200, pytest.approx(NOON - 3600 + 1.512345 - 0.0125), 12500),
        Row("http://shop/cart", 0, pytest.approx(NOON - 3600 + 2), 1, error="timeout"),
    ]
    assert source.format == "k6-json"
    assert "k6 does not write" in source.unknown["fault"]


def test_envoys_flags_are_the_faults_and_other_lines_are_left_out() -> None:
    source, found = rows("envoy.log")
    assert found == [
        Row("GET /reviews/1", 200, NOON + 1.25, 14_500),
        Row("canary", 503, NOON + 1.1, 5_001_500, "delay,abort"),
        Row("GET /reviews/2", 0, NOON + 6, 900_500, error="closed"),
    ]
    assert (source.format, source.unknown) == ("envoy", {})
    assert source.notes == ["1 line of 4 are no access log's: left out"]


def test_locusts_totals_are_counts_of_each_name_without_the_sum() -> None:
    source, found = rows("locust_stats.csv")
    expected = {("/cart", 200): 5880, ("/cart", 500): 120, ("/shop", 200): 2990, ("/shop", 500): 10}
    assert found == [Batch(counts(expected))]
    assert set(source.unknown) == {"status", "lost", "fault", "latency", "times"}
    assert (source.told["/cart", "p99"], source.told["", "p50"]) == ("92 ms", "11 ms")


def test_locusts_history_has_what_each_second_added() -> None:
    source, found = rows("locust_history.csv")
    batches = [each for each in found if isinstance(each, Batch)]
    assert [(each.at, each.seconds) for each in batches] == [(NOON - 1 + second, 1.0) for second in range(8)]
    assert {sum(each.counts.values()) for each in batches} == {300}
    assert "times" not in source.unknown


def test_fortio_counts_statuses_and_minus_one_is_no_response() -> None:
    source, found = rows("fortio.json")
    lost = {Key("", "", "", "", 0, error="no response"): 2}
    assert found == [Batch(counts({("", 200): 6048, ("", 503): 5950}) | lost)]
    assert set(source.unknown) == {"fault", "times", "latency"}
    assert source.told["", "p99"] == "31.2ms"


def test_prometheus_counts_what_was_added_between_two_queries() -> None:
    source, found = rows("prometheus_after.json", "prometheus_before.json")
    key = Key("", "", "", "", 503)
    expected = {key._replace(status=200): 7015, key._replace(fault="abort"): 7000, key: 3}
    assert found == [Batch(expected, NOON + 0.1, 60.0)]
    assert set(source.unknown) == {"latency", "lost", "times"}


def test_prometheus_ranges_are_stretches_and_a_fallen_counter_counts_from_0() -> None:
    source, found = rows("prometheus_range.json")
    assert found == [
        Batch(counts({("reviews", 200): 300, ("reviews", 503): 6}), NOON, 15.0),
        Batch(counts({("reviews", 200): 30, ("reviews", 503): 10}), NOON + 15, 15.0),
    ]
    assert source.notes == ["a counter fell from 400 to 30: it was reset, and counts from 0"]
    assert "times" not in source.unknown


def test_requests_that_both_of_their_proxies_counted_are_refused() -> None:
    series = ",".join(
        f'{{"metric":{{"response_code":"200","reporter":"{each}"}},"value":[1,"5"]}}'
        for each in ("source", "destination")
    )
    text = f'{{"status":"success","data":{{"resultType":"vector","result":[{series}]}}}}'
    with pytest.raises(InvalidInput, match="counted twice"):
        source_of([Text("a", [text]), Text("b", [text])], Options())


def test_the_user_may_name_columns_and_unit() -> None:
    jmeter = "timeStamp,elapsed,label,responseCode,Latency\n1796040000000,12,a,200,10\n"
    options = Options(columns={"latency": "elapsed"}, unit="ms")
    source = source_of([Text("a.jtl", jmeter.splitlines(keepends=True))], options)
    assert list(source.items) == [Row("a", 200, NOON, 12_000)]


@pytest.mark.parametrize(
    ("content", "missing"),
    [
        ("status\n200\n", {"times", "latency", "fault"}),
        ("end,duration_s,status\n5,0.5,200\n", {"fault"}),
        ("time,status,fault\n5,503,FI\n", {"latency"}),
    ],
)
def test_what_a_table_has_no_column_for_is_unknown(content: str, missing: set[str]) -> None:
    source = source_of([Text("a.csv", content.splitlines(keepends=True))], Options())
    assert len(list(source.items)) == 1
    assert set(source.unknown) == missing
