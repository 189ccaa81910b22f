"""How often verdicts are wrong, by simulation, in full: `make calibration`. docs/verdicts.md shows its output.

Every row is `RUNS` seeded runs; the same rows run smaller in the tests. A rate beside which `at most` stands is a
promise: the command fails when it is exceeded by more than chance explains once in a million."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.homogeneity import on_right_gateways, on_wrong_gateways
from benchmarks.row import Row
from chaos.verify.claim import split_alpha, within
from chaos.verify.dependence import alike as alike_by_latency
from chaos.verify.dependence import alike_if_shown
from chaos.verify.drift import find_drift
from chaos.verify.independence import dependence
from chaos.verify.interval import VAGUE
from chaos.verify.interval import excludes as excluded
from chaos.verify.planning import requests_needed
from chaos.verify.quantile import allowed_ranks
from chaos.verify.ratio import excludes
from chaos.verify.verdict import Verdict
from tests.support.simulated_calls import alike, in_stretches, steady, storms
from tests.support.simulated_latencies import alone, around, misses, ranks
from tests.support.simulated_runs import decided_runs
from tests.support.simulated_tries import SimulatedTries

RUNS = 10_000
ALPHA = 0.01
SHARES = (0.0, 0.001, 0.01, 0.1, 0.5, 0.99, 1.0)


def right_gateways() -> Iterator[Row]:
    """`until: decided`; the gateway does as it is told. Wrong is a falsification."""
    for share in SHARES:
        claim = within(share)
        step = max(25, requests_needed(claim, ALPHA).median // 80)
        runs = decided_runs(claim, share, ALPHA, runs=RUNS, step=step, limit=1000 * step, seed=[10, round(share * 1e4)])
        median, late = np.percentile(runs.requests, [50, 90])
        note = f"half verified by {median:,.0f} requests, nine in ten by {late:,.0f}"
        yield Row(f"{share * 100:g} % configured and done", RUNS, int(runs.falsified.sum()), ALPHA, note)


def edges() -> Iterator[Row]:
    """The truth on the very edge of the tolerance. Wrong is a verification."""
    for share in (0.001, 0.01, 0.1, 0.5, 0.99):
        claim = within(share)
        step = max(25, requests_needed(claim, ALPHA).median // 40)
        truth = round(claim.high, 9)
        runs = decided_runs(claim, truth, ALPHA, runs=RUNS, step=step, limit=400 * step, seed=[11, round(share * 1e4)])
        yield Row(
            f"{share * 100:g} % configured, {truth * 100:g} % done",
            RUNS,
            int(runs.verified.sum()),
            ALPHA,
            "the edge itself",
        )


def power() -> Iterator[Row]:
    """Gateways that are off. Wrong is anything but a falsification."""
    for truth in (0.47, 0.45, 0.75):
        runs = decided_runs(
            within(0.5), truth, ALPHA, runs=RUNS, step=500, limit=1_000_000, seed=[12, round(truth * 100)]
        )
        median, late = np.percentile(runs.requests, [50, 90])
        note = f"half by {median:,.0f} requests, nine in ten by {late:,.0f}"
        yield Row(f"50 % configured, {truth * 100:g} % done", RUNS, int((~runs.falsified).sum()), ALPHA, note)


def stopping_rules() -> Iterator[Row]:
    """However a run is ended: wrong is a falsification of a right gateway at 50 %."""
    for what, step, limit in (
        ("looked at after every 20 requests", 20, 40_000),
        ("looked at every second of 3 000 requests", 3000, 150_000),
        ("looked at once, after 5 000 requests", 5000, 5000),
        ("interrupted after 1 000 requests", 100, 1000),
    ):
        runs = decided_runs(within(0.5), 0.5, ALPHA, runs=RUNS, step=step, limit=limit, seed=[13, step])
        open_ = ~(runs.verified | runs.falsified)
        yield Row(what, RUNS, int(runs.falsified.sum()), ALPHA, f"{open_.mean() * 100:.1f} % inconclusive")


def families() -> Iterator[Row]:
    """Twenty right rules in one run: wrong when any of them is falsified; or twenty on the edge, any verified."""
    alpha = split_alpha(1 - ALPHA, 20)
    for what, truth in (("twenty right rules", 0.5), ("twenty rules on the edge", 0.52 + 1e-9)):
        wrong = np.zeros(2000, bool)
        for rule in range(20):
            runs = decided_runs(within(0.5), truth, alpha, runs=2000, step=500, limit=60_000, seed=[14, rule])
            wrong |= runs.falsified if truth == 0.5 else runs.verified
        yield Row(what, 2000, int(wrong.sum()), ALPHA, "any of them")


def quantiles() -> Iterator[Row]:
    """The true quantile outside its interval even once, in sixty looks."""
    for level in (0.5, 0.95, 0.99):
        random = np.random.default_rng([15, round(level * 100)])
        rank, n, missed = np.zeros(RUNS), 0, np.zeros(RUNS, bool)
        while n < 100_000:
            step = max(5, n // 6)
            rank, n = rank + random.binomial(step, level, RUNS), n + step
            low, high = allowed_ranks(n, level, ALPHA)
            missed |= (rank < low) | (rank > high)
        yield Row(f"p{level * 100:g} within its interval", RUNS, int(missed.sum()), ALPHA)


def guards() -> Iterator[Row]:
    """The guards, on gateways that are right. Wrong is a suspicion."""
    random = np.random.default_rng(16)
    clean, fault = random.binomial(400, 0.45, RUNS), random.binomial(400, 0.55, RUNS)
    pairs = ([400 - int(a), int(a), 400 - int(b), int(b)] for a, b in zip(clean, fault, strict=True))
    wrong = sum(dependence(cells, ALPHA).verdict is Verdict.FALSIFIED for cells in pairs)
    yield Row("dependence of exactly 10 points", RUNS, wrong, ALPHA, "the edge itself")
    claim, wrong = within(0.5), 0
    for _ in range(1000):
        seconds = [(int(k), 300) for k in random.binomial(300, claim.high, 120)]
        wrong += find_drift(seconds, claim, ALPHA) is not None
    yield Row("a steady share, searched for drift", 1000, wrong, ALPHA, "on the edge of the tolerance")


def retries() -> Iterator[Row]:
    """Retries. Wrong is a falsification where the tries are right, a verification on an edge, and anything but a
    falsification where they are off."""
    quarter, half, random = [0.25] * 4, [0.5] * 4, np.random.default_rng(18)
    more, less = ([0.5, *[0.5 * part ** (1 / 3)] * 3] for part in (1.5, 0.5))
    yes, no = Verdict.VERIFIED, Verdict.FALSIFIED
    for what, wrong, failing, given_up, step, limit in (
        ("three retries of tries that fail in 25 %", no, quarter, (), 4000, 100_000),
        ("three retries of tries that fail in 50 %", no, half, (), 1000, 20_000),
        ("one retry, that fails half as often again", yes, (0.5, 0.75), (), 1000, 20_000),
        ("one retry, that fails half as often", yes, (0.5, 0.25), (), 1000, 20_000),
        ("three retries, half as much again fails in the end", yes, more, (), 1000, 20_000),
        ("three retries, half of it fails in the end", yes, less, (), 1000, 20_000),
        ("tries that fail in 10, 50, 50 and 19 %", None, (0.1, 0.5, 0.5, 0.19), (), 500, 100_000),
        ("two retries instead of three, 25 % fail", None, quarter, (0, 0, 1), 500, 100_000),
        ("two retries instead of three, 5 % fail", None, [0.05] * 4, (0, 0, 1), 5000, 400_000),
    ):
        runs = [SimulatedTries(failing, given_up) for _ in range(1000)]
        found = [run.verdict(ALPHA, random, step=step, limit=limit) for run in runs]
        bad = sum(verdict is not no for verdict in found) if wrong is None else found.count(wrong)
        half_by, late = np.percentile([run.requests for run in runs], [50, 90])
        note = "the edge itself" if wrong is yes else f"half by {half_by:,.0f} requests, nine in ten by {late:,.0f}"
        yield Row(what, 1000, bad, ALPHA, note)


def ratios() -> Iterator[Row]:
    """Calls per user request. Wrong is the true ratio outside its interval even once, in looks every 10 seconds of 10
    minutes; no five seconds are assumed to cost more than 4."""
    for what, calls in (
        ("1.75, second by second by itself", steady(1.75)),
        ("1.75, storms of 4 a quarter of the time, a second each", storms(1, 4, 1 / 4, 1)),
        ("1.75, storms of 5 seconds", storms(1, 4, 1 / 4, 5)),
        ("1.75, storms of 10 seconds", storms(1, 4, 1 / 4, 10)),
        ("1.75, seconds alike by half", alike(1.75, 0.5)),
        ("1.75, seconds alike by nine tenths", alike(1.75, 0.9)),
        ("1.75, storms of 16 in a twentieth of the seconds", storms(1, 16, 0.05, 1)),
    ):
        random, missed = np.random.default_rng(19), 0
        for _ in range(1000):
            stretches = in_stretches(*calls(600, random))
            missed += any(excludes(stretches[:n], 1.75, ALPHA, 4.0) for n in range(2, 121, 2))
        yield Row(what, 1000, missed, None if "10 seconds" in what or "16" in what else ALPHA)


def masking() -> Iterator[Row]:
    """The share of masked faults that is true outside its interval even once, in 20 looks at 50 requests each, and how
    often it would be if every fault counted by itself. Each request makes up to so many calls, until one succeeds."""
    for most, aborted in ((1, 0.5), (2, 0.5), (3, 0.6), (5, 0.7)):
        faults = [(tries, (1 - aborted) * aborted**tries) for tries in range(most)]
        lost, met = most * aborted**most, sum(tries * share for tries, share in faults)
        truth, random = met / (met + lost), np.random.default_rng([20, most])
        tries = np.minimum(random.geometric(1 - aborted, (1000, 1000)) - 1, most)
        noticed = np.cumsum(np.where(tries == most, most, 0), 1)
        total = np.cumsum(tries, 1)
        wrong = []
        for units in (most, 1):
            looks = [
                (int(n - k) / units, int(n) / units)
                for k, n in zip(noticed[:, 49::50].ravel(), total[:, 49::50].ravel(), strict=True)
            ]
            out = [excluded(VAGUE, k, n, ALPHA, truth) for k, n in looks]
            wrong.append(int(np.array(out).reshape(1000, -1).any(1).sum()))
        note = f"{wrong[1] / 10:.2f} % if every fault counted by itself"
        yield Row(
            f"up to {most} calls, {aborted * 100:g} % aborted, {truth * 100:.1f} % masked", 1000, wrong[0], ALPHA, note
        )


def dependent_latencies() -> Iterator[Row]:
    """The true quantile outside its interval even once, in thirty looks of a minute at 300 requests a second that
    depend on each other, and how often it would be if each counted as one."""
    for what, likeness, slow, promised in (
        ("independent", 0.0, 0.0, True),
        ("like the one before by 0.5", 0.5, 0.0, True),
        ("like the one before by 0.9", 0.9, 0.0, True),
        ("a fifth of the variance is that of slow seconds", 0.0, 0.2, False),
    ):
        for level in (0.5, 0.99):
            random = np.random.default_rng([21, round(likeness * 10), round(slow * 10), round(level * 100)])
            runs = [ranks(level, random, likeness=likeness, slow=slow) for _ in range(1000)]
            prior = around(level)
            wrong = [sum(misses(k, 300, level, ALPHA, prior, of) for k in runs) for of in (alike_by_latency, alone)]
            note = f"{wrong[1] / 10:.2f} % if each counted as one"
            kept = promised and (level, likeness) != (0.99, 0.9)
            yield Row(f"p{level * 100:g}, {what}", 1000, wrong[0], ALPHA if kept else None, note)


def dependent_shares() -> Iterator[Row]:
    """The true share outside its interval even once, in thirty looks of a minute at 300 requests a second whose
    failures depend on each other, and how often it would be if each counted as one."""
    for what, likeness, slow, promised in (
        ("independent", 0.0, 0.0, True),
        ("like the one before by 0.5", 0.5, 0.0, False),
        ("like the one before by 0.9", 0.9, 0.0, False),
        ("a twentieth of the variance is that of whole seconds", 0.0, 0.05, False),
    ):
        for share in (0.02, 0.5):
            random = np.random.default_rng([22, round(likeness * 10), round(slow * 100), round(share * 100)])
            runs = [ranks(share, random, likeness=likeness, slow=slow) for _ in range(1000)]
            wrong = [sum(misses(k, 300, share, ALPHA, VAGUE, of) for k in runs) for of in (alike_if_shown, alone)]
            note = f"{wrong[1] / 10:.2f} % if each counted as one"
            yield Row(f"{share * 100:g} %, {what}", 1000, wrong[0], ALPHA if promised else None, note)


TABLES = (
    right_gateways,
    edges,
    power,
    stopping_rules,
    families,
    quantiles,
    guards,
    on_right_gateways,
    on_wrong_gateways,
    retries,
    ratios,
    masking,
    dependent_latencies,
    dependent_shares,
)


def main(wanted: Sequence[str]) -> int:
    """Prints a table per question, or those whose functions are named; 1 when a promise is broken."""
    broken = 0
    for rows in [each for each in TABLES if not wanted or each.__name__ in wanted]:
        print(f"\n{rows.__doc__}\n\n| what | runs | wrong | at most | |\n|---|---:|---:|---:|---|", flush=True)
        for row in rows():
            broken += not row.kept
            print(row if row.kept else f"{row} **broken**", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
