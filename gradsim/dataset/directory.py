"""The directory of a dataset: creation by any of several processes, the stored sweep, and when it is refused."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from gradsim.dataset import codec, extensions, manifest, schema
from gradsim.dataset.manifest import Manifest, Span
from gradsim.dataset.sealed_json import seal, unseal
from gradsim.errors import CorruptDataError, OutputError, RunExistsError, StorageError, SweepError, SweepFileError
from gradsim.simulation.plan import Plan
from gradsim.sweep import Sweep
from gradsim.system import filesystem, provenance

FOLDERS = ("tmp", "manifests", "data", "data/layers", "data/histograms", "data/networks", extensions.FOLDER)
FAILURES = "failures.jsonl"
SIZE_CAP = 2**26
"""Most bytes of a file beside the shards."""

_SWEEP_CAP = 2**25  # most bytes of the sweep's text: an axis of a million values is written out, in 20 bytes each

_FIRST_NAMES = {"tmp", "manifests", "data", extensions.FOLDER, "cells.parquet", "run.json", FAILURES}
_OPTIONAL = {"data/networks", extensions.FOLDER}  # folders that a dataset may lack
_RUN_REMEDY = "Remove it, and run the sweep again: nothing is computed anew"


def create(path: Path, plan: Plan) -> Plan:
    """Make the directory of a planned sweep, the sweep's text, its cells and ``run.json``, each if it is not there.

    Returns the plan with the extensions and the versions of random numbers that the dataset has.

    Raises
    ------
    RunExistsError
        If the directory holds the dataset of another sweep.
    CorruptDataError
        If it holds one that is damaged.
    OutputError
        If it holds other files or cannot be written; nothing is written then.
    StorageError
        If writing fails.
    """
    sweep = plan.sweep
    filesystem.check_writable(path)
    found = filesystem.names(path)  # before the sweep is looked for, which another process may be writing
    stored = stored_sweep(path, sweep)
    if stored is None:
        _refuse_other_files(path, found)
    _make_folders(path, sweep)
    if stored is None and not _write_new(path, "sweep.toml", sweep.stored_text().encode()):
        stored_sweep(path, sweep)  # another process was first, perhaps with another sweep
    info = _matching_run_info(path, sweep)
    lost = generators(path) if stored and info is None else None  # run.json may be lost, and the shards be older
    versions = info.generators if info else lost
    plan = extensions.stored(path, plan if versions in (None, plan.generators) else Plan(sweep, versions))
    _write_cells(path, plan)
    if info is None:
        text = filesystem.sha256(path / "sweep.toml", SIZE_CAP)
        facts = {"sweep_toml": text, "generators": plan.generators, "environment": provenance.environment()}
        made = RunInfo(content_hash=sweep.content_hash, created=provenance.now(), **facts)
        _write_new(path, "run.json", seal(made.model_dump(mode="json")))
    if plan.extensions:
        _mark_extended(path)
    return plan


def extend(path: Path, plan: Plan) -> Plan:
    """Write the last extension of a plan into its dataset, unless there is one of this number already.

    Returns the plan with the extensions that the dataset has then: another process may have been first. The dataset's
    sweep and earlier extensions are there, and ``run.json``, which is marked first: an older gradsim, which would
    count no networks of extensions, then refuses the dataset.
    """
    _mark_extended(path)
    extensions.write(path, len(plan.extensions) - 1, plan.extensions[-1])
    plan = extensions.stored(path, plan)
    _write_cells(path, plan)
    return plan


def _write_cells(path: Path, plan: Plan) -> None:
    if not has_cells(path, plan):
        table = schema.encode([codec.cells_table(plan)])
        if not _write_new(path, "cells.parquet", table) and not has_cells(path, plan):
            filesystem.replace(path / "tmp", path / "cells.parquet", table)


def _mark_extended(path: Path) -> None:
    """Raise the version in ``run.json`` to that of datasets with extensions."""
    name = path / "run.json"
    values = unseal(filesystem.read_bytes(name, SIZE_CAP) or b"", str(name), _RUN_REMEDY)
    if values.pop("schema_version") < schema.EXTENDED_VERSION:
        values.pop("check", None)
        filesystem.replace(path / "tmp", name, seal(values, schema.EXTENDED_VERSION))


def has_cells(path: Path, plan: Plan) -> bool:
    """Whether ``cells.parquet`` is there and has the rows of this plan, in whatever bytes."""
    data = filesystem.read_bytes(path / "cells.parquet", SIZE_CAP)
    if data is None or len(data) > SIZE_CAP:
        return False
    expected = codec.cells_table(plan)
    try:
        return bool(schema.decode(data, "cells.parquet", expected.schema, expected.num_rows).equals(expected))
    except CorruptDataError:
        return False


def stored_sweep(path: Path, expected: Sweep | None = None) -> Sweep | None:
    """Return the sweep of the dataset in a directory, None if there is no dataset.

    Raises
    ------
    CorruptDataError
        If it is damaged.
    RunExistsError
        If another sweep was expected.
    """
    name = path / "sweep.toml"
    folders = {folder: filesystem.is_dir(path / folder) for folder in FOLDERS}
    if not (folders["manifests"] or folders["data/layers"]):  # a sweep file of the user's own is no dataset
        return None
    data = filesystem.read_bytes(name, _SWEEP_CAP)
    if data is None:
        return None
    try:
        sweep = Sweep.from_stored_text(data, str(name))
    except (SweepFileError, SweepError) as error:
        raise CorruptDataError(
            f"{name}: the dataset's sweep cannot be read: {error} If a newer gradsim wrote it, update gradsim. "
            "Otherwise restore the file from the sweep that was run."
        ) from error
    _matching_run_info(path, sweep)
    if expected is not None:
        _check_same_sweep(path, sweep, expected)
    return sweep


class RunInfo(BaseModel):
    """What ``run.json`` says of a dataset."""

    model_config = ConfigDict(frozen=True)

    content_hash: str
    created: AwareDatetime
    sweep_toml: str | None = None  # SHA-256 of the sweep's text; older datasets have none
    generators: dict[str, int] = {}  # see `Plan`
    environment: dict[str, str] = {}  # versions, platform and processor of the process that made it


def run_info(path: Path) -> RunInfo | None:
    """Return what ``run.json`` says; None if a run was killed before it was written."""
    name = path / "run.json"
    data = filesystem.read_bytes(name, SIZE_CAP)
    if data is None:
        return None
    try:
        return RunInfo.model_validate(unseal(data, str(name), _RUN_REMEDY))
    except ValidationError as error:
        raise CorruptDataError(f"{name}: the file is damaged ({error.errors()[0]['msg']}). {_RUN_REMEDY}.") from None


def generators(path: Path) -> dict[str, int] | None:
    """Return the versions of a dataset's random numbers: of ``run.json``, or if it is lost of a manifest, or None."""
    if info := run_info(path):
        return info.generators
    for span in filter(None, map(Span.of_manifest, filesystem.names(path / "manifests"))):
        data = filesystem.read_bytes(path / span.manifest, manifest.SIZE_CAP)
        with suppress(CorruptDataError):
            return Manifest.decode(data or b"", span.manifest).generators
    return None


def _matching_run_info(path: Path, sweep: Sweep) -> RunInfo | None:
    info = run_info(path)
    if info and info.content_hash != sweep.content_hash:
        raise CorruptDataError(
            f"{path / 'sweep.toml'}: the file was changed after the dataset was made: run.json is of another sweep. "
            "Restore the file from the sweep that was run."
        )
    return info


def failures(path: Path) -> dict[int, str]:
    """Return the shards that workers gave up, with the reason; they may have been computed since."""
    found = {}
    for line in (filesystem.read_bytes(path / FAILURES, SIZE_CAP) or b"").splitlines():
        try:
            failure = json.loads(line)
            found[int(failure["shard"])] = str(failure["reason"])
        except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
            continue  # the last line of a process that was killed
    return found


def has_dataset(path: Path) -> bool:
    """Whether there is a dataset in a directory, of whatever sweep."""
    return filesystem.is_dir(path / "manifests") and filesystem.exists(path / "sweep.toml")


def _check_same_sweep(path: Path, stored: Sweep, given: Sweep) -> None:
    """Refuse a directory that holds the dataset of another sweep, with :class:`RunExistsError`."""
    if stored.content_hash != given.content_hash:
        older = next((name for name, own in stored.own.items() if own.of_older_digest and name in given.own), None)
        if older is not None:
            raise RunExistsError(
                f"{path}: the dataset was made by an older gradsim, whose digest left out values that the functions of "
                f"activation {older!r} use. So nothing shows that yours are the same. Read it with gs.open, or choose "
                "another directory and run the sweep there."
            )
        raise RunExistsError(
            f"{path}: the directory holds the dataset of another sweep "
            f"({_differences(stored, given)}). Choose another directory, or give the sweep it holds."
        )


def _refuse_other_files(path: Path, found: list[str]) -> None:
    others = [name for name in found if name not in _FIRST_NAMES]
    if others:
        raise OutputError(
            f"{path}: the directory is no dataset and holds other files ({others[0]}, …). "
            "Choose a new or an empty directory."
        )


def _make_folders(path: Path, sweep: Sweep) -> None:
    try:
        filesystem.make_dirs(path)
    except StorageError as error:
        if error.cause.errno not in filesystem.UNUSABLE:
            raise
        reason = error.cause.strerror
        raise OutputError(f"{path}: the output directory cannot be made: {reason}. Choose another one.") from error
    for folder in FOLDERS:
        filesystem.is_dir(path / folder)
        if folder not in _OPTIONAL or (folder == "data/networks" and sweep.record == "networks"):
            filesystem.make_dirs(path / folder)


def _write_new(path: Path, name: str, data: filesystem.Data) -> bool:
    return filesystem.write_new(path / "tmp", path / name, data)


def _differences(stored: Sweep, given: Sweep) -> str:
    old, new = stored.stored_text().splitlines(), given.stored_text().splitlines()
    fields = [line.partition(" ")[0] for line, other in zip(old, new, strict=True) if line != other]
    return ", ".join(fields) + (" differs" if len(fields) == 1 else " differ")
