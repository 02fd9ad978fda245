"""Verification: every byte and row of a dataset read again and compared with what its manifests say."""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gradsim.dataset import directory, manifest, reading, schema
from gradsim.dataset.codec import SCHEMAS, from_table
from gradsim.dataset.dataset import Dataset
from gradsim.dataset.digests import Digest, WholeDigest
from gradsim.dataset.manifest import KINDS, Kind, Manifest, Part, Span, triples
from gradsim.errors import CorruptDataError, GradsimError
from gradsim.system import filesystem
from gradsim.system.progress import Mode, Share


class Verification(NamedTuple):
    """What `verify` found.

    Attributes
    ----------
    problems
        One sentence for each file that is not as it was written; empty if all is well.
    notes
        What is no problem, but good to know.
    digest
        Digest of all values, the same however they were cut into shards, ordered or compacted; None with problems.
    shards, missing
        Shards committed, and still to be computed.
    files, bytes
        What was read.
    removed
        Manifests that were removed to repair the dataset: a run computes their shards anew.
    """

    problems: list[str]
    notes: list[str]
    digest: str | None
    shards: int
    missing: int
    files: int
    bytes: int
    removed: list[str] = []  # noqa: RUF012 - nobody adds to it


def verify(dataset: Dataset, progress: Mode = "none", repair: bool = False) -> Verification:
    """Read every file of a dataset and compare it with its manifest: bytes, columns, page checksums, rows, values.

    A run may be under way meanwhile. With ``repair``, manifests that are damaged, or of damaged tables, are removed; a
    run then computes their shards anew. Files that could not be read because of the disk stay.
    """
    listed = tables(dataset)  # before the manifests: what is committed later is then not an orphan
    spans = dataset.spans()
    problems, frame_notes = _frame(dataset, begun=bool(spans))
    damaged: list[Span] = []
    wholes = {kind: WholeDigest(kind, dataset.sweep.networks) for kind in KINDS}
    read: list[Part] = []
    with Share("verifying", progress) as share:
        for i, span in enumerate(spans):
            if i and span.first <= spans[i - 1].last:
                problems.append(f"{dataset.path / span.manifest}: holds a shard of {spans[i - 1].manifest} again.")
            try:
                shard = manifest.read(dataset.path, span, dataset.sweep.content_hash, dataset.plan)
                for kind in shard.parts:
                    _check_part(dataset, shard, kind, wholes[kind])
                read += shard.parts.values()
            except GradsimError as error:
                problems.append(str(error))
                damaged += [span] if isinstance(error, CorruptDataError) else []
            share.add(1 / len(spans))
    others, notes = _others(dataset, listed)
    problems += others
    digest = None if problems else hashlib.sha256("".join(w.hexdigest() for w in wholes.values()).encode()).hexdigest()
    done = sum(span.last - span.first + 1 for span in spans)
    bytes_read = sum(part.bytes for part in read)
    missing, removed = dataset.plan.shard_count - done, _repair(dataset, damaged) if repair else []
    return Verification(problems, frame_notes + notes, digest, done, missing, len(read), bytes_read, removed)


def _repair(dataset: Dataset, damaged: list[Span]) -> list[str]:
    """Remove manifests; of compacted shards the tables, too, which a run would not write again under their name."""
    for span in damaged:
        filesystem.remove(dataset.path / span.manifest)
        for kind in KINDS if span.first < span.last else ():
            filesystem.remove(dataset.path / span.part(kind))
    return [span.manifest for span in damaged]


def _check_part(dataset: Dataset, shard: Manifest, kind: Kind, whole: WholeDigest) -> None:
    part, digest = shard.parts[kind], Digest()
    whole.start(shard.slices)
    for table in reading.row_groups(dataset.path, shard, kind):
        rows = from_table(kind, table)
        digest.add(rows)
        whole.add(rows)
        _check_cells(rows["cell_id"], shard.slices, dataset.path, part.path)
    if part.digest not in (None, digest.hexdigest()):
        raise CorruptDataError(f"{dataset.path / part.path}: its values are not those that its manifest was made for.")


def _check_cells(cell_ids: np.ndarray, slices: list[tuple[int, int, int]], root: Path, path: str) -> None:
    if not {cell for cell, _, _ in slices}.issuperset(np.unique(cell_ids).tolist()):
        raise CorruptDataError(f"{root / path}: has rows of cells that are not of this shard. Remove the file.")


def _frame(dataset: Dataset, begun: bool) -> tuple[list[str], list[str]]:
    """Problems and notes about the files beside the shards, which a run writes before its first shard."""
    path, again = dataset.path, "Run the sweep again: it is written anew."
    problems, missing = [], [name for name in ("run.json", "cells.parquet") if not filesystem.exists(path / name)]
    facts = directory.run_info(path)
    if facts and facts.sweep_toml not in (None, filesystem.sha256(path / "sweep.toml", directory.SIZE_CAP)):
        problems.append(
            f"{path / 'sweep.toml'}: the file was changed after the dataset was made. Restore it from a copy."
        )
    if "cells.parquet" not in missing and not directory.has_cells(path, dataset.plan):
        problems.append(f"{path / 'cells.parquet'}: the file is damaged. {again}")
    if begun:
        return problems + [f"{path / name}: the file is missing. {again}" for name in missing], []
    return problems, [
        f"{path / name}: not there yet: a run has just begun, or was stopped at once." for name in missing
    ]


def _others(dataset: Dataset, listed: list[str]) -> tuple[list[str], list[str]]:
    """Problems and notes about files that no manifest names."""
    problems, unfinished, committed = [], 0, dataset.committed()
    for path in listed:
        span = pending(dataset, path, committed)
        if span is not None:
            unfinished += 1
            problems += _problem_of_pending(dataset, path, span)
        elif not is_named(dataset, path):
            problems.append(
                f"{dataset.path / path}: no manifest names this; pandas, DuckDB or Polars would read it. Remove it: "
                "gradsim gc removes files."
            )
    for name in filesystem.names(dataset.path / "manifests"):
        if Span.of_manifest(name) is None and not name.startswith("."):
            problems.append(f"{dataset.path / 'manifests' / name}: no manifest has such a name. Remove the file.")
    notes = [f"{unfinished} tables of shards that were not committed: a resume uses them."] if unfinished else []
    if leftovers := filesystem.names(dataset.path / "tmp"):
        notes.append(f"{len(leftovers)} files in tmp/, of runs under way or killed: gradsim gc removes them.")
    return problems, notes


def _problem_of_pending(dataset: Dataset, path: str, span: Span) -> list[str]:
    kind: Kind = path.split("/")[1]  # type: ignore[assignment]
    slices = triples(dataset.plan.slices(*span))
    try:
        with filesystem.reading(dataset.path / path) as file:
            for table in schema.row_groups(file, str(dataset.path / path), SCHEMAS[kind]):
                _check_cells(table["cell_id"].to_numpy(), slices, dataset.path, path)
    except FileNotFoundError:
        return []  # it was damaged, and a resume has just put it aside
    except GradsimError as error:
        return [str(error)]
    return []


def tables(dataset: Dataset) -> list[str]:
    """Return everything under data/ but the folders of the kinds, whatever it is; not what NFS keeps for open files."""
    found = [f"data/{name}" for name in filesystem.names(dataset.path / "data") if name not in KINDS]
    found += [f"data/{kind}/{name}" for kind in KINDS for name in filesystem.names(dataset.path / "data" / kind)]
    return [path for path in found if not path.rpartition("/")[2].startswith(".nfs")]


def is_named(dataset: Dataset, path: str) -> bool:
    """Whether a manifest names this file now."""
    span, kind = _place(path)
    return span is not None and path == span.part(kind) and filesystem.exists(dataset.path / span.manifest)


def pending(dataset: Dataset, path: str, committed: list[int]) -> Span | None:
    """Return the shards of a table that no manifest names but one may be about to name, with this very path.

    ``committed`` are the shards that were committed a moment ago.
    """
    span, kind = _place(path)
    if span is None or path != span.part(kind) or is_named(dataset, path) or span.last >= dataset.plan.shard_count:
        return None
    clash = bisect_left(committed, span.first) < bisect_right(committed, span.last)
    return None if clash or is_named(dataset, path) else span


def _place(path: str) -> tuple[Span | None, Kind]:
    kind, _, name = path.removeprefix("data/").partition("/")
    return (Span.of_part(name) if kind in KINDS else None), kind  # type: ignore[return-value]
