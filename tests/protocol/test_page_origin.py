"""A browser's headers say whose page sent a request; one foreign word is enough."""

from __future__ import annotations

from itertools import product

import pytest

from chaos.protocol.page_origin import sender

OWN = "http://127.0.0.1:8089"

SENDERS = [
    ({}, "no page"),
    ({"origin": OWN}, "own page"),
    ({"origin": "HTTP://127.0.0.1:8089"}, "own page"),
    ({"origin": "null"}, "foreign page"),
    ({"origin": "file://"}, "foreign page"),
    ({"origin": ""}, "foreign page"),
    ({"origin": f"{OWN}/"}, "foreign page"),
    ({"origin": "https://127.0.0.1:8089"}, "foreign page"),
    ({"origin": "http://127.0.0.1:8090"}, "foreign page"),
    ({"origin": "http://127.0.0.1:80890"}, "foreign page"),
    ({"origin": "http://localhost:8089"}, "foreign page"),  # another program may listen there, on ::1
    ({"origin": f"{OWN}.evil.example"}, "foreign page"),
    ({"origin": f"{OWN} http://evil.example"}, "foreign page"),
    ({"sec-fetch-site": "same-origin"}, "own page"),
    ({"sec-fetch-site": "none"}, "no page"),
    ({"sec-fetch-site": "same-site"}, "foreign page"),  # another port
    ({"sec-fetch-site": "cross-site"}, "foreign page"),
    ({"sec-fetch-site": "what comes next year"}, "foreign page"),
    ({"referer": f"{OWN}/"}, "own page"),
    ({"referer": OWN}, "own page"),
    ({"referer": f"{OWN}.evil.example/"}, "foreign page"),
    ({"referer": f"http://evil.example/{OWN}/"}, "foreign page"),
    ({"referer": ""}, "foreign page"),
    ({"origin": OWN, "sec-fetch-site": "same-origin", "referer": f"{OWN}/?tab=faults"}, "own page"),
    ({"origin": OWN, "sec-fetch-site": "cross-site"}, "foreign page"),
    ({"origin": "null", "sec-fetch-site": "same-origin"}, "foreign page"),
    ({"sec-fetch-site": "none", "referer": "http://evil.example/"}, "foreign page"),
]


@pytest.mark.parametrize(("headers", "expected"), SENDERS)
def test_whose_page_sent_it(headers: dict[str, str], expected: str) -> None:
    assert sender(headers, OWN) == expected


def test_what_has_no_pages_knows_none_as_its_own() -> None:
    values = {"origin": (None, OWN), "sec-fetch-site": (None, "same-origin", "none"), "referer": (None, f"{OWN}/")}
    for chosen in product(*values.values()):
        headers = {name: value for name, value in zip(values, chosen, strict=True) if value is not None}
        quiet = set(headers.values()) <= {"none"}
        assert sender(headers, None) == ("no page" if quiet else "foreign page")
