"""Secrets are in no text that is recorded, whatever a response or a program made of them."""

from __future__ import annotations

import html
import json
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.experiment.credentials import credentials_of, without_credentials
from chaos.experiment.redaction import HIDDEN, Redaction, credentials_in, is_credential, without_named

SECRET = "s3cret/+ü&\"<'"
FORMS: list[Callable[[str], str]] = [
    str,
    quote,
    quote_plus,
    lambda text: quote(text, safe=""),
    lambda text: urlencode({"a": text}),
    json.dumps,
    lambda text: json.dumps({"a": [text]}, ensure_ascii=False),
    html.escape,
    lambda text: b64encode(text.encode()).decode(),
    lambda text: urlsafe_b64encode(text.encode()).decode().rstrip("="),
    lambda text: b64encode(b"user:" + text.encode() + b"\n").decode(),
    lambda text: b64encode(b"u:" + text.encode()).decode(),
    lambda text: text.encode("latin-1").decode("utf-8", "backslashreplace"),
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("redact", [Redaction({"KEY": SECRET}), Redaction(hidden=(SECRET,))])
def test_a_secret_is_found_in_whatever_form_it_comes_back(form: Callable[[str], str], redact: Redaction) -> None:
    shown = redact(f"before {form(SECRET)} after")
    assert shown.startswith("before ") and shown.endswith(" after")
    assert ("${KEY}" if redact.values else HIDDEN) in shown
    assert "s3cret" not in shown and form(SECRET).strip("\"'=") not in shown


letters = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), min_size=8, max_size=40)


@given(letters, st.sampled_from(FORMS), st.text(max_size=20), st.text(max_size=20), st.booleans())
def test_no_secret_comes_through_in_any_text(
    secret: str, form: Callable[[str], str], before: str, after: str, from_environment: bool
) -> None:
    redact = Redaction({"KEY": secret}) if from_environment else Redaction(hidden=(secret,))
    shown = redact.excerpt(f"{before}{form(secret)}{after}")
    if secret not in f"{before}{after}" and secret not in f"{HIDDEN}${{KEY}}":
        assert form(secret).strip("\"'") not in shown or form(secret).strip("\"'") in f"{before}{after}"


@given(st.integers(4, 20))
def test_the_beginning_of_a_secret_at_the_end_of_an_excerpt_is_hidden(length: int) -> None:
    secret = "0123456789-0123456789"
    assert Redaction({"KEY": secret}).excerpt(f"a body that ends: {secret[:length]}") == "a body that ends: ${KEY}"


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"Authorization": "Bearer abcdefgh"}, ["Bearer abcdefgh", "abcdefgh"]),
        (
            {"authorization": f"Basic {b64encode(b'admin:swordfish').decode()}"},
            ["Basic YWRtaW46c3dvcmRmaXNo", "YWRtaW46c3dvcmRmaXNo", "admin:swordfish", "swordfish"],
        ),
        ({"cookie": "id=0123456789; theme=dark"}, ["id=0123456789; theme=dark", "0123456789"]),
        ({"x-api-key": "k"}, ["k"]),
        ({"authorization": "Bearer ${TOKEN}"}, []),
        ({"x-trace": "abcdefgh"}, []),
    ],
)  # fmt: skip
def test_a_credential_is_looked_for_in_its_parts(headers: dict[str, str], found: list[str]) -> None:
    assert set(found) == set(credentials_in(headers.items()))


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        *((name, True) for name in ("X-Shop-Secret", "client_secret", "x-csrf-token", "API_KEY", "token", "password")),
        *((name, False) for name in ("key", "x-tokens", "monkey", "accept", "x-secretary", "authority")),
    ],
)  # fmt: skip
def test_names_say_what_is_a_credential(name: str, secret: bool) -> None:
    assert is_credential(name) is secret


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"access_token": "abc.def", "expires": 3600}', '{"access_token": "***", "expires": 3600}'),
        ('{"a": "{\\"apiKey\\": \\"abc\\\\u0041\\", \\"b\\": 1}"}', '{"a": "{\\"apiKey\\": \\"***\\", \\"b\\": 1}"}'),
        ("{'Authorization': 'Bearer abc', 'x': 'y'}", "{'Authorization': '***', 'x': 'y'}"),
        ('{"pin-key": 1234, "x": 5}', '{"pin-key": ***, "x": 5}'),
        ('{"secret": "cut off', '{"secret": "***'),
        ("Host: web\r\nSet-Cookie: a=b; Path=/\r\nX-A: b", "Host: web\r\nSet-Cookie: ***\r\nX-A: b"),
        ("GET /a?api_key=abc&b=c", "GET /a?api_key=***&b=c"),
        ("sent Bearer eyJhbGciOi.J9.sig to it", "sent Bearer *** to it"),
        ('{"error": "invalid token: expired"}', '{"error": "invalid token: expired"}'),
        ('{"token": "${SHOP_TOKEN}"}', '{"token": "${SHOP_TOKEN}"}'),
        ("the key is under the mat; tokens: 5", "the key is under the mat; tokens: 5"),
    ],
)
def test_what_a_response_says_after_such_a_name_is_hidden(text: str, shown: str) -> None:
    assert without_named(text) == shown


STREAM = """\
apiVersion: v1
kind: Secret
metadata:
  name: shop
  annotations: {kubectl.kubernetes.io/last-applied-configuration: '{"data": {"a": "held-value-1"}}'}
data: {user: aGVsZC12YWx1ZS0y}
stringData: {plain: held-value-3}
---
apiVersion: v1
kind: List
items:
- {kind: ConfigMap, data: {a: kept-value}}
- {kind: Secret, data: {a: held-value-4}}
---
apiVersion: chaos/v1alpha1
kind: Experiment
metadata: {name: kept-value}
spec:
  services: {app: {command: [app], env: {DB_PASSWORD: held-value-5, MODE: kept-value}}}
  tests:
  - {request: "GET http://web/", headers: {x-api-key: held-value-6, x-a: kept-value}}
"""


def test_secrets_of_kubernetes_programs_and_tests_are_hidden_in_a_files_text() -> None:
    shown = without_credentials(STREAM)
    assert "held-value" not in shown and "aGVsZC12YWx1ZS0y" not in shown
    assert shown.count("kept-value") == STREAM.count("kept-value")
    assert {f"held-value-{number}" for number in range(2, 7)} <= set(credentials_of(STREAM))


@pytest.mark.parametrize(
    "part", ["a", "-", "\n", "\\", '"', '"token": "', '\\"key', "_key", "bearer ", "token=", " \t"]
)
def test_no_text_takes_long(part: str) -> None:
    """The supervisor does nothing else meanwhile. Four times the longest of ours takes milliseconds."""
    text = part * (4800 // len(part))
    began = time.process_time()
    without_named(text)
    assert time.process_time() - began < 1.0
