"""The live VirtualService of a host against the file's: what differs beyond faults.

The verdict is about the file's rules. Where the mesh has other weights, timeouts or matches, it would be about
something else than what runs there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]

ABSENT = "nothing"
LONGEST = 60  # characters of a value


def differences(file: Json, live: Json) -> list[str]:
    """Return what differs between the specs of two VirtualServices, both as written and without their faults, like
    `http[0].timeout: 5s in the file, 1s in the mesh`."""
    return list(_compare("", _without_faults(file), _without_faults(live)))


def _without_faults(spec: Json) -> dict[str, Any]:
    rules = [{name: value for name, value in rule.items() if name != "fault"} for rule in spec.get("http") or ()]
    return {**spec, **({"http": rules} if rules else {})}


def _compare(path: str, ours: Any, theirs: Any) -> Iterator[str]:
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        for name in dict.fromkeys((*ours, *theirs)):
            yield from _compare(f"{path}.{name}" if path else name, ours.get(name), theirs.get(name))
    elif _is_list(ours) and _is_list(theirs) and len(ours) == len(theirs):
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from _compare(f"{path}[{index}]", one, other)
    elif _is_list(ours) and _is_list(theirs):
        yield f"{path}: {len(ours)} in the file, {len(theirs)} in the mesh"
    elif not _same(ours, theirs):
        yield f"{path}: {_shown(ours)} in the file, {_shown(theirs)} in the mesh"


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _same(one: Any, other: Any) -> bool:
    """Return whether two values mean the same: absent, null, empty and zero are one in protobuf's JSON, and the API
    server writes whole numbers without a point."""
    empty: tuple[Any, ...] = (None, "", 0, False, [], {})
    return one == other or (one in empty and other in empty)


def _shown(value: Any) -> str:
    text = ABSENT if value is None else str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
