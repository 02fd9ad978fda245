"""The extensions of a dataset: numbered files, each made once, in a chain of hashes that begins with the sweep's."""

from __future__ import annotations

import re
from pathlib import Path

from gradsim.errors import CorruptDataError, SweepError, SweepFileError
from gradsim.simulation.plan import Plan
from gradsim.sweep.extension import Extension
from gradsim.system import filesystem

FOLDER = "extensions"
SIZE_CAP = 2**26
"""Most bytes of an extension: a million new cells and their networks."""

_NAME = re.compile(r"[0-9]{3,9}\.toml")


def path_of(number: int) -> str:
    """Return the path of an extension, relative to the dataset: at least three digits, so that names sort."""
    return f"{FOLDER}/{number:03d}.toml"


def count(path: Path) -> int:
    """Return how many extensions a dataset has."""
    return 1 + max(
        (int(name[:-5]) for name in filesystem.names(path / FOLDER) if _number(name) is not None), default=-1
    )


def orphans(path: Path) -> list[str]:
    """Return the names in the folder of extensions that no extension has; not what NFS keeps for open files."""
    found = filesystem.names(path / FOLDER)
    return [name for name in found if _number(name) is None and not name.startswith(".nfs")]


def stored(path: Path, plan: Plan) -> Plan:
    """Return a plan with all extensions of a dataset in place of those it has.

    Raises
    ------
    CorruptDataError
        If one is missing or damaged, or belongs to another dataset.
    """
    found = [_read(path / path_of(number)) for number in range(count(path))]
    if tuple(found) == plan.extensions:
        return plan
    try:
        return Plan(plan.sweep, plan.generators, found)
    except SweepError as error:
        raise CorruptDataError(
            f"{path / FOLDER}: the extensions do not fit this dataset: {error} {_RESTORE}"
        ) from error


def write(path: Path, number: int, extension: Extension) -> bool:
    """Write an extension of a dataset unless there is one of this number; False if there is."""
    filesystem.make_dirs(path / FOLDER)
    return filesystem.write_new(path / "tmp", path / path_of(number), extension.text().encode())


def is_canonical(path: Path, number: int, extension: Extension) -> bool:
    """Whether the file of an extension is as it was written, byte by byte."""
    return filesystem.read_bytes(path / path_of(number), SIZE_CAP) == extension.text().encode()


def _number(name: str) -> int | None:
    number = int(name[:-5]) if _NAME.fullmatch(name) else None
    return number if number is not None and path_of(number) == f"{FOLDER}/{name}" else None


def _read(name: Path) -> Extension:
    data = filesystem.read_bytes(name, SIZE_CAP)
    if data is None:
        raise CorruptDataError(f"{name}: the file is missing, and later extensions go on from it. {_RESTORE}")
    if len(data) > SIZE_CAP:
        raise CorruptDataError(f"{name}: larger than {SIZE_CAP // 2**20} MiB, which no extension is. {_RESTORE}")
    try:
        return Extension.from_text(data, str(name))
    except SweepFileError as error:
        raise CorruptDataError(f"{name}: the file is damaged: it is no TOML. {_RESTORE}") from error
    except SweepError as error:
        raise CorruptDataError(
            f"{name}: the file is damaged: {error.field} is not as it was written. {_RESTORE}"
        ) from error


_RESTORE = (
    "Restore the file from a copy. Or remove it, all later extensions, and the manifests of their shards, and refine "
    "again: the same numbers are computed anew."
)
