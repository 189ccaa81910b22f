"""Hide the credentials that stand in a file itself, in its text as it is recorded.

They are the values of `authorization`, `cookie`, `*-token`, `*-key`, `*-secret` and `*-password` where a task or a test
sends them, a rule sets them or a program has them in its environment, and whatever a Kubernetes Secret holds. In a
rule's conditions they stay, for they decide what a request meets."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

from chaos.errors import InvalidInput
from chaos.experiment.overrides import parse_override
from chaos.experiment.redaction import HIDDEN, credentials_in, is_credential, without_credential
from chaos.mesh.source.document import Path
from chaos.mesh.source.spans import Span, spans

_LEAD = re.compile(r"(?:[&!]\S+\s+)*")  # an anchor or a tag: other places may refer to it
_HELD = (("data",), ("stringData",), ("metadata", "annotations"))  # kubectl keeps a copy of the whole in an annotation


def without_credentials(text: str) -> str:
    """Return the text of a YAML stream with each credential replaced by a word that says so."""
    found = {(span.begin, span.end) for span in secret_spans(text)}  # an alias leads to its anchor's
    for begin, end in sorted(found, reverse=True):
        written = text[begin:end]
        lead = _LEAD.match(written)
        kept = lead[0] if lead else ""
        text = f"{text[:begin]}{kept}'{HIDDEN}'{_line_end(written)}{text[end:]}"
    return text


def credentials_of(text: str) -> Iterator[str]:
    """Yield the credentials in a YAML stream, as they might come back in other texts."""
    for span in secret_spans(text):
        yield from credentials_in([("authorization", span.value)])
        if span.path[-2] == "data":
            with suppress(binascii.Error, ValueError):
                yield b64decode(span.value, validate=True).decode()


def _line_end(written: str) -> str:
    """Return the line break that ends a block scalar, which is a part of it."""
    return "\n" if written.endswith("\n") else ""


def secret_spans(text: str) -> Iterator[Span]:
    """Yield where the credentials in a YAML stream stand."""
    found = list(spans(text))
    held = {
        (span.document, (*span.path[:-1], *place))
        for span in found
        if span.path[-1:] == ("kind",) and span.value == "Secret"
        for place in _HELD
    }
    for span in found:
        if _is_secret(span) or any((span.document, span.path[:end]) in held for end in range(1, len(span.path))):
            yield span


def _is_secret(span: Span) -> bool:
    """Return whether a value is a credential: of a header that is sent or set, or in a program's environment."""
    path = span.path
    if len(path) < 2 or not isinstance(path[-1], str) or not is_credential(path[-1]):
        return False
    sent = path[-2] == "headers"
    is_set = path[-2] in ("set", "add") and "headers" in path
    of_program = path[-2] == "env" and "services" in path
    return (sent or is_set or of_program) and without_credential(path[-1], span.value) == HIDDEN


def command_without_credentials(command: Sequence[str]) -> tuple[str, ...]:
    """Return a command line as it may be recorded: the values of `--set` without credentials."""
    return tuple(_argument(each) for each in command)


def _argument(argument: str) -> str:
    option, equals, setting = argument.partition("=")
    lead, text = (f"{option}{equals}", setting) if option == "--set" else ("", argument)
    if "=" not in text or not text.startswith(("spec.", "metadata.")):
        return argument
    try:
        path, value = parse_override(text)
    except InvalidInput:
        return argument
    if not any(_is_secret(Span((*path, *inside), 0, 0, str(each))) for inside, each in _leaves(value)):
        return argument
    return f"{lead}{text.partition('=')[0]}={HIDDEN}"


def _leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    steps: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        steps = value.items()
    elif isinstance(value, list):
        steps = enumerate(value)
    else:
        yield path, value
    yield from chain.from_iterable(_leaves(each, (*path, step)) for step, each in steps)
