"""Draws docs/drawings/*.svg: `python docs/drawings.py`. Boxes and arrows by hand; no library would know where they
go. Each drawing carries both colour schemes and a background of its own, so that it can be read on any page."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from pathlib import Path

FOLDER = Path(__file__).parent / "drawings"
LINE = 18  # pixels from one line of a text to the next

STYLE = """
  .page { fill: #ffffff; stroke: #d0d7de }
  text { font: 14px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328 }
  .strong { font-weight: 600 }
  .small { font-size: 12.5px; fill: #59636e }
  .process { fill: #ddf4ff; stroke: #0969da }
  .pure { fill: #dafbe1; stroke: #1a7f37 }
  .store { fill: #fff8c5; stroke: #9a6700 }
  .outside { fill: #f6f8fa; stroke: #818b98 }
  .wire { fill: none; stroke: #59636e; stroke-width: 1.5 }
  .tip { fill: #59636e }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; stroke: #3d444d }
    text { fill: #f0f6fc }
    .small { fill: #b1bac4 }
    .process { fill: #0c2d6b; stroke: #58a6ff }
    .pure { fill: #0f3d1f; stroke: #3fb950 }
    .store { fill: #3d2e00; stroke: #d29922 }
    .outside { fill: #212830; stroke: #9198a1 }
    .wire { stroke: #b1bac4 }
    .tip { fill: #b1bac4 }
  }
"""


def label(x: float, y: float, text: str, kind: str = "", anchor: str = "middle") -> str:
    """One line of text; `y` is its base line."""
    return f'<text x="{x:g}" y="{y:g}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'


def box(x: float, y: float, width: float, height: float, kind: str, title: str, *lines: str) -> str:
    """A titled box with small lines below its title, all of it centred."""
    first = y + height / 2 - LINE * len(lines) / 2 + 5
    texts = [label(x + width / 2, first, title, "strong")]
    texts += [label(x + width / 2, first + LINE * (place + 1), line, "small") for place, line in enumerate(lines)]
    shape = f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="8" class="{kind}"/>'
    return shape + "".join(texts)


def arrow(*points: tuple[float, float], both: bool = False) -> str:
    """A line through the points with a tip at its end, or at both ends."""
    path = " ".join(f"{x:g},{y:g}" for x, y in points)
    start = ' marker-start="url(#tip)"' if both else ""
    return f'<polyline points="{path}" class="wire" marker-end="url(#tip)"{start}/>'


def drawing(width: int, height: int, title: str, parts: Iterable[str]) -> str:
    """A whole SVG; `title` is what is read out instead of it."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>",
            '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
            'orient="auto-start-reverse"><path d="M0,0 L10,5 L0,10 z" class="tip"/></marker></defs>',
            f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="10" class="page"/>',
            *parts,
            "</svg>\n",
        ]
    )


def processes() -> str:
    """Who starts whom, and what goes between them."""
    return drawing(
        900,
        470,
        "The processes of a run",
        [
            box(30, 30, 400, 84, "process", "supervisor", "chaos run: plans, starts the others, judges, shows"),
            box(560, 30, 130, 84, "store", "journal", "journal.jsonl"),
            box(740, 30, 130, 84, "process", "report", "report.html", "result.json"),
            arrow((430, 72), (560, 72)),
            label(495, 62, "records", "small"),
            arrow((690, 72), (740, 72)),
            box(30, 220, 190, 84, "process", "load", "Locust users,", "counts what they see"),
            box(330, 220, 210, 84, "process", "gateway", "one worker or several,", "draws, decides, counts"),
            box(690, 220, 180, 84, "process", "built-in services", "webserver, proxy"),
            box(690, 354, 180, 84, "outside", "your programs", "each under a guard"),
            arrow((90, 114), (90, 220)),
            label(82, 158, "plan,", "small", "end"),
            label(82, 176, "commands", "small", "end"),
            arrow((150, 220), (150, 114)),
            label(158, 158, "digests,", "small", "start"),
            label(158, 176, "samples", "small", "start"),
            arrow((370, 114), (370, 220)),
            label(362, 158, "plan (rules", "small", "end"),
            label(362, 176, "as text)", "small", "end"),
            arrow((410, 114), (410, 220), both=True),
            label(420, 150, "admin API:", "small", "start"),
            label(420, 168, "phase, counters,", "small", "start"),
            label(420, 186, "faulted requests", "small", "start"),
            arrow((220, 262), (330, 262)),
            label(275, 252, "requests", "small"),
            arrow((540, 250), (690, 250)),
            label(615, 240, "forwarded", "small"),
            arrow((540, 285), (610, 285), (610, 380), (690, 380)),
            arrow((690, 412), (435, 412), (435, 304)),
            label(562, 430, "the application's own calls", "small"),
            label(30, 380, "Blue: ours. The supervisor starts all of them;", "small", "start"),
            label(30, 398, "every child dies with it. Plans are one line of", "small", "start"),
            label(30, 416, "JSON on stdin, answers are lines on stdout.", "small", "start"),
        ],
    )


def request() -> str:
    """Through the gateway and back."""
    return drawing(
        960,
        440,
        "A request's way through the gateway",
        [
            box(20, 160, 90, 80, "outside", "client"),
            box(160, 160, 150, 80, "process", "downstream", "parses, keeps order,", "refuses"),
            box(360, 160, 150, 80, "process", "exchange", "decides once,", "then executes"),
            box(560, 160, 150, 80, "process", "attempt", "one try, one", "connection"),
            box(760, 160, 180, 80, "process", "connection", "to the endpoint: sends,", "parses the answer"),
            box(360, 30, 150, 64, "pure", "Rules.decide", "mesh, pure"),
            box(145, 30, 170, 64, "store", "ledger", "counts what is drawn"),
            box(560, 30, 150, 64, "process", "balancer, pool", "endpoint, connection"),
            box(760, 300, 180, 64, "outside", "service"),
            arrow((110, 185), (160, 185)),
            arrow((310, 185), (360, 185)),
            arrow((510, 185), (560, 185)),
            arrow((710, 185), (760, 185)),
            arrow((820, 240), (820, 300)),
            arrow((880, 300), (880, 240)),
            arrow((760, 222), (710, 222)),
            arrow((560, 222), (510, 222)),
            arrow((360, 222), (310, 222)),
            arrow((160, 222), (110, 222)),
            arrow((415, 160), (415, 94)),
            label(407, 122, "request,", "small", "end"),
            label(407, 138, "draws", "small", "end"),
            arrow((455, 94), (455, 160)),
            label(463, 131, "Decision", "small", "start"),
            arrow((372, 160), (372, 146), (225, 146), (225, 94)),
            arrow((615, 160), (615, 94)),
            label(607, 131, "acquire", "small", "end"),
            arrow((655, 94), (655, 160)),
            label(663, 131, "put back at its end", "small", "start"),
            arrow((400, 240), (400, 290), (205, 290), (205, 240)),
            label(290, 310, "abort, redirect, direct response: a local reply", "small"),
            arrow((635, 240), (635, 290), (470, 290), (470, 240)),
            label(565, 310, "failed: retry, with a new attempt", "small"),
            label(20, 390, "A delay is a timer between the decision and what is then done.", "small", "start"),
            label(20, 410, "No task per request: callbacks, one table of states, one end.", "small", "start"),
        ],
    )


def number() -> str:
    """Three ledgers from one number, and what becomes of them."""
    return drawing(
        960,
        420,
        "A number's way from the file to the verdict",
        [
            box(20, 160, 150, 84, "store", "the file", "percentage:", "{value: 50}"),
            box(220, 160, 140, 84, "pure", "compiled rules", "500 000 parts", "per million"),
            arrow((170, 202), (220, 202)),
            box(420, 30, 190, 76, "pure", "configured", "RuleInfo, Effect,", "Expectation: 0.5 ± 0.02"),
            box(420, 164, 190, 76, "process", "drawn", "gateway: Ledger,", "GET /counters"),
            box(420, 298, 190, 76, "process", "observed", "load: Outcome, Digest", "(from the tags)"),
            arrow((290, 160), (290, 68), (420, 68)),
            arrow((360, 202), (420, 202)),
            arrow((515, 240), (515, 298)),
            label(523, 274, "answers with tags", "small", "start"),
            box(690, 164, 110, 76, "pure", "Judge", "verify: claim,", "interval"),
            arrow((610, 68), (745, 68), (745, 164)),
            arrow((610, 202), (690, 202)),
            arrow((610, 336), (745, 336), (745, 240)),
            box(840, 150, 104, 104, "pure", "Finding", "verdict,", "interval,", "cause"),
            arrow((800, 202), (840, 202)),
            box(796, 298, 148, 76, "outside", "terminal, report", "49.8 % of 13 574", "verified"),
            arrow((892, 254), (892, 298)),
            label(20, 330, "Shares are fractions between the file", "small", "start"),
            label(20, 348, "and the sentence that is printed.", "small", "start"),
            label(20, 366, "Green: pure, no clock and no socket.", "small", "start"),
        ],
    )


DRAWINGS = {"processes": processes, "request": request, "number": number}


def main() -> None:
    """Write all drawings."""
    FOLDER.mkdir(exist_ok=True)
    for name, draw in DRAWINGS.items():
        (FOLDER / f"{name}.svg").write_text(draw())


if __name__ == "__main__":
    main()
