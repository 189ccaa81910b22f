"""A small gRPC service of one's own: it says what it was told. It listens on PORT, and needs grpcio and
grpcio-tools."""

import asyncio
import os
import sys
from pathlib import Path

import grpc

sys.path.insert(0, str(Path(__file__).parent))
_, services = grpc.protos_and_services("echo.proto")  # compiled as it starts


class Echo(services.EchoServicer):
    async def Say(self, request, context):  # noqa: N802 - as the service names it
        return request


async def main() -> None:
    server = grpc.aio.server()
    services.add_EchoServicer_to_server(Echo(), server)
    server.add_insecure_port(f"127.0.0.1:{os.environ['PORT']}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
