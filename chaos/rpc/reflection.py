"""Ask a gRPC server which services it has (server reflection), at its own address and never through a gateway:
`python -m chaos.rpc.reflection ADDRESS SERVICE` prints a FileDescriptorSet in base64, or what is wrong, as JSON.

It is a process of its own because grpcio has threads that do not go together with those who start others."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterable
from typing import Any

import grpc
from google.protobuf import descriptor_pb2
from grpc_reflection.v1alpha import reflection_pb2

from chaos.rpc.messages import Misfit, unknown

PATIENCE = 10.0  # seconds
VERSIONS = ("v1alpha", "v1")
"""Of the protocol, whose messages are the same: most servers speak the first, a few the second alone."""

PLAIN = (("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0))


def described(address: str, service: str) -> bytes:
    """Return the service with all that it needs, as a FileDescriptorSet. `address` is `host:port`. Raises Misfit."""
    with grpc.insecure_channel(address, options=PLAIN) as channel:
        for version in VERSIONS:
            try:
                return _Server(channel, version).files_of(service)
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                    raise Misfit("url", f"the server at {address} was asked for its services: {_why(error)}") from None
    raise Misfit("url", f"the server at {address} does not say which services it has (reflection); name its `proto`")


def _why(error: Any) -> str:
    return f"{error.code().name}, {error.details()}"


class _Server:
    """A server that is asked in one version of the protocol. Every call raises grpc.RpcError."""

    def __init__(self, channel: Any, version: str):
        self._call = channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )

    def files_of(self, service: str) -> bytes:
        found = self._ask(file_containing_symbol=service)
        if found.HasField("error_response"):
            names = [each.name for each in self._ask(list_services="").list_services_response.service]
            raise Misfit("service", unknown("service", service, names))
        files = self._with_imports(_files(found))
        return bytes(descriptor_pb2.FileDescriptorSet(file=files).SerializeToString())

    def _with_imports(self, first: Iterable[Any]) -> list[Any]:
        """Return the files with those that they import, each after what it needs."""
        known = {file.name: file for file in first}
        ordered: dict[str, Any] = {}
        begun: set[str] = set()  # a server may say that files import each other

        def add(name: str) -> None:
            if name in begun:
                return
            begun.add(name)
            if name not in known:
                known.update((file.name, file) for file in _files(self._ask(file_by_filename=name)))
            if name not in known:
                raise Misfit("service", f"the server does not have {name}, which it says it needs; name its `proto`")
            for needed in known[name].dependency:
                add(needed)
            ordered[name] = known[name]

        for name in list(known):
            add(name)
        return list(ordered.values())

    def _ask(self, **what: str) -> Any:
        asked = reflection_pb2.ServerReflectionRequest(**what)
        return next(self._call(iter([asked]), timeout=PATIENCE), reflection_pb2.ServerReflectionResponse())


def _files(found: Any) -> list[Any]:
    return [
        descriptor_pb2.FileDescriptorProto.FromString(each)
        for each in found.file_descriptor_response.file_descriptor_proto
    ]


def main(address: str, service: str) -> None:
    """Print what the server says."""
    try:
        said = {"descriptors": base64.b64encode(described(address, service)).decode()}
    except Misfit as misfit:
        said = {"field": misfit.field, "message": str(misfit)}
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
