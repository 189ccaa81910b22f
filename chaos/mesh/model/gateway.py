"""Gateway as written: the servers at the edge of the mesh, and the hosts they admit."""

from __future__ import annotations

from typing import Literal

from chaos.mesh.model.message import Flag, Message, Text, UInt32

TLSProtocol = Literal["TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"]


class Port(Message):
    """A port that a server listens on."""

    number: UInt32
    """Port number, 1..65535."""
    protocol: Text
    """HTTP, HTTPS, GRPC, GRPC-WEB, HTTP2, MONGO, TCP or TLS."""
    name: Text
    """Label of the port, unique in the gateway."""
    target_port: UInt32 = 0
    """Deprecated, no effect."""


class TLSCertificate(Message):
    server_certificate: Text = ""
    """File with the certificate."""
    private_key: Text = ""
    """File with the key."""
    ca_certificates: Text = ""
    """File with the authorities."""


class ServerTLSSettings(Message):
    """TLS towards the callers. A local gateway speaks plain HTTP and ignores it."""

    https_redirect: Flag = False
    """Answer every HTTP request with a redirect to HTTPS."""
    mode: Literal["PASSTHROUGH", "SIMPLE", "MUTUAL", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL", "OPTIONAL_MUTUAL"] = (
        "PASSTHROUGH"
    )
    """How TLS is handled."""
    server_certificate: Text = ""
    """File with the certificate."""
    private_key: Text = ""
    """File with the key."""
    ca_certificates: Text = ""
    """File with the authorities that clients are checked against."""
    ca_crl: Text = ""
    """File with revoked certificates."""
    credential_name: Text = ""
    """Secret with key and certificates."""
    credential_names: tuple[Text, ...] = ()
    """Secrets, at most two."""
    ca_cert_credential_name: Text = ""
    """Secret with the authorities that clients are checked against."""
    tls_certificates: tuple[TLSCertificate, ...] = ()
    """Certificates, at most two."""
    subject_alt_names: tuple[Text, ...] = ()
    """Names of which a client's certificate must carry one."""
    verify_certificate_spki: tuple[Text, ...] = ()
    """Hashes of public keys that are accepted."""
    verify_certificate_hash: tuple[Text, ...] = ()
    """Hashes of certificates that are accepted."""
    min_protocol_version: TLSProtocol = "TLS_AUTO"
    """Oldest TLS version."""
    max_protocol_version: TLSProtocol = "TLS_AUTO"
    """Newest TLS version."""
    cipher_suites: tuple[Text, ...] = ()
    """Cipher suites that are accepted."""
    insecure_skip_verify: Flag | None = None
    """Do not check the client's certificate."""


class Server(Message):
    """A port and the hosts it admits."""

    port: Port
    """Where it listens."""
    bind: Text = ""
    """Address to listen on."""
    hosts: tuple[Text, ...]
    """Hosts it admits: `host`, `namespace/host`, `./host` or `*/host`, wildcards in the first label."""
    tls: ServerTLSSettings | None = None
    """TLS towards the callers."""
    default_endpoint: Text = ""
    """Not used."""
    name: Text = ""
    """Name of the server, unique among all."""


class Gateway(Message):
    """The servers at the edge of the mesh."""

    servers: tuple[Server, ...] = ()
    """Ports and the hosts they admit."""
    selector: dict[str, Text] = {}
    """Labels of the workloads that serve it."""
