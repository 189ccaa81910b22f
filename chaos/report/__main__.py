"""`python -m chaos.report FOLDER...`: render runs. `--wait`: import everything now, then render what stdin names.

One JSON line on stdout per folder: `{"folder", "ok": true, "html", "json", "junit", "markdown", "outcome",
"exit_code"}`, or `{"folder", "ok": false, "error"}`; with `--wait` first `{"ready": true}`. A line of stdin is a
folder, or JSON `{"folder": ..., "index": reports root}` to render the index afterwards. Ends when stdin closes; 0, or
2 when a folder failed."""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path
from typing import Any

from chaos.errors import ChaosError


def main(arguments: list[str]) -> int:
    # Two hundred modules are about to be imported and kept: looking for garbage among them costs a tenth of the time.
    gc.disable()
    if arguments == ["--wait"]:
        return _wait()
    if not arguments or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    return max(_answer({"folder": folder}) for folder in arguments)


def _wait() -> int:
    import chaos.report.compare
    import chaos.report.draw
    import chaos.report.index
    import chaos.report.junit
    import chaos.report.markdown
    import chaos.report.page
    import chaos.report.warm

    chaos.report.warm.warm()
    gc.collect()
    gc.freeze()
    _say({"ready": True})
    worst = 0
    for line in sys.stdin:
        if line.strip():
            worst = max(worst, _answer(_order(line.strip())))
    return worst


def _order(line: str) -> dict[str, Any]:
    if line.startswith("{"):
        try:
            order = json.loads(line)
        except ValueError:
            return {"folder": line}
        if isinstance(order, dict) and isinstance(order.get("folder"), str):
            return order
    return {"folder": line}


def _answer(order: dict[str, Any]) -> int:
    from chaos.report.index import render_index
    from chaos.report.render import render

    folder = order["folder"]
    try:
        paths = render(Path(folder))
        answer: dict[str, Any] = {"ok": True, **paths.to_dict(), "folder": folder}
        if order.get("index"):
            answer["index"] = str(render_index(Path(order["index"])))
    except (ChaosError, OSError) as error:
        _say({"folder": folder, "ok": False, "error": str(error)})
        return 2
    _say(answer)
    return 0


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
