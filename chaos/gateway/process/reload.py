"""Load rules again when their files change. When the new rules are wrong, print why and keep the old ones."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from chaos.errors import InvalidInput
from chaos.gateway.process.control import Controls
from chaos.printable import printable_line

DEBOUNCE_MILLISECONDS = 100  # editors write in several steps


async def watch(files: tuple[str, ...], controls: Controls) -> None:
    """Reload the rules whenever one of the files changes, until cancelled.

    Folders are watched rather than files: many editors replace a file instead of writing into it."""
    from watchfiles import awatch

    paths = _absolute(files)
    folders = {path.parent for path in paths}
    async for changes in awatch(
        *folders,
        watch_filter=lambda _, path: Path(path) in paths,
        debounce=DEBOUNCE_MILLISECONDS,
        step=20,
        recursive=False,
    ):
        if changes:
            await reload(controls)


def _absolute(files: tuple[str, ...]) -> set[Path]:
    return {Path(os.path.abspath(file)) for file in files}


async def reload(controls: Controls) -> None:
    """Load the rules from their files again and print the outcome on stderr."""
    try:
        generation = await controls.replace(None)
    except InvalidInput as error:
        print(f"{error}\nthe rules in force stay as they were", file=sys.stderr, flush=True)  # a problem is one line
    except OSError as error:
        name = printable_line(str(error.filename))
        print(f"{name}: {error.strerror}; the rules in force stay", file=sys.stderr, flush=True)
    else:
        print(f"rules reloaded (generation {generation})", file=sys.stderr, flush=True)
