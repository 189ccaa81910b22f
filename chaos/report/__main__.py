"""`python -m chaos.report FOLDER...`: render runs, and the index of the reports that they belong to.

`--wait FOLDER...`: import everything now, and render when stdin closes; a run starts this early and so has its report
within half a second of its end. Folders may also be named on stdin, a line each, and are rendered as they come.

Stdout has a JSON line for each folder: `{"folder", "ok": true, "html", "json", "junit", "markdown", "root", "index",
"outcome", "exit_code"}`, or `{"folder", "ok": false, "error"}`; with `--wait` first `{"ready": true}`. The exit code is
0, or 2 when a folder could not be rendered."""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path
from typing import Any

from chaos.errors import ChaosError, ExitCode
from chaos.printable import printable


def main(arguments: list[str]) -> int:
    """Render the named folders. Returns the worst exit code."""
    wait, folders = arguments[:1] == ["--wait"], [each for each in arguments if not each.startswith("-")]
    if len(folders) + wait != len(arguments) or not arguments:
        print(__doc__, file=sys.stderr)
        return ExitCode.USAGE
    _import()
    worst = _wait() if wait else 0
    return max([worst, *map(_answer, folders)])


def _import() -> None:
    """Import everything. Seven hundred modules come and stay, so the garbage collector need not search them, now or
    later."""
    gc.disable()
    import chaos.report.warm  # noqa: F401  it imports the others

    gc.freeze()
    gc.enable()


def _wait() -> int:
    """Warm up, then render the folders that stdin names until it closes. Returns the worst exit code."""
    from chaos.report.warm import warm

    warm()
    gc.freeze()
    _say({"ready": True})
    return max([0, *(_answer(line.strip()) for line in sys.stdin if line.strip())])


def _answer(folder: str) -> int:
    """Render one run and print the result as a JSON line. Returns its exit code."""
    from chaos.report.pages.index import render_index
    from chaos.report.pages.render import render

    try:
        paths = render(Path(folder))
        index = render_index(paths.root) if paths.root else None
    except (ChaosError, OSError) as error:
        _say({"folder": folder, "ok": False, "error": str(error)})
        print(printable(str(error)), file=sys.stderr)
        return ExitCode.USAGE
    _say({"ok": True, **paths.to_dict(), "folder": folder, "index": str(index) if index else None})
    return ExitCode.VERIFIED


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
