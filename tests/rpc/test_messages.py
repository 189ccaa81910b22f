"""What a call needs: compiled .proto files, the server's own word, and messages made of JSON."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("grpc_tools")
pytest.importorskip("grpc_reflection")

from support.grpc_server import PROTO, GrpcServer

from chaos.rpc.asking import described
from chaos.rpc.messages import Misfit, binary, check_metadata, method_of
from chaos.rpc.protos import compiled

STREAMS = """syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
message Line { string text = 1; google.protobuf.Timestamp at = 2; }
service Echo { rpc Say(Line) returns (Line); rpc Listen(Line) returns (stream Line); }
"""


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("proto") / "streams.proto"
    file.write_text(STREAMS)
    return compiled(str(file))


def test_a_message_goes_there_and_back(streams: bytes) -> None:
    """What it imports is found; of no JSON it is empty; what is no message is shown as it is."""
    method = method_of(streams, "shop.Echo", "Say")
    octets = method.encode('{"text": "hi", "at": "1970-01-01T00:00:01Z"}')
    assert method.path == "/shop.Echo/Say" and octets == b"\n\x02hi\x12\x02\x08\x01"
    assert method.decode(octets) == b'{"text": "hi", "at": "1970-01-01T00:00:01Z"}'
    assert method.encode(None) == b"" and method.decode(b"\xff") == b"\xff"


@pytest.mark.parametrize(
    ("service", "method", "text", "field", "said"),
    [
        ("shop.Ehco", "Say", "{}", "service", "there is no service called shop.Ehco; did you mean shop.Echo?"),
        ("shop.Echo", "say", "{}", "method", "there is no method of shop.Echo called say; did you mean Say?"),
        ("shop.Echo", "Listen", "{}", "method", "Listen streams; only methods with one request and one response"),
        ("shop.Echo", "Say", '{"txt": "hi"}', "json", 'does not fit shop.Line: .*no field named "txt"'),
        ("shop.Echo", "Say", '{"text": 7}', "json", "does not fit shop.Line: .*text"),
        ("shop.Echo", "Say", "[1]", "json", "does not fit shop.Line"),
    ],
)
def test_what_is_wrong_with_a_call_is_said_with_its_field(
    streams: bytes, service: str, method: str, text: str, field: str, said: str
) -> None:
    with pytest.raises(Misfit, match=said) as raised:
        method_of(streams, service, method).encode(text)
    assert raised.value.field == field


@pytest.mark.parametrize("text", ["AAE=", "AAE"])
def test_binary_metadata_is_base64_with_or_without_its_end(text: str) -> None:
    check_metadata({"X-Key-Bin": text, "x-who": "ada"})
    assert binary(text) == b"\0\1"


def test_what_does_not_compile_is_said_as_the_compiler_says_it(tmp_path: Path) -> None:
    file = tmp_path / "wrong.proto"
    file.write_text('syntax = "proto3";\nmessage Line { strin text = 1; }\n')
    with pytest.raises(Misfit, match=r'does not compile: .*wrong.proto:2:16: "strin" is not defined'):
        compiled(str(file))
    file.write_text('syntax = "proto3";\nmessage Line { string text = 1; }\n')
    assert compiled(str(file))
    with pytest.raises(Misfit, match="No such file"):
        compiled(str(tmp_path / "missing.proto"))


def test_a_server_says_which_services_it_has() -> None:
    with GrpcServer(reflects=True) as server:
        octets = described(f"127.0.0.1:{server.port}", "shop.Echo")
        assert method_of(octets, "shop.Echo", "Say").encode('{"text": "hi"}') == b"\n\x02hi"
        with pytest.raises(Misfit, match=r"no service called shop.Ecko; did you mean shop.Echo\?"):
            described(f"127.0.0.1:{server.port}", "shop.Ecko")


def test_a_server_without_reflection_is_told_of() -> None:
    with GrpcServer() as server, pytest.raises(Misfit, match=r"does not say .*name its `proto`") as raised:
        described(f"127.0.0.1:{server.port}", "shop.Echo")
    assert raised.value.field == "url" and PROTO.exists()
