"""Write docs/api.md from the docstrings: `python docs/make_api.py`. A test holds that the file is current."""

from __future__ import annotations

import dataclasses
import inspect
import re
import textwrap
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

import chaos

PAGE = Path(__file__).with_name("api.md")
BEGINNING = """\
# The library

<!-- Made by docs/make_api.py from the docstrings: change those, then run it again. -->

What a program may use of `chaos`; everything else may change with any version. `import chaos` itself imports nothing:
each name is imported when it is first asked for, and all of them are typed. Bad input is `chaos.InvalidInput`, with
every problem at its file, line and column. Nothing is printed, and nothing exits.

```python
import chaos

rules = chaos.load_rules("reviews.yaml")
decision = rules.decide(chaos.Request.parse("GET http://reviews/"), chaos.FixedDraws(abort=0.1))
print(decision.status, decision.delay)
print(chaos.explain(rules, "GET http://reviews/"))

experiment = chaos.load_experiment("abort50.yaml", overrides={"spec.seed": 7})
print(experiment.forecast())
result = chaos.run(experiment)
assert result.verdict is chaos.Verdict.VERIFIED, result.summary()
```

In signatures, `Name` is `str | os.PathLike[str]`, `Overrides` a mapping from fields' paths to values, `Told` a callable
that takes a level (`info`, `warning`, `error`) and a text, `Headers` a list of pairs of octets, names in lower case,
`FaultKind` one of the texts `delay` and `abort` (`chaos.faults.FaultKind`).
"""
TESTING = ("gateway", "Gateway", "VerdictError")


def page() -> str:
    """The whole page."""
    parts = [BEGINNING]
    for name in chaos.__all__:
        if name not in ("testing", "__version__"):
            parts += _entry(f"chaos.{name}", getattr(chaos, name))
    parts.append(f"## chaos.testing\n\n{_text(chaos.testing)}\n")
    for name in TESTING:
        parts += _entry(f"chaos.testing.{name}", getattr(chaos.testing, name))
    return "\n".join(parts)


def signatures() -> str:
    """A line for each name, field, method and property: what may only be changed on purpose."""
    named = {f"chaos.{name}": getattr(chaos, name) for name in chaos.__all__ if name not in ("testing", "__version__")}
    named |= {f"chaos.testing.{name}": getattr(chaos.testing, name) for name in TESTING}
    lines = ["chaos.__version__"]
    for name, thing in named.items():
        lines.append(_signature(name, thing))
        lines += [f"{name}.{line}" for line, _ in _members(thing)]
    return "\n".join(lines) + "\n"


def _entry(name: str, thing: object) -> Iterator[str]:
    yield f"## {name}\n"
    yield f"```python\n{_signature(name, thing)}\n```\n"
    yield f"{_text(thing)}\n"
    members = list(_members(thing))
    yield from (f"- `{line}`{f': {text}' if text else ''}" for line, text in members)
    if members:
        yield ""


def _signature(name: str, thing: object) -> str:
    if not inspect.isclass(thing):
        waits = "async " if inspect.iscoroutinefunction(thing) else ""
        return f"{waits}{name}{_plain(inspect.signature(thing))}"  # type: ignore[arg-type]
    bases = ", ".join(base.__name__ for base in thing.__bases__ if base.__name__ not in ("object", "Protocol"))
    return f"class {name}({bases})" if bases else f"class {name}"


def _members(thing: object) -> Iterator[tuple[str, str]]:
    """Fields in their order, then what else the class itself defines and documents, in its order."""
    if not inspect.isclass(thing):
        return
    if dataclasses.is_dataclass(thing):
        for field in dataclasses.fields(thing):
            default = "" if field.default is dataclasses.MISSING else f" = {field.default!r}"
            if field.default_factory is not dataclasses.MISSING:
                default = f" = {field.default_factory()!r}"
            yield f"{field.name}: {field.type}{default}", ""
    yield from ((f"{each.name} = {each.value!r}", "") for each in (thing if issubclass(thing, Enum) else ()))
    for name, value in vars(thing).items():
        if name.startswith("_"):
            continue
        if isinstance(value, property):
            yield f"{name}: {inspect.signature(value.fget).return_annotation}", _line(value.fget)  # type: ignore[arg-type]
        elif isinstance(value, classmethod):
            yield f"{name}{_plain(inspect.signature(getattr(thing, name)))}", _line(value.__func__)
        elif inspect.isfunction(value):
            yield f"{name}{_plain(inspect.signature(value))}", _line(value)


def _plain(signature: inspect.Signature) -> str:
    """Without `self`, and types as they are written."""
    parameters = [each for name, each in signature.parameters.items() if name != "self"]
    return re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(signature.replace(parameters=parameters)))


def _text(thing: object) -> str:
    """The docstring, one line for each paragraph, code left as it is."""
    paragraphs = (inspect.getdoc(thing) or "").split("\n\n")
    return "\n\n".join(_code(each) if each.startswith("    ") else " ".join(each.split()) for each in paragraphs)


def _code(paragraph: str) -> str:
    return f"```python\n{textwrap.dedent(paragraph)}\n```"


def _line(thing: object) -> str:
    return " ".join((inspect.getdoc(thing) or "").split())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
