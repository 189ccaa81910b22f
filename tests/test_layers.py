"""The arrows between folders point one way, and the pure layers stay pure (docs/architecture.md)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "chaos"

CORE = (
    "printable",
    "errors",
    "units",
    "formatting",
    "loopback",
    "mesh",
    "verify",
    "experiment",
    "protocol",
    "claims",
    "journal",
)  # each imports those before it
EDGES = {"gateway", "load", "services", "report", "engines"}
NEUTRAL = {"parent_death"}  # used by the edges and by what starts them; knows nothing of either
MAY_IMPORT: dict[str, set[str]] = {
    **{layer: set(CORE[:place]) for place, layer in enumerate(CORE)},
    "errors": {"printable"},
    "units": {"errors"},
    "formatting": {"units"},
    "loopback": set(),
    "verify": {"errors", "units"},
    **{neutral: {"errors"} for neutral in NEUTRAL},
    **{edge: {*CORE, *NEUTRAL} for edge in EDGES},
    "run": {*CORE, *NEUTRAL, *EDGES},
    "testing": {*CORE, *EDGES, "run"},
    "cli": {*CORE, *EDGES, "run"},
    "pytest_plugin": {"testing"},
    "__main__": {"cli"},
}
IMPURE = {
    "asyncio", "aiohttp", "gevent", "glob", "http", "httptools", "io", "locust", "logging", "multiprocessing", "os",
    "pathlib", "random", "select", "signal", "socket", "subprocess", "tempfile", "threading", "time", "urllib.request",
    "uvloop",
}  # fmt: skip


def modules() -> list[Path]:
    return sorted(path for path in ROOT.rglob("*.py") if path.name != "__init__.py" or path.parent != ROOT)


def layer_of(path: Path) -> str:
    relative = path.relative_to(ROOT)
    return relative.parts[0].removesuffix(".py")


def imports(path: Path) -> list[str]:
    """Every module named in an import, wherever it stands in the file; imports for type checking count too."""
    package = ("chaos", *path.relative_to(ROOT).parts[:-1])
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(), filename=str(path))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            found += [module, *(f"{module}.{alias.name}" for alias in node.names)] if module == "chaos" else [module]
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_upwards(path: Path) -> None:
    """A module imports from its own layer and from those above it, never sideways or down."""
    own = layer_of(path)
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "chaos" and len(parts) > 1 and parts[1] not in {own, "__version__"}:
            assert parts[1] in MAY_IMPORT[own], f"{path} imports {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_is_pure(path: Path) -> None:
    """Meaning is functions from values to values: no sockets, files, clocks, randomness, logging or async."""
    if layer_of(path) not in CORE:
        return
    for name in imports(path):
        assert name not in IMPURE and name.split(".")[0] not in IMPURE, f"{path} imports {name}"
    tree = ast.parse(path.read_text())
    assert not [n for n in ast.walk(tree) if isinstance(n, ast.AsyncFunctionDef | ast.Await)], f"{path} is async"
    opened = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "open"]
    assert not opened, f"{path} opens a file"


def test_every_folder_is_in_the_table() -> None:
    """A new folder says where it stands."""
    assert {layer_of(path) for path in modules()} <= set(MAY_IMPORT)
