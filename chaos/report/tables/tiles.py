"""The few numbers of a run that everybody looks for first."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from chaos import formatting as words
from chaos.errors import ExitCode
from chaos.journal.result import Result
from chaos.report.data import frames
from chaos.statuses import is_grpc


@dataclass(frozen=True, slots=True)
class Tile:
    what: str
    value: str
    note: str = ""


def tiles(result: Result, table: pd.DataFrame) -> tuple[Tile, ...]:
    """Return the tiles of a run."""
    got = result.delivered
    made = [
        Tile("Requests", words.count(got.requests), f"in {words.seconds(got.seconds)}" if got.seconds else ""),
        Tile("Requests per second", words.short_count(got.rate), _users(result)),
    ]
    if result.plan.of_samples and not got.requests:
        made.clear()  # counts alone have no requests that are known one by one
    if got.requests:
        failed = int(table.loc[frames.failed(table), "count"].sum())
        faulted = int(table.loc[table["fault"] != "", "count"].sum())
        everything = frames.merged(table["latency"])
        if faulted or not result.plan.of_samples:  # samples may not say which met a fault
            made.append(_faults(result, faulted))
        if result.plan.policies:
            made.append(_policies(result))
        made += [
            Tile(
                "Failed for users",
                words.share(failed / got.requests),
                f"{words.count(failed)} with {_bad(table)}",
            ),
            Tile(
                "Median latency",
                words.measured(everything.quantile(0.5)),
                f"p99 {words.measured(everything.quantile(0.99))}",
            ),
        ]
    made.append(Tile("Exit code", str(result.exit_code), _exit_name(result.exit_code)))
    return tuple(made)


def _users(result: Result) -> str:
    return "" if result.plan.of_samples else f"{words.plural(result.delivered.peak_users, 'user')} at most"


def _faults(result: Result, faulted: int) -> Tile:
    """Return the tile of faults: of the load's own requests or, if only an application's calls got faults, of those."""
    phases = result.counters["phases"] if result.counters else {}
    rules = [rule for phase in phases.values() for rule in phase.values()]
    injected = sum(sum(rule["faults"].values()) for rule in rules)
    if not faulted and injected:
        calls = sum(rule["requests"] for rule in rules)
        return Tile("Faults injected", words.count(injected), f"into {words.count(calls)} calls of the application")
    what = "Met a rule\u2019s fault" if result.plan.policies else "Met a fault"
    return Tile(what, words.share(faulted / result.delivered.requests), f"{words.count(faulted)} requests")


def _policies(result: Result) -> Tile:
    """Return the tile of policies: how often requests or attempts met one of theirs, as the gateway counted."""
    counted = (result.counters.get("policies", {}) if result.counters else {}).values()
    met = sum(counts["met"] for policies in counted for counts in policies.values())
    names = {each["name"] for each in result.plan.policies}
    return Tile("Met a policy\u2019s fault", words.count(met), f"of {words.plural(len(names), 'policy', 'policies')}")


def _bad(table: pd.DataFrame) -> str:
    """Return what counts as a failure, of the kinds of statuses that there are."""
    grpc = table["status"].map(is_grpc)
    kinds = [*(["4xx, 5xx"] if not grpc.all() else []), *(["a gRPC status other than OK"] if grpc.any() else [])]
    return f"{', '.join(kinds)} or no response"


def _exit_name(code: int) -> str:
    try:
        return ExitCode(code).name.lower().replace("_", " ")
    except ValueError:
        return ""
