"""A method of a gRPC service by its descriptors: its messages from JSON and back. Opens nothing.

Only what is needed of Google's `protobuf` is imported here; the extra `grpc` brings it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.message import DecodeError

_NAME = re.compile(r"[0-9a-z_.-]+")


class Misfit(ValueError):  # noqa: N818 - named for what it is
    """A call that its service does not have; `field` is the task's field that is wrong: proto, service, method, json,
    headers or url."""

    def __init__(self, field: str, message: str):
        self.field = field
        super().__init__(message)


class Method:
    """A unary method. `path` is what it is called by: `/shop.Echo/Say`."""

    def __init__(self, path: str, request: Any, response: Any, pool: Any):
        self.path = path
        self._request, self._response, self._pool = request, response, pool

    def encode(self, text: str | None) -> bytes:
        """Return the request's bytes; of no text, those of an empty message. Raises Misfit."""
        try:
            made = json_format.Parse(text or "{}", self._request(), descriptor_pool=self._pool)
            return bytes(made.SerializeToString())
        except (json_format.ParseError, ValueError, RecursionError) as error:
            raise Misfit("json", f"does not fit {self._request.DESCRIPTOR.full_name}: {_reason(error)}") from None

    def decode(self, octets: bytes) -> bytes:
        """Return a response as JSON, with all fields; what is none as it is."""
        try:
            found = self._response.FromString(octets)
            text = json_format.MessageToJson(
                found, always_print_fields_with_no_presence=True, indent=None, descriptor_pool=self._pool
            )
        except (DecodeError, json_format.SerializeToJsonError, TypeError):
            return octets
        return bytes(text.encode())


def method_of(descriptors: bytes, service: str, method: str) -> Method:
    """Return a method by the names of it and its service; `descriptors` is a FileDescriptorSet with all that it needs.
    Raises Misfit for one that is unknown or streams."""
    files = descriptor_pb2.FileDescriptorSet.FromString(descriptors)
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    try:
        found = pool.FindServiceByName(service)
    except KeyError:
        raise Misfit("service", unknown("service", service, services_of(files))) from None
    one = found.methods_by_name.get(method)
    if one is None:
        raise Misfit("method", unknown(f"method of {service}", method, found.methods_by_name)) from None
    if one.client_streaming or one.server_streaming:
        raise Misfit("method", f"{method} streams; only methods with one request and one response can be called")
    request, response = (message_factory.GetMessageClass(each) for each in (one.input_type, one.output_type))
    return Method(f"/{service}/{method}", request, response, pool)


def check_metadata(headers: Mapping[str, str]) -> None:
    """Raise Misfit for headers that cannot be metadata: it is plain ASCII, or base64 where a name ends in `-bin`."""
    for name, value in headers.items():
        if not _NAME.fullmatch(name.lower()):
            raise Misfit("headers", f"{name!r} is no name of metadata: letters, digits, `_`, `-` and `.`")
        if name.lower().endswith("-bin"):
            try:
                binary(value)
            except ValueError:
                raise Misfit("headers", f"{name}: {value!r} is not base64, as values of -bin names are") from None
        elif not (value.isascii() and value.isprintable()):
            raise Misfit("headers", f"{name}: metadata is printable ASCII; a name that ends in -bin may have any bytes")


def binary(value: str) -> bytes:
    """Return the bytes of a value in base64, with its padding or without. Raises ValueError."""
    return base64.b64decode(value.rstrip("=") + "=" * (-len(value.rstrip("=")) % 4), validate=True)


def services_of(files: Any) -> list[str]:
    """Return the names of the services in a FileDescriptorSet."""
    return [f"{file.package}.{each.name}".lstrip(".") for file in files.file for each in file.service]


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Return that there is nothing of this name, and what there is."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    meant = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(names[:8])}" if names else ""
    return f"there is no {what} called {name}{meant}"


def _reason(error: Exception) -> str:
    """Return the library's reason in one line, without what it repeats."""
    return " ".join(str(error).split()).partition(" Available Fields")[0].rstrip(".")
