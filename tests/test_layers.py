"""The layer table of docs/architecture.md holds: arrows between layers point one way, each layer uses the libraries
that its row names, and the core is pure."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
ROOT = REPOSITORY / "chaos"
NAMED = re.compile(r"`([^`]+)`")
FOR_TYPES_ALONE = {"_typeshed"}  # stubs, which nobody can import when the program runs


@dataclass(frozen=True)
class Layer:
    """One row of the table."""

    name: str
    kind: str  # core, neutral, edge, whole
    imports: frozenset[str]
    libraries: frozenset[str]


def layer_table() -> dict[str, Layer]:
    """The rows under the heading `Layers`, by layer."""
    section = (REPOSITORY / "docs/architecture.md").read_text().split("\n## Layers\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    layers: dict[str, Layer] = {}
    for name, kind, _, ours, libraries in rows[2:]:
        imports = frozenset(NAMED.findall(ours))
        for group in NAMED.sub("", ours).replace(",", " ").split():
            assert group in ("core", "edges", "none"), f"{name}: {group!r} is no group of layers"
            imports |= {each.name for each in layers.values() if each.kind == group.removesuffix("s")}
        assert imports <= set(layers), f"{name} imports {imports - set(layers)}, which are not above it"
        layer = Layer(NAMED.findall(name)[0], kind, imports, frozenset(NAMED.findall(libraries)))
        assert kind != "edge" or not any(layers[each].kind == "edge" for each in imports), f"{name} imports a sibling"
        assert layer.name not in layers
        layers[layer.name] = layer
    return layers


LAYERS = layer_table()
CORE = {layer.name for layer in LAYERS.values() if layer.kind == "core"}


@cache
def modules() -> list[Path]:
    return sorted(path for path in ROOT.rglob("*.py") if path.name != "__init__.py" or path.parent != ROOT)


def layer_of(path: Path) -> str:
    relative = path.relative_to(ROOT)
    return relative.parts[0].removesuffix(".py")


@cache
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


def libraries(path: Path) -> set[str]:
    """The third-party packages that a module imports."""
    tops = {name.split(".")[0] for name in imports(path)}
    return {top for top in tops if top != "chaos" and top not in sys.stdlib_module_names} - FOR_TYPES_ALONE


# ------------------------------------------------------------------------------------------------ arrows


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_upwards(path: Path) -> None:
    """A module imports from its own layer and from those that its row names, never sideways or down."""
    own = layer_of(path)
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "chaos" and len(parts) > 1 and parts[1] != own:
            assert parts[1] in LAYERS[own].imports, f"{path} imports {name}"


def test_every_layer_is_in_the_table() -> None:
    """A new folder says where it stands; one that is gone leaves the table."""
    assert {layer_of(path) for path in modules()} == set(LAYERS)


# ------------------------------------------------------------------------------------------------ libraries


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_named_libraries_are_imported(path: Path) -> None:
    """A library has few homes, and the table says which."""
    assert libraries(path) <= LAYERS[layer_of(path)].libraries, path


@pytest.mark.parametrize("layer", LAYERS.values(), ids=lambda layer: layer.name)
def test_every_named_library_is_imported(layer: Layer) -> None:
    """What the table names is needed."""
    used = {each for path in modules() if layer_of(path) == layer.name for each in libraries(path)}
    assert used == layer.libraries


def test_every_dependency_says_where_it_is_used() -> None:
    """In pyproject.toml: `"typer>=0.12",  # chaos/cli: ...` stands at what `chaos/cli`, and nothing else, imports."""
    text = (REPOSITORY / "pyproject.toml").read_text()
    provided = {name: {_plain(each) for each in made_by} for name, made_by in packages_distributions().items()}
    for requirement in tomllib.loads(text)["project"]["dependencies"]:
        comment = next(line for line in text.splitlines() if f'"{requirement}"' in line).partition("#")[2]
        wanted = _plain(re.split(r"[><=~!;\[ ]", requirement)[0])
        names = {name for name, made_by in provided.items() if wanted in made_by}
        assert names, f"{wanted} is not installed"
        users = {layer_of(path) for path in modules() if libraries(path) & names}
        assert set(re.findall(r"chaos/(\w+)", comment)) == users, requirement


def _plain(distribution: str) -> str:
    """A distribution's name in the one form in which names are compared."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


# ------------------------------------------------------------------------------------------------ purity

IMPURE_MODULES = {
    "asyncio", "concurrent", "fcntl", "fileinput", "getpass", "gevent", "glob", "http", "io", "linecache", "logging",
    "mmap", "multiprocessing", "os", "pathlib", "platform", "pty", "queue", "random", "resource", "sched", "secrets",
    "select", "selectors", "shutil", "signal", "socket", "socketserver", "sqlite3", "ssl", "subprocess", "tempfile",
    "threading", "time", "urllib.request", "zoneinfo",
}  # fmt: skip
IMPURE_NAMES = {
    "datetime.datetime.now", "datetime.datetime.today", "datetime.datetime.utcnow", "datetime.date.today",
    "uuid.uuid1", "uuid.uuid4", "uuid.getnode", "sys.stdin", "sys.stdout", "sys.stderr", "sys.argv",
    "importlib.resources.files", "importlib.resources.open_text", "importlib.resources.read_text",
}  # fmt: skip
IMPURE_BUILTINS = {"open", "print", "input", "breakpoint", "__import__", "exec", "eval"}
FILE_METHODS = {"read_text", "write_text", "read_bytes", "write_bytes", "mkdir", "unlink", "iterdir"}


def impurities(source: str) -> list[str]:
    """What a module of the core must not have: clocks, chance, i/o and async, called or only named."""
    tree = ast.parse(source)
    names = dict(_bindings(tree))
    return [found for node in ast.walk(tree) for found in _impure(node, names)]


def _bindings(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """What the names stand for that imports bind: `from datetime import datetime as moment` and the like."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                yield (alias.asname, alias.name) if alias.asname else (top, top)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _impure(node: ast.AST, names: dict[str, str]) -> Iterator[str]:
    match node:
        case ast.Import():
            yield from (alias.name for alias in node.names if _is_impure_module(alias.name))
        case ast.ImportFrom(module=str(module)) if not node.level:
            full = [module, *(f"{module}.{alias.name}" for alias in node.names)]
            yield from (name for name in full if _is_impure_module(name) or name in IMPURE_NAMES)
        case ast.Attribute():
            if _dotted(node, names) in IMPURE_NAMES or node.attr in FILE_METHODS:
                yield ast.unparse(node)
        case ast.Name(id=name, ctx=ast.Load()) if name in IMPURE_BUILTINS and name not in names:
            yield name
        case ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor() | ast.AsyncWith():
            yield "async"


def _is_impure_module(name: str) -> bool:
    return name in IMPURE_MODULES or name.split(".")[0] in IMPURE_MODULES


def _dotted(node: ast.expr, names: dict[str, str]) -> str:
    """The full name of `a.b.c`, where `a` is what an import has bound it to."""
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value, names)}.{node.attr}"
    return names.get(node.id, "") if isinstance(node, ast.Name) else ""


@pytest.mark.parametrize(
    "path", [each for each in modules() if layer_of(each) in CORE], ids=lambda path: str(path.relative_to(ROOT))
)
def test_the_core_is_pure(path: Path) -> None:
    """Meaning is functions from values to values: no sockets, files, clocks, randomness, logging or async."""
    assert impurities(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "import datetime\nat = datetime.datetime.now()",
        "from datetime import datetime\nat = datetime.now(UTC)",
        "from datetime import datetime as moment\nat = moment.utcnow()",
        "from datetime import datetime\nclock = datetime.today",
        "from datetime import date\nat = date.today()",
        "from time import monotonic",
        "import time as clock",
        "import uuid\nid = uuid.uuid4()",
        "from uuid import uuid1",
        "import secrets",
        "import random",
        "from random import Random",
        "import os\nnonce = os.urandom(8)",
        "from os import urandom",
        "text = open('file').read()",
        "def text(path): return path.read_text()",
        "print('here')",
        "import sys\nsys.stderr.write('here')",
        "from urllib import request",
        "from concurrent.futures import ThreadPoolExecutor",
        "async def answer(): ...",
    ],
)
def test_impurity_is_recognised(source: str) -> None:
    """Each way in which a clock, chance or i/o could come into the core."""
    assert impurities(source)


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import UTC, datetime\nat = datetime.fromisoformat('2024-01-01').replace(tzinfo=UTC)",
        "from urllib.parse import urlsplit",
        "from uuid import UUID",
        "def f(clock): return clock.now()",
        "import sys\nname = sys.intern('x')",
    ],
)
def test_values_are_no_impurity(source: str) -> None:
    """Moments and ids may be read and compared; only where they come from is somebody else's."""
    assert impurities(source) == []
