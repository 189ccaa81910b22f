"""The CA of a run: whom its certificate is for, who can read its key, and what programs trust beside it."""

from __future__ import annotations

import ssl
from pathlib import Path

import certifi
import pytest
from support.experiments import experiment, virtual_service
from support.plans import prepared, text_of

from chaos.experiment.further_listeners import certified_hosts
from chaos.runner.processes.certificates import Certificates, issue

HOSTS = ["web", "*.example.com", "127.0.0.1", "no_certificate.has-this", "a..b"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return issue(tmp_path_factory.mktemp("tls"), HOSTS)


def shakes_hands(made: Certificates, name: str) -> bool:
    """Whether a client that trusts the CA takes the server's certificate for this name."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made.chain, made.key)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context(cafile=str(made.ca)).wrap_bio(back, there, server_hostname=name)
    listener = server.wrap_bio(there, back, server_side=True)
    for side in (client, listener, client, listener):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLError:
            return False
    return True


@pytest.mark.parametrize(
    ("name", "right"),
    [("web", True), ("shop.example.com", True), ("127.0.0.1", True), ("other", False), ("example.com", False)],
)
def test_the_certificate_is_for_the_hosts_and_no_others(made: Certificates, name: str, right: bool) -> None:
    assert shakes_hands(made, name) is right


def test_the_hosts_are_those_of_the_mesh_of_tasks_and_this_machine() -> None:
    load = {"tasks": [{"get": "https://any.example.org:8443/"}]}
    rules = [virtual_service(), virtual_service(), virtual_service()]
    for rule, name, host in zip(rules, "abc", ("web", "*.example.com", "*"), strict=True):
        rule["metadata"]["name"], rule["spec"]["hosts"] = name, [host]
    found = prepared(text_of(experiment(load=load), *rules))
    hosts = certified_hosts(found.reading, found.services)
    assert {"localhost", "127.0.0.1", "web", "web.default.svc.cluster.local", "*.example.com"} <= set(hosts)
    assert "any.example.org" in hosts and "*" not in hosts


def test_only_its_user_can_read_the_key_and_the_ca_has_none(made: Certificates) -> None:
    assert made.key.stat().st_mode & 0o777 == 0o600
    holding = [path.name for path in made.folder.iterdir() if b"PRIVATE KEY" in path.read_bytes()]
    assert holding == [made.key.name]


def test_programs_go_on_trusting_whom_they_trust(made: Certificates, tmp_path: Path) -> None:
    """SSL_CERT_FILE and REQUESTS_CA_BUNDLE take the place of a program's store, NODE_EXTRA_CA_CERTS does not."""
    ours, public = made.ca.read_bytes(), Path(certifi.where()).read_bytes()
    own, folder = tmp_path / "own.pem", tmp_path / "folder"
    own.write_bytes(b"-- own --\n")
    folder.mkdir()
    (folder / "a.pem").write_bytes(b"-- a --\n")
    given = made.variables({})
    assert Path(given["REQUESTS_CA_BUNDLE"]).read_bytes().startswith(public)
    assert len(Path(given["SSL_CERT_FILE"]).read_bytes()) > len(ours)
    assert Path(given["NODE_EXTRA_CA_CERTS"]).read_bytes() == ours
    assert all(Path(path).read_bytes().endswith(ours) for path in given.values())
    theirs = made.variables({"SSL_CERT_FILE": str(own), "NODE_EXTRA_CA_CERTS": "/none", "CURL_CA_BUNDLE": str(folder)})
    assert Path(theirs["SSL_CERT_FILE"]).read_bytes() == b"-- own --\n\n" + ours
    assert Path(theirs["REQUESTS_CA_BUNDLE"]).read_bytes() == b"-- a --\n\n" + ours
    assert Path(theirs["NODE_EXTRA_CA_CERTS"]).read_bytes() == ours
