"""Verification: every byte and row of a dataset read again and compared with what its manifests say."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from gradsim import directory, fs, manifest, parts, schema
from gradsim.dataset import Dataset
from gradsim.digests import Digest, WholeDigest
from gradsim.errors import CorruptDataError, GradsimError
from gradsim.manifest import KINDS, Kind, Manifest, Span
from gradsim.merging import columns
from gradsim.parts import SCHEMAS
from gradsim.progress import Mode, Share


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
    """

    problems: list[str]
    notes: list[str]
    digest: str | None
    shards: int
    missing: int
    files: int
    bytes: int


def verify(dataset: Dataset, progress: Mode = "none") -> Verification:
    """Read every file of a dataset and compare it with its manifest: bytes, columns, page checksums, rows, values."""
    problems = [*_frame(dataset)]
    wholes = {kind: WholeDigest(kind, dataset.sweep.networks) for kind in KINDS}
    named: dict[str, int] = {}
    spans = dataset.spans()
    with Share("verifying", progress) as share:
        for i, span in enumerate(spans):
            if i and span.first <= spans[i - 1].last:
                problems.append(
                    f"{dataset.path / span.manifest}: holds shards of {spans[i - 1].manifest} again. Remove it."
                )
            try:
                one = manifest.read(dataset.path, span, dataset.sweep.content_hash, dataset.plan)
                named |= {part.path: part.bytes for part in one.parts.values()}
                for kind in one.parts:
                    _check_part(dataset, one, kind, wholes[kind])
            except GradsimError as error:
                problems.append(str(error))
                named |= {span.part(kind): 0 for kind in KINDS}
            share.add(1 / len(spans))
    others, notes = _others(dataset, set(named))
    problems += others
    digest = None if problems else hashlib.sha256("".join(w.hexdigest() for w in wholes.values()).encode()).hexdigest()
    done = dataset.committed()
    return Verification(
        problems, notes, digest, len(done), dataset.plan.shard_count - len(done), len(named), sum(named.values())
    )


def _check_part(dataset: Dataset, one: Manifest, kind: Kind, whole: WholeDigest) -> None:
    part, rows, found = one.parts[kind], 0, Digest()
    cells = {cell for cell, _, _ in one.slices}
    whole.start(one.slices)
    for table in parts.row_groups(dataset.path, one, kind):
        rows += table.num_rows
        found.add(columns(kind)(table))
        whole.add(table)
        if not cells.issuperset(table["cell_id"].unique().to_pylist()):
            raise CorruptDataError(f"{dataset.path / part.path}: has rows of cells that are not of this shard.")
    if rows != part.rows or part.digest not in (None, found.hexdigest()):
        raise CorruptDataError(f"{dataset.path / part.path}: its values are not those that its manifest was made for.")


def _frame(dataset: Dataset) -> Iterator[str]:
    """Problems of the files beside the shards."""
    facts = directory.run_facts(dataset.path)
    if not facts:
        yield f"{dataset.path / 'run.json'}: the file is missing. Run the sweep again: it is written anew."
    for name, digest in facts.get("files", {}).items():
        if hashlib.sha256(fs.read_bytes(dataset.path / name) or b"").hexdigest() != digest:
            yield f"{dataset.path / name}: the file was changed after the dataset was made. Restore it from a copy."


def _others(dataset: Dataset, named: set[str]) -> tuple[list[str], list[str]]:
    """Problems and notes about files that no manifest names."""
    foreign, unfinished = unnamed(dataset, named)
    problems = [
        f"{dataset.path / path}: no manifest names this file; pandas, DuckDB and Polars would read it. "
        "Remove it with gradsim gc."
        for path in foreign
    ]
    for name in fs.names(dataset.path / "manifests"):
        if Span.of_manifest(name) is None and not name.startswith("."):
            problems.append(f"{dataset.path / 'manifests' / name}: no manifest has such a name. Remove the file.")
    notes = [f"{len(unfinished)} tables of shards that were not committed: a resume uses them."] if unfinished else []
    if rests := fs.names(dataset.path / "tmp"):
        notes.append(f"{len(rests)} files in tmp/, of runs under way or killed: gradsim gc removes them.")
    return problems, notes


def unnamed(dataset: Dataset, named: set[str]) -> tuple[list[str], list[str]]:
    """Return the files under data/ that are not among these: foreign ones, and whole tables of shards to come.

    The latter may be of a run under way, which is about to name them. Hidden files are left out: no reader takes them.
    """
    found = [f"data/{name}" for name in fs.names(dataset.path / "data") if name not in KINDS]
    found += [f"data/{kind}/{name}" for kind in KINDS for name in fs.names(dataset.path / "data" / kind)]
    found = [path for path in found if path not in named and not path.rpartition("/")[2].startswith(".")]
    coming = {Span(index, index).part(kind): kind for index in dataset.missing() for kind in KINDS} if found else {}
    unfinished = [path for path in found if path in coming and _is_whole(dataset, path, coming[path])]
    return [path for path in found if path not in set(unfinished)], unfinished


def _is_whole(dataset: Dataset, path: str, kind: Kind) -> bool:
    try:
        with fs.reading(dataset.path / path) as file:
            for _ in schema.row_groups(file, path, SCHEMAS[kind]):
                pass
    except (GradsimError, OSError):
        return False
    return True
