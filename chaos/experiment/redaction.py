"""Keep secrets out of what is recorded: values of the environment, and credentials in headers, wherever they come back.

A value of the environment is written as the name that stands for it, `${SHOP_TOKEN}`; a credential that stands in a
file itself, or that a response gives out, as HIDDEN. They are found as they are, and as URLs, JSON, HTML and base64
would have them."""

from __future__ import annotations

import binascii
import html
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import quote, quote_plus

HIDDEN = "***"
"""What a record has in place of a credential that stands in the file itself."""

OLDER = "(hidden)"
"""The same in journals from before."""

LEAST_HIDDEN = 4
"""Characters that a value has at least if it is looked for in other texts. A shorter one is no secret, and would be
found everywhere."""

LEAST_CREDENTIAL = 6
"""The same of a credential that stands in a file: `theme=dark` is a cookie, too."""

_LEAST_PART = 8  # characters of a part of a credential
_LEAST_ENCODED = 8  # characters of base64 that are no accident
_WHOLE = {"authorization", "proxy-authorization", "cookie", "set-cookie", "apikey"}
_KINDS = ("token", "key", "secret", "password")
_NAMES_ALONE = re.compile(r"(?:[A-Za-z]+ )?\$\{[A-Za-z_][A-Za-z0-9_]*\}")


def is_credential(header: str) -> bool:
    """Return whether the value of a header (or of a variable) is kept out of records: authorization, cookie, `*-token`,
    `*-key`, `*-secret`, `*-password`."""
    name = header.lower().replace("_", "-")
    return name in _WHOLE or (name != "key" and name.rpartition("-")[2] in _KINDS)


def without_credential(header: str, value: str) -> str:
    """Return the value as it may be recorded: what only names a variable stays, like `Bearer ${TOKEN}`."""
    return HIDDEN if is_credential(header) and not _NAMES_ALONE.fullmatch(value) else value


def credentials_in(headers: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield the secrets in the headers of a request: whole values, and the parts that mean something by themselves."""
    for name, value in headers:
        given = value.strip()
        if is_credential(name) and not _NAMES_ALONE.fullmatch(given):
            yield from (given, *(part for part in _parts(given) if len(part) >= _LEAST_PART))


def _parts(value: str) -> Iterator[str]:
    """Yield what follows a credential's scheme (`Bearer`), the password of `Basic`, the values of cookies."""
    scheme, _, rest = value.partition(" ")
    if rest and scheme.isalpha():
        yield rest
        try:
            pair = b64decode(rest, validate=True).decode()
        except (binascii.Error, ValueError):
            pair = ""
        yield from (each for each in (pair, pair.partition(":")[2]) if each)
    for part in value.split(";"):
        _, equals, cookie = part.partition("=")
        if equals:
            yield cookie.strip()


# ---------------------------------------------------------------------------------------------- in other texts


@dataclass(frozen=True)
class Redaction:
    """Writes names in place of the values that came from the environment, and HIDDEN in place of credentials.

    `values` are the environment's by name. `whole` has texts that are replaced where they are all of it, however short
    the values in them. `hidden` are credentials."""

    values: Mapping[str, str] = field(default_factory=dict)
    whole: Mapping[str, str] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()

    def __call__(self, text: str) -> str:
        """Return the text without secrets."""
        if text in self.whole:
            return self.whole[text]
        for secret, shown in self._forms:
            if secret in text:
                text = text.replace(secret, shown)
        return text

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self._forms)

    def excerpt(self, text: str) -> str:
        """Return the beginning of a response without secrets: also those that it gives out itself after a name that
        says so, and one of which it has only the beginning."""
        return self._without_tail(without_named(self(text)))

    @cached_property
    def _forms(self) -> tuple[tuple[str, str], ...]:
        """The texts to look for with what is written in their place, the longest first."""
        credentials = (secret for secret in self.hidden if len(secret) >= LEAST_CREDENTIAL)
        found = {form: HIDDEN for secret in credentials for form in _forms_of(secret)}
        found |= {form: f"${{{name}}}" for name, value in self.values.items() for form in _forms_of(value)}
        return tuple(sorted(found.items(), key=lambda each: -len(each[0])))

    def _without_tail(self, text: str) -> str:
        for secret, shown in self._forms:
            for length in range(min(len(secret) - 1, len(text)), LEAST_HIDDEN - 1, -1):
                if text.endswith(secret[:length]):
                    return text[:-length] + shown
        return text


def _forms_of(secret: str) -> Iterator[str]:
    """Yield a secret as it is, and as other texts would have it."""
    if len(secret) < LEAST_HIDDEN:
        return
    yield secret
    yield quote(secret, safe="")
    yield quote(secret)
    yield quote_plus(secret)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield html.escape(secret)
    with suppress(UnicodeEncodeError):
        yield secret.encode("latin-1").decode("utf-8", "backslashreplace")
    yield from _in_base64(secret.encode())


def _in_base64(secret: bytes) -> Iterator[str]:
    """Yield the characters that a secret has in the base64 of any text that contains it: three, for it may begin at the
    first, second or third byte of a group."""
    for before in range(3):
        encoded = b64encode(bytes(before) + secret).decode().rstrip("=")
        first, last = -(-before * 8 // 6), (before + len(secret)) * 8 // 6
        inside = encoded[first:last]
        if len(inside) >= _LEAST_ENCODED:
            yield inside
            yield inside.replace("+", "-").replace("/", "_")


_NAME = r"(?:[\w-]*(?:authorization|cookie|token|secret|passwo?r?d|api-?_?key|[-_]key))"
_VALUE = r"(?!(?:[A-Za-z]+ )?\$\{)"
_NAMED = (
    # in JSON, also in JSON within a text of JSON: "token": "..."
    re.compile(rf"""(?is)((?<!\\)(?:\\*["']){_NAME}(\\*["'])\s*:\s*\2){_VALUE}.*?(?=(?<!\\)\2|\Z)"""),
    re.compile(rf"""(?i)((?<!\\)(?:\\*["']){_NAME}\\*["']\s*:\s*){_VALUE}[^\s"'\\,\]}}\[{{]+"""),
    # a header on a line of its own
    re.compile(rf"""(?im)^([ \t]*{_NAME}[ \t]*:[ \t]*){_VALUE}\S[^\r\n]*"""),
    # in a query, a form, a cookie
    re.compile(rf"""(?i)((?<![\w-]){_NAME}=){_VALUE}[^\s&;,"'<>\\]+"""),
    re.compile(rf"""(?i)(\b(?:bearer|basic)\s+){_VALUE}[\w+/=.~-]{{8,}}"""),
)


def without_named(text: str) -> str:
    """Return the text with HIDDEN for each value after a name that says it is a credential: `"access_token": "..."`, a
    line `Set-Cookie: ...`, `?api_key=...`, `Bearer ...`. What only names a variable stays."""
    for pattern in _NAMED:
        text = pattern.sub(lambda found: f"{found[1]}{HIDDEN}", text)
    return text
