"""JUnit XML for build servers: one test case per finding, and one for the run itself.

falsified is a `failure`; inconclusive and no-traffic are an `error`, because the test could not be carried out, and a
server that reads only this file must not show such a run as passed. The case `the run itself` is an error when the
environment failed, a safeguard fired or the run was cut short. What a run cannot see at all is skipped."""

from __future__ import annotations

import re
from collections.abc import Iterable

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from chaos import formatting as words
from chaos.claims import shown
from chaos.claims.finding import Finding
from chaos.journal.result import Result
from chaos.report.tables.banner import headline
from chaos.verify.verdict import Verdict

# XML 1.0 cannot carry these characters, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
JUDGED = {verdict.value for verdict in Verdict}


def junit(result: Result) -> bytes:
    """Return the document as UTF-8."""
    suite = TestSuite(clean(result.plan.name))
    suite.timestamp = clean(result.plan.started)
    for name, value in (
        ("outcome", result.outcome),
        ("seed", result.plan.seed),
        ("confidence", result.plan.confidence),
        ("requests", result.delivered.requests),
        ("file", result.plan.file),
    ):
        suite.add_property(name, clean(str(value)))
    for finding in result.findings:
        suite.add_testcase(_case(result, finding))
    suite.add_testcase(_run_case(result))
    suite.time = round(result.seconds, 3)
    return document_of([suite])


def document_of(suites: Iterable[TestSuite]) -> bytes:
    """Return a whole document as UTF-8, with its totals."""
    document = JUnitXml("chaos")
    for suite in suites:
        document.add_testsuite(suite)
    # junitparser's own methods have no types.
    document.update_statistics()  # type: ignore[no-untyped-call]
    text: bytes = document.tostring()  # type: ignore[no-untyped-call]
    return text


def clean(text: str) -> str:
    """Replace the characters that XML cannot carry."""
    return _FORBIDDEN.sub("\ufffd", text)


def _case(result: Result, finding: Finding) -> TestCase:
    name = finding.title + (f" ({finding.rule_name})" if finding.rule_name else "")
    case = TestCase(clean(name), classname=clean(".".join(part for part in (result.plan.name, finding.phase) if part)))
    text = clean(f"{finding.sentence}\n{facts(finding)}".strip())
    if finding.verdict is Verdict.FALSIFIED:
        case.result = [with_text(Failure(clean(finding.sentence or finding.title), "falsified"), text)]
    elif finding.verdict is Verdict.NOT_JUDGED:
        case.result = [Skipped(clean(finding.sentence or finding.title))]
    elif finding.verdict is not Verdict.VERIFIED:
        case.result = [with_text(Error(clean(finding.sentence or finding.title), finding.verdict.value), text)]
    case.system_out = text  # after the result, as the schema has it
    return case


def _run_case(result: Result) -> TestCase:
    case = TestCase("the run itself", classname=clean(result.plan.name), time=round(result.seconds, 3))
    if result.outcome not in JUDGED:
        reasons = clean("; ".join(result.reasons) or headline(result.outcome))
        case.result = [with_text(Error(reasons, clean(result.outcome)), reasons)]
    elif not result.findings:
        case.result = [Error("nothing was tested", "no-traffic")]
    return case


def with_text(found: Failure | Error, text: str) -> Failure | Error:
    """Return a failure or error with the text that a build server shows below its message."""
    found.text = text
    return found


def facts(finding: Finding) -> str:
    """Return `configured 50 % ± 2 points, drawn 50.1 %, observed 50.1 % (7 012 of 14 000), 99 % interval 48.2 .. 51.9
    %`."""
    width = words.spread(finding.interval)
    parts = [
        f"configured {shown.configured(finding)} {shown.tolerance(finding)}".strip()
        if finding.configured is not None
        else "",
        _drawn(finding, width),
        f"observed {words.quantity(finding.estimate, finding.unit, width)}" if finding.estimate is not None else "",
        f"of ({shown.tally(finding.observed)})" if finding.observed and finding.unit == "share" else "",
        f"{words.confidence(finding.alpha)} interval {words.interval(finding.interval, finding.unit)}"
        if finding.interval
        else "",
    ]
    return ", ".join(part for part in parts if part).replace(", of (", " (")


def _drawn(finding: Finding, width: float | None) -> str:
    """Return the part of the facts that the gateway counted; a delay's length is the claim itself, not a share."""
    if finding.drawn is None:
        return ""
    if finding.unit == "seconds":
        return f"drawn for {shown.tally(finding.drawn)}"
    return f"drawn {words.share(finding.drawn.share, width)}"
