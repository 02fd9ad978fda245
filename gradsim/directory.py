"""The directory of a dataset: made once by whoever comes first, the sweep in it, and what it is refused for."""

from __future__ import annotations

import errno
import hashlib
import json
from pathlib import Path
from typing import Any

from gradsim import fs, provenance, schema, tables
from gradsim.errors import CorruptDataError, OutputError, RunExistsError, StorageError, SweepError, SweepFileError
from gradsim.plan import Plan
from gradsim.sealed import seal, unseal
from gradsim.sweep import Sweep

FOLDERS = ("tmp", "manifests", "data", "data/layers", "data/histograms", "data/networks")
FAILURES = "failures.jsonl"
_FIRST_NAMES = {"tmp", "manifests", "data", "cells.parquet", "run.json", FAILURES}
_STORAGE = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
_SIZE_CAP = 2**26  # bytes of the sweep's text: long axes are written out
_RUN_REMEDY = "Remove it, and run the sweep again: nothing is computed anew"


def create(path: Path, sweep: Sweep, plan: Plan) -> None:
    """Make the directory, the sweep's text, its cells and ``run.json``, each if it is not there.

    Raises
    ------
    RunExistsError
        If the directory holds the dataset of another sweep.
    OutputError
        If it holds other files or cannot be written; nothing is written then.
    StorageError
        If writing fails.
    """
    fs.check_writable(path)
    found = fs.names(path)  # before the sweep is looked for, which another process may be writing
    if not holds(path, sweep):
        _refuse_other_files(path, found)
    _make_folders(path, sweep)
    _write_new(path, "sweep.toml", sweep.stored_text().encode())
    holds(path, sweep)  # another process may have been first, with another sweep
    if not (path / "cells.parquet").exists():
        _write_new(path, "cells.parquet", schema.encode([tables.cells_table(sweep, plan.cells)]))
    if not (path / "run.json").exists():
        run = {
            "content_hash": sweep.content_hash,
            "created": provenance.now(),
            "files": {name: _sha256(path / name) for name in ("sweep.toml", "cells.parquet")},
            "environment": provenance.environment(),
        }
        _write_new(path, "run.json", seal(run))


def stored_sweep(path: Path) -> Sweep | None:
    """Return the sweep of the dataset in a directory, None if there is no dataset.

    Raises
    ------
    CorruptDataError
        If it is damaged.
    """
    name = path / "sweep.toml"
    if not (path / "manifests").is_dir():  # a sweep file of the user's own is no dataset
        return None
    for folder in FOLDERS:
        fs.check_own(path / folder)
    data = fs.read_bytes(name, _SIZE_CAP)
    if data is None:
        return None
    try:
        sweep = Sweep.from_stored_text(data, str(name))
    except (SweepFileError, SweepError) as error:
        raise CorruptDataError(
            f"{name}: the dataset's sweep cannot be read: {error} If a newer gradsim wrote it, update gradsim. "
            "Otherwise restore the file from the sweep that was run."
        ) from error
    made_for = run_facts(path).get("content_hash", sweep.content_hash)
    if made_for != sweep.content_hash:
        raise CorruptDataError(
            f"{name}: the file was changed after the dataset was made: run.json is of another sweep. "
            "Restore the file from the sweep that was run."
        )
    return sweep


def run_facts(path: Path) -> dict[str, Any]:
    """Return what ``run.json`` says; nothing if a run was killed before it was written."""
    data = fs.read_bytes(path / "run.json", _SIZE_CAP)
    return {} if data is None else unseal(data, str(path / "run.json"), _RUN_REMEDY)


def failures(path: Path) -> dict[int, str]:
    """Return the shards that workers gave up, with the reason; they may have been computed since."""
    found = {}
    for line in (fs.read_bytes(path / FAILURES, _SIZE_CAP) or b"").splitlines():
        try:
            failure = json.loads(line)
            found[int(failure["shard"])] = str(failure["reason"])
        except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
            continue  # the last line of a process that was killed
    return found


def holds(path: Path, sweep: Sweep) -> bool:
    """Whether a directory has the dataset of a sweep; False if it has none, RunExistsError if it has another."""
    stored = stored_sweep(path)
    if stored is not None and stored.content_hash != sweep.content_hash:
        raise RunExistsError(
            f"{path}: the directory holds the dataset of another sweep "
            f"({_differences(stored, sweep)}). Choose another directory, or give the sweep it holds."
        )
    return stored is not None


def _refuse_other_files(path: Path, found: list[str]) -> None:
    others = [name for name in found if name not in _FIRST_NAMES]
    if others:
        raise OutputError(
            f"{path}: the directory is no dataset and holds other files ({others[0]}, …). "
            "Choose a new or an empty directory."
        )


def _make_folders(path: Path, sweep: Sweep) -> None:
    try:
        fs.make_dirs(path)
    except StorageError as error:
        if error.cause.errno in _STORAGE:
            raise
        reason = error.cause.strerror
        raise OutputError(f"{path}: the output directory cannot be made: {reason}. Choose another one.") from error
    for folder in FOLDERS:
        fs.check_own(path / folder)
        if folder != "data/networks" or sweep.record == "networks":
            fs.make_dirs(path / folder)


def _write_new(path: Path, name: str, data: fs.Data) -> bool:
    return fs.write_new(path / "tmp", path / name, data)


def _sha256(path: Path) -> str:
    return hashlib.sha256(fs.read_bytes(path) or b"").hexdigest()


def _differences(stored: Sweep, given: Sweep) -> str:
    old, new = stored.stored_text().splitlines(), given.stored_text().splitlines()
    fields = [line.partition(" ")[0] for line, other in zip(old, new, strict=True) if line != other]
    return ", ".join(fields) + (" differs" if len(fields) == 1 else " differ")
