"""A CA for one run: its certificate, that of the HTTPS listeners, and what makes programs trust it.

The CA's own key is never written. The listeners' key is in a folder that only its user can read, which the caller
removes when the run is over."""

from __future__ import annotations

import contextlib
import os
import ssl
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import certifi


@dataclass(frozen=True, slots=True)
class Certificates:
    """The files of one run, in one folder."""

    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def chain(self) -> Path:
        return self.folder / "listener.pem"

    @property
    def key(self) -> Path:
        return self.folder / "listener.key"

    def variables(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Write what programs have to trust, and return the variables that name it. What they trust already stays:
        SSL_CERT_FILE and REQUESTS_CA_BUNDLE replace the store that a program has, NODE_EXTRA_CA_CERTS is beside it."""
        return {
            name: str(self._bundle(f"{name.lower()}.pem", before))
            for name, before in (
                ("SSL_CERT_FILE", _given(environment, "SSL_CERT_FILE") or _system_store()),
                ("REQUESTS_CA_BUNDLE", _given(environment, "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") or certifi.where()),
                ("NODE_EXTRA_CA_CERTS", _given(environment, "NODE_EXTRA_CA_CERTS")),
            )
        }

    def _bundle(self, name: str, before: str | None) -> Path:
        path = self.folder / name
        path.write_bytes(b"\n".join([*_certificates(before), self.ca.read_bytes()]))
        return path


def _given(environment: Mapping[str, str], *names: str) -> str | None:
    """Return the first of the variables that is set and names something that is there, as programs read them."""
    found = (environment.get(name) for name in names)
    return next((each for each in found if each and Path(each).exists()), None)


def _certificates(place: str | None) -> Iterator[bytes]:
    """Yield the certificates of a file, or of a folder's files."""
    if place is None:
        return
    folder = Path(place)
    for path in sorted(folder.iterdir()) if folder.is_dir() else [folder]:
        with contextlib.suppress(OSError):
            yield path.read_bytes()


def _system_store() -> str:
    """Return the file of the CAs that OpenSSL trusts here, or certifi's on a machine that has none in a file."""
    found = ssl.get_default_verify_paths().cafile
    return found if found is not None else certifi.where()


def issue(folder: Path, hosts: Iterable[str]) -> Certificates:
    """Make a CA and a certificate for these hosts, and return their files in `folder`. A name that no certificate can
    have is left out."""
    import trustme

    made = Certificates(folder)
    authority = trustme.CA(organization_name="chaos-harness", organization_unit_name="CA of one run")
    leaf = authority.issue_cert(*filter(_certifiable, hosts), organization_name="chaos-harness")
    authority.cert_pem.write_to_path(made.ca)
    made.chain.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    with os.fdopen(os.open(made.key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(leaf.private_key_pem.bytes())
    return made


def _certifiable(host: str) -> bool:
    return all(_labels(host))


def _labels(host: str) -> Iterator[bool]:
    """Yield for each label of a name whether DNS has such ones."""
    for label in host.removeprefix("*.").split("."):
        yield 0 < len(label) < 64 and label.isascii() and label.replace("-", "").isalnum()
