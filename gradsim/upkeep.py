"""Upkeep of a dataset: fewer and larger files in a new directory, and rests of killed runs removed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from gradsim import fs, merging, parts
from gradsim.commit import Content, commit, content
from gradsim.dataset import Dataset
from gradsim.errors import OutputError
from gradsim.manifest import Kind, Manifest, Span
from gradsim.parts import SCHEMAS
from gradsim.progress import Mode, Share
from gradsim.verification import unnamed
from gradsim_core.quantities import QUANTITIES

FILE_BYTES = 160 * 2**20
"""Size that the larger files of a compacted dataset get, about: from two thirds of it to three halves."""

_ROW_GROUP = 2**20
_BATCH_ROWS = {"layers": 2**20, "histograms": 2**22}  # held at once: half a gigabyte
_ORDER = {"layers": ("quantity", "layer", "cell_id"), "histograms": ("quantity", "layer", "cell_id", "bin")}


def gc(dataset: Dataset) -> list[str]:
    """Remove what no manifest names: files in ``tmp/``, and foreign or damaged ones under ``data/``.

    Whole tables of shards that are not committed yet stay: a run under way may be about to name them, and a resume
    uses them.

    Returns
    -------
    list of str
        The paths, relative to the dataset.
    """
    named = {part.path for one in dataset.manifests() for part in one.parts.values()}
    foreign, _ = unnamed(dataset, named)
    removed = [f"tmp/{name}" for name in fs.names(dataset.path / "tmp")] + foreign
    for name in removed:
        fs.remove(dataset.path / name)
    return removed


def compact(dataset: Dataset, output: str | Path, progress: Mode = "none") -> Dataset:
    """Write the same values into a new dataset with files of 64 to 512 MB, where there is so much.

    Sums of a cell that several shards hold become one row. The digest that `verify` gives is the same. A compaction
    that was stopped goes on when it is called again, and an unfinished run can be resumed in its compacted form.

    Raises
    ------
    CorruptDataError
        If a file of the dataset is damaged.
    OutputError
        If the output is the dataset itself, or holds shards that were committed otherwise.
    StorageError
        If writing fails.
    """
    made = Dataset.create(output, dataset.sweep)
    if made.path.resolve() == dataset.path.resolve():
        raise OutputError(f"{output}: this is the dataset itself. Choose another directory.")
    groups = list(_groups(dataset.manifests()))
    spans = [Span(group[0].span.first, group[-1].span.last) for group in groups]
    if others := set(made.spans()) - set(spans):
        raise OutputError(f"{output}: the directory holds {min(others).manifest} already. Choose a new one.")
    with Share("compacting", progress) as share:
        for span, group in zip(spans, groups, strict=True):
            if span not in made.spans():
                _compact(dataset, made, span, group)
            share.add(1 / len(spans))
    return made


def _compact(dataset: Dataset, made: Dataset, span: Span, group: list[Manifest]) -> None:
    start = time.monotonic()
    contents = {kind: _content(dataset, kind, group) for kind in group[0].parts}
    commit(made.path, made.plan, span, contents, time.monotonic() - start)


def _groups(manifests: list[Manifest]) -> Iterator[list[Manifest]]:
    """Cut manifests into runs of consecutive shards, whose merged files have about the size that is wanted."""
    runs: list[list[Manifest]] = []
    for one in manifests:
        if runs and one.span.first == runs[-1][-1].span.last + 1:
            runs[-1].append(one)
        else:
            runs.append([one])
    for run in runs:
        edges = np.cumsum([0.0, *map(_merged_bytes, run)])
        count = max(1, round(edges[-1] / FILE_BYTES))
        places = np.minimum(edges[:-1] * count // max(edges[-1], 1), count - 1)
        for place in np.unique(places):
            yield [one for one, where in zip(run, places, strict=True) if where == place]


def _merged_bytes(one: Manifest) -> float:
    """Bytes of the larger table, without the rows of a cell that begins in an earlier shard and is merged with it."""
    begun = one.slices[0][1] > 0
    new = 1 - begun / len(one.slices)
    return max(part.bytes * (1 if kind == "networks" else new) for kind, part in one.parts.items())


def _content(dataset: Dataset, kind: Kind, group: list[Manifest]) -> Content:
    if kind == "networks":
        return content(kind, (parts.table(dataset.path, one, kind) for one in group), _ROW_GROUP)
    return content(kind, _sorted(dataset, kind, group), _ROW_GROUP)


def _sorted(dataset: Dataset, kind: Kind, group: list[Manifest]) -> Iterator[pa.Table]:
    """The rows of several shards merged and sorted, a few layers of a quantity at a time: memory stays modest."""
    cells = {cell for one in group for cell, _, _ in one.slices}
    depth = max(cell.depth for cell in dataset.plan.cells if cell.cell_id in cells)
    rows = sum(one.parts[kind].rows for one in group)
    step = max(1, _BATCH_ROWS[kind] * len(QUANTITIES) * depth // max(rows, 1))
    for quantity in QUANTITIES:
        for layer in range(1, depth + 1, step):
            layers = range(layer, min(layer + step, depth + 1))
            found = map(merging.columns(kind), parts.read(dataset.path, group, kind, None, layers, quantity))
            merged = merging.merge(list(found), _ORDER[kind])
            try:
                yield merging.table(kind, merged, SCHEMAS[kind])
            except OverflowError:
                raise OutputError(
                    f"{dataset.path}: merged sums of a cell do not fit in 64 bits. This dataset stays as it is."
                ) from None
