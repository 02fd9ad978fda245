"""Maintenance of a dataset: compaction into fewer and larger files, and removal of what killed runs left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from gradsim.dataset import merging, reading
from gradsim.dataset.codec import ORDER, to_table
from gradsim.dataset.commit import Content, commit, content
from gradsim.dataset.dataset import Dataset
from gradsim.dataset.manifest import Kind, Manifest, Span
from gradsim.dataset.reading import Rows
from gradsim.dataset.verification import is_named, pending, tables
from gradsim.errors import OutputError, StorageError
from gradsim.simulation.plan import Plan
from gradsim.system import filesystem
from gradsim.system.progress import Mode, Share
from gradsim.system.streams import counted

FILE_BYTES = 160 * 2**20
"""Size that the larger files of a compacted dataset get, about: from two thirds of it to three halves."""

_ROW_GROUP = 2**20
_BATCH_ROWS = {"layers": 2**21, "histograms": 2**23}  # merged rows held at once: half a gigabyte


def gc(dataset: Dataset) -> list[str]:
    """Remove what no manifest names: files in ``tmp/``, and orphans under ``data/``.

    Tables of shards that are not committed yet stay: a run under way may be about to name them, and a resume uses them.

    Returns
    -------
    list of str
        The paths, relative to the dataset.

    Raises
    ------
    StorageError
        If one could not be removed; all others are.
    """
    leftovers = [f"tmp/{name}" for name in filesystem.names(dataset.path / "tmp")]
    # Whether it is named is asked last: a shard may be committed meanwhile, and after that nothing changes.
    found = tables(dataset)
    dataset = dataset.now()  # an extension is there before its tables
    committed = dataset.committed()
    orphans = [path for path in found if not pending(dataset, path, committed) and not is_named(dataset, path)]
    removed, failed = [], None
    for path in leftovers + orphans:
        try:
            filesystem.remove(dataset.path / path)
            removed.append(path)
        except StorageError as error:
            failed = error
    if failed:
        raise failed
    return removed


def compact(dataset: Dataset, output: str | Path, progress: Mode = "none", partial: bool = False) -> Dataset:
    """Write the same values into a new dataset with files of 64 to 512 MB, where there is so much.

    Sums of a cell that several shards hold become one row. The digest that `verify` gives is the same. The dataset is
    made under another name, ``OUTPUT.compacting``, and gets its own when it is complete. A compaction that was stopped
    goes on when it is called again, and an unfinished run can be resumed in its compacted form.

    Raises
    ------
    CorruptDataError
        If a file of the dataset is damaged.
    OutputError
        If there is something at the output, or it is inside the dataset, or shards are missing and not ``partial``.
    StorageError
        If writing fails.
    """
    final = Path(output)
    if dataset.path.resolve() in (final.resolve(), *final.resolve().parents):
        raise OutputError(f"{output}: this is in the dataset itself. Choose another directory.")
    now = dataset.snapshot()
    if (missing := len(now.missing())) and not partial:
        shards = counted(dataset.plan.shard_count, "shard")
        raise OutputError(
            f"{dataset.path}: of {shards} {missing:,} must still be computed, and a copy would lack them. Finish the "
            "run first, or compact what is there with --partial (Python: partial=True)."
        )
    groups = list(_groups(now.manifests(), dataset.plan))
    spans = [Span(group[0].span.first, group[-1].span.last) for group in groups]
    if filesystem.exists(final) and (filesystem.names(final) or not final.is_dir()):
        done = Dataset.find(final, dataset.plan) if final.is_dir() else None
        if done is not None and done.spans() == spans:  # it was killed just before it could say so
            return done
        raise OutputError(f"{output}: already exists and is not an empty directory. Choose a new directory.")
    made = _begun(final.with_name(final.name + ".compacting"), dataset, spans)
    with Share("compacting", progress) as share:
        for span, group in zip(spans, groups, strict=True):
            if span not in made.spans():
                _compact(dataset, made, span, group)
            share.add(1 / len(spans))
    if not filesystem.publish(made.path, final):
        raise OutputError(f"{output}: another process made this directory. The compacted run is in {made.path}.")
    return Dataset.open(final)


def _begun(path: Path, dataset: Dataset, spans: list[Span]) -> Dataset:
    """The dataset to be filled, with the extensions of the other one, which come before any manifest."""
    made, wanted = Dataset.create(path, dataset.before.plan), dataset.plan.extensions
    others = [span.manifest for span in sorted(set(made.spans()) - set(spans))]
    if made.plan.extensions != wanted[: len(made.plan.extensions)]:
        others.append("other extensions")
    if others:
        raise OutputError(f"{path}: another compaction, of other shards, left {others[0]}. Remove this directory.")
    for extension in wanted[len(made.plan.extensions) :]:
        made = made.extended(extension)
    return made


def _compact(dataset: Dataset, made: Dataset, span: Span, group: list[Manifest]) -> None:
    start = time.monotonic()
    contents = {kind: _content(dataset, kind, group) for kind in group[0].parts}
    devices = sorted({manifest.environment.get("device", "cpu") for manifest in group})
    commit(made.path, made.plan, span, contents, time.monotonic() - start, ", ".join(devices))


def _groups(manifests: list[Manifest], plan: Plan) -> Iterator[list[Manifest]]:
    """Cut manifests into runs of consecutive shards of a segment, whose merged files have about the size wanted."""
    runs: list[list[Manifest]] = []
    for manifest in manifests:
        if (
            runs
            and plan.has(runs[-1][0].span.first, manifest.span.last)
            and (manifest.span.first == runs[-1][-1].span.last + 1)
        ):
            runs[-1].append(manifest)
        else:
            runs.append([manifest])
    for run in runs:
        edges = np.cumsum([0.0, *map(_merged_bytes, run)])
        count = max(1, round(edges[-1] / FILE_BYTES))
        places = np.minimum(edges[:-1] * count // max(edges[-1], 1), count - 1)
        for place in np.unique(places):
            yield [manifest for manifest, its_place in zip(run, places, strict=True) if its_place == place]


def _merged_bytes(manifest: Manifest) -> float:
    """Bytes of the larger table, without the rows of a cell that begins in an earlier shard and is merged with it."""
    new = _new_share(manifest)
    return max(part.bytes * (1 if kind == "networks" else new) for kind, part in manifest.parts.items())


def _new_share(manifest: Manifest) -> float:
    """Share of the cells that begin here, about that of the rows which are not merged into those of a shard before."""
    return 1 - (manifest.slices[0][1] > 0) / len(manifest.slices)


def _content(dataset: Dataset, kind: Kind, group: list[Manifest]) -> Content:
    if kind == "networks":
        return content(kind, (reading.table(dataset.path, manifest, kind) for manifest in group), _ROW_GROUP)
    return content(kind, _sorted(dataset, kind, group), _ROW_GROUP)


def _sorted(dataset: Dataset, kind: Kind, group: list[Manifest]) -> Iterator[pa.Table]:
    """The rows of several shards merged and sorted: all at once, or where they are many a portion at a time."""
    for wanted in _portions(dataset, kind, group):
        tables = reading.read(dataset.path, group, kind, wanted)
        merged = merging.Merging(kind, tables, ORDER[kind]).whole()
        try:
            for i in range(0, max(len(merged["cell_id"]), 1), _ROW_GROUP):
                yield to_table(kind, {name: column[i : i + _ROW_GROUP] for name, column in merged.items()})
        except OverflowError:
            raise OutputError(
                f"{dataset.path}: merged sums of a cell do not fit in 64 bits. This dataset stays as it is."
            ) from None


def _portions(dataset: Dataset, kind: Kind, group: list[Manifest]) -> Iterator[Rows]:
    """All rows if they may be held at once when merged; else in their order quantities, layers and cells."""
    rows = sum(manifest.parts[kind].rows * _new_share(manifest) for manifest in group)
    if rows <= _BATCH_ROWS[kind]:
        yield Rows()
        return
    cells = sorted({cell for manifest in group for cell, _, _ in manifest.slices})
    depth = max(dataset.plan.cells[cell].depth for cell in cells)
    layer_rows = max(1, int(rows) // (len(dataset.sweep.recorded) * depth))
    step = max(1, _BATCH_ROWS[kind] // layer_rows)
    width = max(1, len(cells) * _BATCH_ROWS[kind] // layer_rows)
    for quantity in dataset.sweep.recorded:
        for layer in range(1, depth + 1, step):
            for i in range(0, len(cells), width):
                yield Rows(cells[i : i + width], range(layer, min(layer + step, depth + 1)), [quantity])
