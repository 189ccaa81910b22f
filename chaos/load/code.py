"""The folder of a locustfile, as it goes to load workers on other hosts: a ZIP archive, its size bounded on both sides.

Hidden files stay at home, and what Python has compiled. A link that leads out of the folder is an error: what it names
was never meant to be sent."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from chaos.protocol.load_plan import BadPlan

MOST_BYTES = 10 << 20
MOST_FILES = 2000
_ALWAYS = (1980, 1, 1, 0, 0, 0)  # the time of every file, so that equal folders have equal archives
_LEFT_OUT = {"__pycache__"}


@dataclass(frozen=True, slots=True)
class Code:
    """An archive. `name` is the locustfile's in it."""

    name: str
    files: int
    archive: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.archive).hexdigest()

    def __str__(self) -> str:
        return f"{self.name} and its folder, {self.files} files, sha256 {self.sha256[:12]}"


def pack(locustfile: str) -> Code:
    """Return the archive of a locustfile's folder. Raises BadPlan if it is too large, or a link leads out of it."""
    path = Path(os.path.abspath(locustfile))
    made = io.BytesIO()
    size = count = 0
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in _files(path.parent):
            content = _content(file, MOST_BYTES - size)
            size, count = size + len(content), count + 1
            if size > MOST_BYTES or count > MOST_FILES:
                limit = f"{MOST_BYTES >> 20} MB and {MOST_FILES} files"
                raise BadPlan(f"{path.parent}: more than {limit}, the most that goes to load workers with a locustfile")
            archive.writestr(zipfile.ZipInfo(file.relative_to(path.parent).as_posix(), _ALWAYS), content)
    return Code(path.name, count, made.getvalue())


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder in order. Raises BadPlan."""
    home = folder.resolve()
    for base, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not _stays(each))
        for name in (*folders, *sorted(names)):
            path = Path(base) / name
            if not _stays(name) and path.is_symlink():
                if not path.resolve().is_relative_to(home):
                    raise BadPlan(f"{path} leads out of the folder of the locustfile, which goes to the load workers")
                if path.is_dir():
                    raise BadPlan(f"{path} is a link to a folder, which cannot go to the load workers")
        yield from (Path(base) / name for name in sorted(names) if not _stays(name) and (Path(base) / name).is_file())


def _stays(name: str) -> bool:
    return name.startswith(".") or name in _LEFT_OUT


def _content(file: Path, most: int) -> bytes:
    """Return the bytes of a file, one more than `most` at the longest. Raises BadPlan."""
    try:
        with file.open("rb") as stream:
            return stream.read(most + 1)
    except OSError as error:
        raise BadPlan(f"{file}: cannot be read: {error.strerror}") from None


def unpack(archive: bytes, sha256: str, folder: Path) -> int:
    """Write the files of an archive into a folder. Returns their number. Raises BadPlan for an archive with another
    hash, one that is too large, and one with a name that leads out of the folder."""
    if hashlib.sha256(archive).hexdigest() != sha256:
        raise BadPlan("the locustfile that came is not the one that was sent: its sha256 is another")
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as packed:
            return _unpack(packed, folder)
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise BadPlan(f"the locustfile that came cannot be unpacked: {error}") from None


def _unpack(packed: zipfile.ZipFile, folder: Path) -> int:
    entries = packed.infolist()
    if len(entries) > MOST_FILES or sum(entry.file_size for entry in entries) > MOST_BYTES:
        raise BadPlan("the locustfile that came is larger than allowed")
    for entry in entries:
        name = PurePosixPath(entry.filename)
        if name.is_absolute() or ".." in name.parts or "\\" in entry.filename or entry.is_dir():
            raise BadPlan(f"the locustfile that came has a file with the name {entry.filename!r}")
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        with packed.open(entry) as stream:
            content = stream.read(MOST_BYTES + 1)  # its header may lie
        if len(content) != entry.file_size:
            raise BadPlan("the locustfile that came is larger than it says")
        place.write_bytes(content)
    return len(entries)
