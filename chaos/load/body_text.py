"""The beginning of a response's body as text that any page, terminal or journal can show."""

from __future__ import annotations

import codecs
import zlib

from chaos.printable import printable
from chaos.protocol.exemplars import MOST_BODY

_GZIP = b"\x1f\x8b"
_AS_HEX = 16  # bytes of a body that is no text
_NO_TEXT = 3  # a body of which more than one character in so many is none is shown as bytes
_decoder = codecs.getincrementaldecoder("utf-8")


def text_of(body: bytes) -> str:
    """Return the first MOST_BODY bytes as text, decompressed if they are gzip; bytes that are no text are escaped
    (`\\xff`). Of what is hardly text at all, such as an image, the first bytes in hexadecimal."""
    octets = _decompressed(body[: 4 * MOST_BODY]) if body.startswith(_GZIP) else body[:MOST_BODY]
    text = _decoded(octets, "replace")
    if sum(each == "\ufffd" or printable(each) != each for each in text) * _NO_TEXT > len(text):
        return f"({len(octets)} bytes that are no text: {octets[:_AS_HEX].hex(' ')} ...)"
    return printable(_decoded(octets, "backslashreplace"))


def _decoded(octets: bytes, errors: str) -> str:
    """Return the text; a character that was cut at the end is left out."""
    return _decoder(errors).decode(octets)


def _decompressed(body: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(body, MOST_BODY)
    except zlib.error:
        return body[:MOST_BODY]
