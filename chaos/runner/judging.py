"""Judge claims by counts or by a file of samples, and write the folder of a run from them: journal and report."""

from __future__ import annotations

import gzip
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from chaos.claims.finding import Finding
from chaos.claims.hypotheses.expression import parse_expression
from chaos.claims.hypotheses.measure import Expression
from chaos.claims.hypotheses.tokens import ExpressionError
from chaos.errors import ChaosError, InvalidInput, Problem, Severity
from chaos.experiment.read import stem
from chaos.formatting import listed
from chaos.journal.records import DigestLine, End, Event, Findings, Plan, Record
from chaos.mesh.read.shape import suggestion
from chaos.protocol.digest import Digest
from chaos.protocol.plan_record import PhaseInPlan
from chaos.runner.plan.records import environment, expectation_json
from chaos.runner.supervise.journal import JournalWriter, run_folder
from chaos.runner.terminal.result import RunResult, outcome_of
from chaos.runner.terminal.view import View
from chaos.samples.claim_text import ClaimError, ShareText, parse_claim
from chaos.samples.columns import ColumnError, parse_columns
from chaos.samples.counts_file import read_counts
from chaos.samples.detect import FORMATS, Options, Text, is_claims, source_of
from chaos.samples.judging import CountedClaim, SampleJudge, judge_counts
from chaos.samples.lines import Lines
from chaos.samples.seconds import Gatherer, Stretch
from chaos.samples.values import UNITS
from chaos.verify.claim import DEFAULT_TOLERANCE
from chaos.verify.verdict import Verdict

STDIN = "-"
DEFAULT_CONFIDENCE = 99.0


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """The command line of `chaos judge`. `confidence` is in percent and `tolerance` in points (None: the file's, or the
    defaults); `out` is None without a report."""

    files: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    expect: tuple[str, ...] = ()
    successes: int | None = None
    trials: int | None = None
    confidence: float | None = None
    tolerance: float | None = None
    format: str | None = None
    columns: tuple[str, ...] = ()
    unit: str | None = None
    name: str | None = None
    out: Path | None = Path("reports")
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Settings:
    """Confidence and tolerance as fractions."""

    confidence: float
    tolerance: float

    @classmethod
    def of(cls, options: JudgeOptions, confidence: float | None = None, tolerance: float | None = None) -> _Settings:
        """Return those of the command line, else the file's, else the defaults."""
        asked = options.confidence or confidence or DEFAULT_CONFIDENCE
        points = options.tolerance or tolerance or DEFAULT_TOLERANCE * 100
        return cls(asked / 100, points / 100)


def judge(options: JudgeOptions, view: View) -> RunResult:
    """Judge, write the folder, and return the result. `view` is told what the samples do not say.

    Raises InvalidInput with what is wrong with the claims or the samples."""
    if options.successes is not None or options.trials is not None:
        return _judge_one(options, view)
    if not options.files:
        raise InvalidInput.at("chaos judge", "give a FILE of samples, or --successes and --trials with --claim")
    with ExitStack() as stack:
        first = Lines(_opened(options.files[0], stack), _shown(options.files[0]))
        reading = _reading(options)
        if is_claims(first, reading):
            return _judge_file(options, first, view)
        others = [Text(_shown(file), _opened(file, stack)) for file in options.files[1:]]
        return _judge_samples(options, reading, [Text(first.file, first), *others], view)


def _reading(options: JudgeOptions) -> Options:
    for option, value, known in (("--format", options.format, FORMATS), ("--unit", options.unit, tuple(UNITS))):
        if value is not None and value not in known:
            near = suggestion(value, list(known), f"there are {listed(list(known))}")
            raise InvalidInput.at(option, f"{value!r} is not known{near}")
    try:
        return Options(options.format, parse_columns(options.columns), options.unit)
    except ColumnError as error:
        raise InvalidInput.at("--column", str(error)) from None


# ---------------------------------------------------------------------- counts


def _judge_one(options: JudgeOptions, view: View) -> RunResult:
    """Judge the one claim of the command line by its counts."""
    if options.files or options.expect or len(options.claims) != 1:
        raise InvalidInput.at("--successes", "counts are those of one --claim; a file of claims has those of several")
    if options.successes is None or options.trials is None:
        missing = "--successes" if options.successes is None else "--trials"
        raise InvalidInput.at(missing, "is missing: counts are --successes and --trials")
    if options.successes > options.trials:
        raise InvalidInput.at("--successes", f"{options.successes} successes of {options.trials} trials")
    claims, _ = _parsed(options, counted=True)
    counted = CountedClaim(claims[0], options.successes, options.trials)
    return _counted(options, view, [counted], _Settings.of(options), options.name or "judge", "")


def _judge_file(options: JudgeOptions, lines: Lines, view: View) -> RunResult:
    if options.claims or options.expect:
        raise InvalidInput.at(lines.file, "has claims of its own; --claim and --expect are for files of samples")
    if len(options.files) > 1:
        raise InvalidInput.at(_shown(options.files[1]), "claims with their counts are one file")
    text = lines.rest()
    read = read_counts(text, lines.file)
    settings = _Settings.of(options, read.confidence, read.tolerance)
    return _counted(options, view, read.claims, settings, options.name or read.name or stem(lines.file), text)


def _counted(
    options: JudgeOptions, view: View, claims: Sequence[CountedClaim], settings: _Settings, name: str, text: str
) -> RunResult:
    findings = judge_counts(claims, confidence=settings.confidence, tolerance=settings.tolerance)
    writer = _Folder(options, name, settings, {_file(options): text} if text else {})
    writer.tell("info", "judged by counts alone: nothing is known of single requests")
    return writer.end(view, findings, sum(each.trials for each in claims), 0.0)


# ---------------------------------------------------------------------- samples


def _judge_samples(options: JudgeOptions, reading: Options, texts: Sequence[Text], view: View) -> RunResult:
    claims, expressions = _parsed(options)
    if not claims and not expressions:
        raise InvalidInput.at("chaos judge", 'nothing is claimed; add --expect "failures < 5%" or --claim "abort 50%"')
    settings = _Settings.of(options)
    judged = SampleJudge(claims, expressions, confidence=settings.confidence, tolerance=settings.tolerance)
    source = source_of(texts, reading)
    gatherer = Gatherer(source, judged.named)
    writer = _Folder(options, options.name or stem(texts[0].file), settings, {}, judged)
    try:
        for stretch in gatherer.stretches():
            judged.observe(stretch.digest, stretch.seconds)
            writer.stretch(stretch)
        judged.require_names(gatherer.tasks, gatherer.phases)
    except BaseException:  # an interruption, too: half of the samples are no run
        writer.discard()
        raise
    for note in dict.fromkeys(source.notes):
        view.event("warning", note)
        writer.tell("warning", note)
    for reason in source.unknown.values():
        writer.tell("info", reason)
    findings = judged.findings(source, gatherer.order.parts)
    for finding in findings:
        if finding.verdict is Verdict.NOT_JUDGED:
            view.event("info", f"{finding.title}: {finding.sentence[0].lower()}{finding.sentence[1:]}")
    return writer.end(view, findings, gatherer.requests, 0.0 if "times" in source.unknown else writer.seconds)


def _parsed(options: JudgeOptions, *, counted: bool = False) -> tuple[list[ShareText], list[Expression]]:
    """Return the claims and expressions of the command line. Raises InvalidInput with every problem."""
    problems: list[Problem] = []
    claims: list[ShareText] = []
    expressions: list[Expression] = []
    for text in options.claims:
        try:
            claims.append(parse_claim(text, counted=counted))
        except ClaimError as error:
            problems += InvalidInput.at("--claim", str(error)).problems
    for text in options.expect:
        try:
            expressions.append(parse_expression(text))
        except ExpressionError as error:
            problems += InvalidInput.at("--expect", f"{error.message}, in `{text}`", column=error.column + 1).problems
    if problems:
        raise InvalidInput(problems)
    return claims, expressions


# ---------------------------------------------------------------------- files


def _opened(file: str, stack: ExitStack) -> IO[str]:
    """Open a file of samples, or stdin; gzip is recognized. Raises InvalidInput if it cannot be read."""
    if file == STDIN:
        return sys.stdin
    try:
        with Path(file).open("rb") as beginning:
            packed = beginning.read(2) == b"\x1f\x8b"
        opener = gzip.open if packed else open
        return stack.enter_context(opener(file, "rt", encoding="utf-8", errors="replace", newline=""))
    except OSError as error:
        raise InvalidInput.at(file, f"cannot be read: {error.strerror or error}") from None


def _shown(file: str) -> str:
    return "stdin" if file == STDIN else file


def _file(options: JudgeOptions) -> str:
    return ", ".join(map(_shown, options.files))


class _Folder:
    """The folder of a run that is made of samples: its journal, then its report. Without `options.out` there is
    none."""

    def __init__(
        self,
        options: JudgeOptions,
        name: str,
        settings: _Settings,
        documents: dict[str, str],
        judged: SampleJudge | None = None,
    ):
        self._options, self._name = options, name
        self.folder = None if options.out is None else run_folder(options.out, name, time.localtime())
        self._journal = None if self.folder is None else JournalWriter(self.folder)
        self.seconds = 0.0
        self.write(
            Plan(
                run=self.folder.name if self.folder is not None else "",
                name=name,
                file=_file(options),
                description="Judged from counts." if judged is None else "Judged from samples.",
                documents=documents,
                seed=0,
                command=options.command,
                started=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
                confidence=settings.confidence,
                tolerance=settings.tolerance,
                environment=environment(),
                phases=(PhaseInPlan(name="", faults=True),),
                expectations=tuple(expectation_json(each) for each in judged.expected) if judged else (),
            )
        )

    def write(self, record: Record) -> None:
        if self._journal is not None:
            self._journal.write(record)

    def tell(self, level: Severity, text: str) -> None:
        """Write what is to be known of the samples, at the end of what has been written."""
        self.write(Event(at=max(self.seconds, 0.001), level=level, text=text))

    def stretch(self, stretch: Stretch) -> None:
        """Write a stretch with latencies; a journal has no others."""
        self.seconds = stretch.begin + stretch.seconds
        digest = stretch.digest
        if self._journal is None or not isinstance(digest, Digest):
            return
        errors: dict[str, int] = {}
        for key, tally in digest.items():
            if key.error:
                errors[key.error] = errors.get(key.error, 0) + tally.count
        self.write(
            DigestLine(
                at=stretch.begin + stretch.seconds,
                second=stretch.begin,
                seconds=stretch.seconds,
                entries=tuple(digest.entries()),
                errors=errors,
            )
        )

    def discard(self) -> None:
        """Remove the folder of samples that cannot be judged."""
        if self._journal is not None and self.folder is not None:
            self._journal.close()
            self._journal.path.unlink()
            self.folder.rmdir()

    def end(self, view: View, findings: Sequence[Finding], requests: int, seconds: float) -> RunResult:
        """Write the findings, make the report, and return the result."""
        outcome, code, reasons = outcome_of(findings)
        if self._journal is not None:
            at = max(seconds, 0.001)
            self.write(Findings(at=at, findings=tuple(each.to_dict() for each in findings)))
            self.write(End(at=at, outcome=outcome, exit_code=int(code), reasons=reasons))
            self._journal.close()
            self._report(view)
        return RunResult(
            self._name, _file(self._options), outcome, code, reasons, tuple(findings), self.folder, requests, seconds
        )

    def _report(self, view: View) -> None:
        """Make the report. If that fails, the verdict stands, and a warning says so."""
        from chaos.report.pages.index import render_index
        from chaos.report.pages.render import render

        assert self.folder is not None
        try:
            paths = render(self.folder)
            if paths.root is not None:
                render_index(paths.root)
        except (OSError, ChaosError) as error:
            view.event("warning", f"the report failed: {error}; `chaos report {self.folder}` tries again")
