"""Verification: every byte and row of a dataset read again and compared with what its manifests say."""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from itertools import accumulate
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from gradsim.dataset import directory, extensions, manifest, reading, schema
from gradsim.dataset.codec import SCHEMAS, from_table
from gradsim.dataset.dataset import Dataset
from gradsim.dataset.digests import Digest, WholeDigest
from gradsim.dataset.manifest import KINDS, Kind, Manifest, Part, Span, triples
from gradsim.errors import CorruptDataError, GradsimError
from gradsim.simulation.plan import Plan
from gradsim.system import filesystem
from gradsim.system.progress import Mode, Share
from gradsim.system.streams import counted

_BATCH_ROWS = 2**16  # rows whose values are checked at once
_LEAST_ROWS = 2**6  # of memory that a small table takes


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
    dataset = dataset.now()
    spans = dataset.spans()
    problems, frame_notes = _frame(dataset, spans)
    checks = {kind: _Values(dataset, kind) for kind in KINDS}
    read: list[Part] = []
    errors: list[tuple[Span, GradsimError]] = []
    with Share("verifying", progress) as share:
        for i, span in enumerate(spans):
            if i and span.first <= spans[i - 1].last:
                problems.append(f"{dataset.path / span.manifest}: holds a shard of {spans[i - 1].manifest} again.")
            try:
                shard = manifest.read(dataset.path, span, dataset.plan)
                for kind in shard.parts:
                    checks[kind].add(shard)
                read += shard.parts.values()
            except GradsimError as error:
                errors.append((span, error))
            share.add(1 / len(spans))
    for check in checks.values():
        errors += check.finish()
    errors.sort(key=itemgetter(0))
    problems += [str(error) for _, error in errors]
    damaged = list(dict.fromkeys(span for span, error in errors if isinstance(error, CorruptDataError)))
    others, notes = _others(dataset, listed)
    problems += others
    wholes = "".join(check.whole.hexdigest() for check in checks.values()) if not problems else None
    digest = hashlib.sha256(wholes.encode()).hexdigest() if wholes else None
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


class _Values:
    """The values of one kind of table, compared with the manifests; small tables together, which is faster.

    Attributes
    ----------
    whole : WholeDigest
        The digest of all that was added.
    """

    def __init__(self, dataset: Dataset, kind: Kind) -> None:
        self._root, self._plan, self._kind = dataset.path, dataset.plan, kind
        self.whole = WholeDigest(kind)
        self._held: list[tuple[Manifest, Digest, pa.Table]] = []
        self._ended: list[tuple[Manifest, Digest]] = []
        self._started, self._rows = Span(-1, -1), 0
        self._errors: list[tuple[Span, GradsimError]] = []

    def add(self, shard: Manifest) -> None:
        """Add the table of a commit, whose bytes are checked at once."""
        digest = Digest()
        for table in reading.row_groups(self._root, shard, self._kind):
            self._held.append((shard, digest, table))
            self._rows += max(len(table), _LEAST_ROWS)
            if self._rows >= _BATCH_ROWS:
                self._flush()
        self._ended.append((shard, digest))

    def finish(self) -> list[tuple[Span, GradsimError]]:
        """Return what was found."""
        self._flush()
        return self._errors

    def _flush(self) -> None:
        held, self._held, self._rows = [one for one in self._held if len(one[2])], [], 0
        try:
            self._check(held)
        except CorruptDataError:
            for one in held:  # to find the one that is damaged
                try:
                    self._check([one])
                except CorruptDataError as error:
                    self._errors.append((one[0].span, error))
        known = {span for span, _ in self._errors}
        for shard, digest in self._ended:
            part = shard.parts[self._kind]
            if part.digest not in (None, digest.hexdigest()) and shard.span not in known:
                text = f"{self._root / part.path}: its values are not those that its manifest was made for."
                self._errors.append((shard.span, CorruptDataError(text)))
        self._ended = []

    def _check(self, held: list[tuple[Manifest, Digest, pa.Table]]) -> None:
        if not held:
            return
        rows = from_table(self._kind, pa.concat_tables([table for _, _, table in held]).combine_chunks())
        starts = [0, *accumulate(len(table) for _, _, table in held)]
        for (shard, _, _), first, last in zip(held, starts, starts[1:], strict=False):
            _check_cells(rows["cell_id"][first:last], shard.slices, self._root, shard.parts[self._kind].path)
        Digest.add_each([digest for _, digest, _ in held], rows, starts[:-1])
        for (shard, _, _), first, last in zip(held, starts, starts[1:], strict=False):
            if shard.span != self._started:
                segment = self._plan.segment_of(shard.span.first)
                self.whole.start(shard.slices, self._plan.segments[segment])
                self._started = shard.span
            self.whole.add({name: column[first:last] for name, column in rows.items()})


def _check_cells(cell_ids: np.ndarray, slices: list[tuple[int, int, int]], root: Path, path: str) -> None:
    if not {cell for cell, _, _ in slices}.issuperset(np.unique(cell_ids).tolist()):
        raise CorruptDataError(f"{root / path}: has rows of cells that are not of this shard. Remove the file.")


def _frame(dataset: Dataset, spans: list[Span]) -> tuple[list[str], list[str]]:
    """Problems and notes about the files beside the shards, which a run writes before its first shard."""
    path, again = dataset.path, "Run the sweep again: it is written anew."
    problems, missing = [], [name for name in ("run.json", "cells.parquet") if not filesystem.exists(path / name)]
    facts = directory.run_info(path)
    if facts and facts.sweep_toml not in (None, filesystem.sha256(path / "sweep.toml", directory.SIZE_CAP)):
        problems.append(
            f"{path / 'sweep.toml'}: the file was changed after the dataset was made. Restore it from a copy."
        )
    problems += _problems_of_extensions(dataset)
    notes = []
    if "cells.parquet" not in missing and not directory.has_cells(path, dataset.plan):
        if _just_extended(dataset, spans):
            notes.append(f"{path / 'cells.parquet'}: lacks the last extension, which has just been made. {again}")
        else:
            problems.append(f"{path / 'cells.parquet'}: the file is damaged. {again}")
    if spans:
        return problems + [f"{path / name}: the file is missing. {again}" for name in missing], notes
    return problems, notes + [
        f"{path / name}: not there yet: a run has just begun, or was stopped at once." for name in missing
    ]


def _just_extended(dataset: Dataset, spans: list[Span]) -> bool:
    """Whether no shard of the last extension is committed, and ``cells.parquet`` is as it was before it was made."""
    plan = dataset.plan
    if not plan.extensions or (spans and spans[-1].last >= plan.segments[-1].first_shard):
        return False
    return directory.has_cells(dataset.path, Plan(plan.sweep, plan.generators, plan.extensions[:-1]))


def _problems_of_extensions(dataset: Dataset) -> list[str]:
    problems = []
    for number, extension in enumerate(dataset.plan.extensions):
        if not extensions.is_canonical(dataset.path, number, extension):
            path = dataset.path / extensions.path_of(number)
            problems.append(f"{path}: the file was changed after it was made. Restore it from a copy.")
    for name in extensions.orphans(dataset.path):
        problems.append(f"{dataset.path / extensions.FOLDER / name}: no extension has such a name. Remove the file.")
    return problems


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
    notes = []
    if unfinished:
        notes.append(f"{counted(unfinished, 'table')} of shards that were not committed: a resume uses what is there.")
    if leftovers := filesystem.names(dataset.path / "tmp"):
        files = counted(len(leftovers), "file")
        notes.append(f"{files} in tmp/, of runs under way or killed: gradsim gc removes what is of no use.")
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
    if span is None or path != span.part(kind) or is_named(dataset, path) or not dataset.plan.has(*span):
        return None
    clash = bisect_left(committed, span.first) < bisect_right(committed, span.last)
    return None if clash or is_named(dataset, path) else span


def _place(path: str) -> tuple[Span | None, Kind]:
    kind, _, name = path.removeprefix("data/").partition("/")
    return (Span.of_part(name) if kind in KINDS else None), kind  # type: ignore[return-value]
