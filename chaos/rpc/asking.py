"""Ask a gRPC server which services it has, from a process that does not have grpcio in it (reflection.py)."""

from __future__ import annotations

import base64
import json
import subprocess
import sys

from chaos.rpc.messages import Misfit

PATIENCE = 60.0  # seconds, more than the questions themselves may take


def described(address: str, service: str) -> bytes:
    """Return the service with all that it needs, as a FileDescriptorSet. `address` is `host:port`. Raises Misfit."""
    command = [sys.executable, "-m", "chaos.rpc.reflection", address, service]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        said = json.loads(ended.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        raise Misfit("url", f"the server at {address} could not be asked for its services; name its `proto`") from None
    if "message" in said:
        raise Misfit(said["field"], said["message"])
    return base64.b64decode(said["descriptors"])
