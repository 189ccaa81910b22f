"""Read a file of claims with their counts, YAML or JSON:

confidence: 99
tolerance: 2
claims:
- {claim: abort 50% ± 2, successes: 4980, trials: 10000}
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from pydantic import Field, model_validator

from chaos.errors import InvalidInput, Problem
from chaos.mesh.model.message import Message
from chaos.mesh.read.shape import validate_model
from chaos.mesh.source.document import Document, field_path, read_documents
from chaos.samples.claim_text import ClaimError, parse_claim
from chaos.samples.judging import CountedClaim


class Counted(Message):
    """One claim and its counts."""

    claim: str
    successes: int = Field(ge=0)
    trials: int = Field(ge=0)

    @model_validator(mode="after")
    def _no_more(self) -> Self:
        if self.successes > self.trials:
            raise ValueError(f"{self.successes} successes of {self.trials} trials")
        return self


class CountsFile(Message):
    """The whole file. `confidence` is in percent, `tolerance` in percentage points, as in an experiment's `verify`."""

    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,100}[A-Za-z0-9])?$")
    confidence: float | None = Field(default=None, ge=50, lt=100)
    tolerance: float | None = Field(default=None, gt=0, le=50)
    claims: tuple[Counted, ...]


@dataclass(frozen=True, slots=True)
class CountedClaims:
    """What such a file says; None where it says nothing."""

    claims: tuple[CountedClaim, ...]
    name: str | None
    confidence: float | None
    tolerance: float | None


def read_counts(text: str, file: str) -> CountedClaims:
    """Return what the file says. Raises InvalidInput with every problem."""
    read = read_documents(text, file)
    if read.problems:
        raise InvalidInput(read.problems)
    if len(read) != 1:
        raise InvalidInput.at(file, f"has {len(read)} documents; claims with their counts are one")
    document = read.documents[0]
    found, problems = validate_model(CountsFile, document.value, document)
    if found is None:
        raise InvalidInput(problems)
    if not found.claims:
        raise InvalidInput([Problem(document.locate(("claims",)), "claims", "is empty: there is nothing to judge")])
    claims = [_claim(each, index, document, problems) for index, each in enumerate(found.claims)]
    if problems:
        raise InvalidInput(problems)
    return CountedClaims(tuple(each for each in claims if each), found.name, found.confidence, found.tolerance)


def _claim(each: Counted, index: int, document: Document, problems: list[Problem]) -> CountedClaim | None:
    try:
        return CountedClaim(parse_claim(each.claim, counted=True), each.successes, each.trials)
    except ClaimError as error:
        path = ("claims", index, "claim")
        problems.append(Problem(document.locate(path), field_path(path), str(error)))
        return None
