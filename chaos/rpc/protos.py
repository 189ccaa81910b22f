"""Compile a .proto file with grpcio-tools, in a process of its own: the compiler prints what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

from chaos.rpc.messages import Misfit

PATIENCE = 30.0  # seconds


def compiled(path: str) -> bytes:
    """Return the file with all that it imports, as a FileDescriptorSet. What it imports is looked for beside it. Raises
    Misfit."""
    try:
        changed = os.stat(path).st_mtime_ns
    except OSError as error:
        raise Misfit("proto", f"{path}: {error.strerror}") from None
    return _compiled(path, changed)


@lru_cache(maxsize=64)
def _compiled(path: str, changed: int) -> bytes:
    """Compile it again if it has changed."""
    file = Path(path)
    with tempfile.TemporaryDirectory(prefix="chaos-proto-") as folder:
        made = Path(folder) / "descriptors"
        command = [sys.executable, "-m", "grpc_tools.protoc", "--include_imports", f"--descriptor_set_out={made}"]
        try:
            ended = subprocess.run(
                [*command, f"-I{file.parent}", str(file)],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Misfit("proto", f"{path}: was not compiled within {PATIENCE:g} s") from None
        if ended.returncode or not made.exists():
            raise Misfit("proto", f"does not compile: {_said(ended.stderr) or f'{path}: no reason was given'}")
        return made.read_bytes()


def _said(errors: str) -> str:
    """Return the compiler's first errors in one line; warnings are none."""
    lines = [line.strip() for line in errors.splitlines() if line.strip() and "warning:" not in line]
    return "; ".join(lines[:3])
