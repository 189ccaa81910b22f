"""One JUnit file for several runs, for build servers that read a single path."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from junitparser import Error, JUnitXml, TestCase, TestSuite

from chaos.report.pages.data import write
from chaos.report.pages.junit import clean, document_of, with_text


def write_merged(path: Path, folders: Iterable[Path], not_run: Iterable[tuple[str, str]] = ()) -> None:
    """Write the junit.xml of all folders to one file. `not_run` are the names of further runs, which could not begin,
    with the reason. Raises OSError when a file cannot be read or written."""
    ran = [suite for folder in folders for suite in JUnitXml.fromstring((folder / "junit.xml").read_bytes())]
    write(path, document_of([*ran, *(_not_run(name, reason) for name, reason in not_run)]))


def _not_run(name: str, reason: str) -> TestSuite:
    suite, case = TestSuite(clean(name)), TestCase("the run itself", classname=clean(name))
    case.result = [with_text(Error(clean(reason.partition("\n")[0]), "not run"), clean(reason))]
    suite.add_testcase(case)
    return suite
