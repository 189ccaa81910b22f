"""The file by which `chaos ctl` finds a gateway that runs on this machine (chaos/protocol/presence.py).

It is locked as long as this process lives, however that ends, and removed when it ends in order."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from chaos.protocol.presence import Presence, folder_name


@contextmanager
def present(presence: Presence) -> Iterator[None]:
    """Have the file while the block runs. A gateway serves without it where it cannot be written."""
    path = _written(presence)
    try:
        yield
    finally:
        if path is not None:
            path.unlink(missing_ok=True)


def _written(presence: Presence) -> Path | None:
    folder = folder_name(os.environ, os.getuid())
    path = Path(folder) / f"gateway-{presence['pid']}.json"
    new = path.with_suffix(".new")
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        if os.stat(folder).st_uid != os.getuid():
            return None  # somebody else's folder, under a name that was meant for us
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        os.write(descriptor, json.dumps(presence).encode())
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # kept by the descriptor, which stays open until the process ends
        new.rename(path)  # locked before anybody can read it
    except OSError:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        return None
    return path
