"""What must be the same in a load and its workers."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import locust

from chaos.version import __version__


def versions() -> dict[str, str]:
    """Return the versions of this process, by what a reader calls them."""
    return {
        "chaos": __version__,
        "Locust": locust.__version__,
        "Python": f"{sys.version_info.major}.{sys.version_info.minor}",
    }


def boot() -> str:
    """Return a random number that the kernel has drawn when it started; empty if there is none."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""
