"""The dataset of a sweep on disk: made once, grown shard by shard, read back merged.

A shard counts once its manifest is there, and the manifest is written last. Whatever lies in the directory
without a manifest, left by a run that was killed, is never read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from gradsim.dataset import directory, manifest, merging, reading, tables
from gradsim.dataset.commit import commit, content
from gradsim.dataset.manifest import Kind, Manifest, Span
from gradsim.dataset.reading import Ids, Names
from gradsim.errors import CorruptDataError, OutputError, SweepError
from gradsim.simulation.partition import ALL, ShardPart
from gradsim.simulation.plan import SHARD_CAP, Plan, Shard
from gradsim.sweep import Sweep
from gradsim.system import filesystem
from gradsim_core.results.statistics import Sums


class Dataset:
    """The stored results of a sweep. Make one with `create` or `open`.

    Attributes
    ----------
    path : Path
        Its directory.
    sweep : Sweep
        What it is the dataset of.
    """

    def __init__(self, path: Path, sweep: Sweep) -> None:
        self.path, self.sweep = path, sweep
        self._manifests: dict[Span, Manifest] = {}

    @classmethod
    def create(cls, path: str | Path, sweep: Sweep) -> Dataset:
        """Make the dataset of a sweep, or open the one that is there; many processes may do so at once.

        Raises
        ------
        RunExistsError
            If the directory holds the dataset of another sweep.
        OutputError
            If it holds other files or cannot be written; nothing is written then.
        StorageError
            If writing fails.
        """
        dataset = cls(Path(path), sweep)
        directory.create(dataset.path, sweep, dataset.plan)
        return dataset

    @classmethod
    def open(cls, path: str | Path) -> Dataset:
        """Open a dataset for reading or growing.

        Raises
        ------
        OutputError
            If there is no dataset.
        CorruptDataError
            If its sweep is damaged.
        """
        path = Path(path)
        sweep = directory.stored_sweep(path)
        if sweep is None:
            raise OutputError(f"{path}: there is no gradsim dataset. Give the directory of a run.")
        dataset = cls(path, sweep)
        if dataset.plan.shard_count > SHARD_CAP:
            raise CorruptDataError(f"{path}: the sweep has {dataset.plan.shard_count:,} shards, more than can be run.")
        return dataset

    @cached_property
    def plan(self) -> Plan:
        """The plan of the sweep."""
        return Plan(self.sweep)

    def cells(self) -> pd.DataFrame:
        """Return a row per cell: cell_id and every parameter."""
        return tables.frame(tables.cells_table(self.sweep, self.plan.cells))

    def spans(self) -> list[Span]:
        """Return what is committed, in order: mostly single shards."""
        return sorted(filter(None, map(Span.of_manifest, filesystem.names(self.path / "manifests"))))

    def committed(self) -> list[int]:
        """Return the numbers of the shards that are committed, in order."""
        count = self.plan.shard_count
        return [index for span in self.spans() for index in range(span.first, min(span.last + 1, count))]

    def missing(self, part: ShardPart = ALL) -> list[int]:
        """Return the numbers of the shards that are still to be computed, of the whole plan or a part, in order."""
        done = set(self.committed())
        return [index for index in part.shards(self.plan.shard_count) if index not in done]

    def is_committed(self, shard: Shard) -> bool:
        """Whether a shard is committed by itself."""
        return filesystem.exists(self.path / Span(shard.index, shard.index).manifest)

    def manifests(self, part: ShardPart = ALL) -> list[Manifest]:
        """Return the manifests of all that is committed, or of a part, in order, checked against the plan.

        Raises
        ------
        CorruptDataError
            If one is damaged, or of another sweep or shard, or two have a shard in common.
        """
        spans = self.spans()
        for one, other in pairwise(spans):
            if other.first <= one.last:
                raise CorruptDataError(
                    f"{self.path}: {one.manifest} and {other.manifest} both hold shard {other.first}, which would "
                    "count twice. Remove the one that does not belong here."
                )
        spans = [span for span in spans if span.first != span.last or part.has(span.first)]
        for span in spans:
            if span not in self._manifests:
                self._manifests[span] = manifest.read(self.path, span, self.sweep.content_hash, self.plan)
        return [self._manifests[span] for span in spans]

    def networks_done(self) -> np.ndarray:
        """Return the number of committed networks of each cell, int64 (cells,)."""
        done = np.zeros(self.sweep.cell_count, np.int64)
        for one in self.manifests():
            cell_ids, _, counts = np.array(one.slices, np.int64).T
            np.add.at(done, cell_ids, counts)
        return done

    def commit_shard(
        self,
        shard: Shard,
        sums: Mapping[int, Sums],
        values: Mapping[int, np.ndarray] | None = None,
        seconds: float = 0.0,
    ) -> bool:
        """Store a computed shard of the plan: its tables, then its manifest.

        Parameters
        ----------
        shard, sums
            The shard, and for each cell_id of its slices the sums of those networks.
        values
            With ``record = "networks"``, for each cell_id the array (quantities, count, depth).
        seconds
            Time it took to compute.

        Returns
        -------
        bool
            False if it was committed before; nothing is written then.

        Raises
        ------
        StorageError
            If writing fails; the shard can be committed again.
        """
        counts = {part.cell_id: part.count for part in shard.slices}
        if counts != {cell_id: int(one.networks[0, 0]) for cell_id, one in sums.items()}:
            raise ValueError(f"shard {shard.index}: the sums are not of the networks of its slices")
        made: dict[Kind, pa.Table] = {
            "layers": tables.layers_table(sums),
            "histograms": tables.histograms_table(sums),
        }
        if self.sweep.record == "networks":
            made["networks"] = tables.networks_table(shard, values or {})
        contents = {kind: content(kind, [table]) for kind, table in made.items()}
        return commit(self.path, self.plan, Span(shard.index, shard.index), contents, seconds)

    def read_layers(self, cells: Ids = None, layer: Ids = None, quantity: Names = None) -> pd.DataFrame:
        """Return a row per (cell, layer, quantity), merged exactly over the committed shards and sorted so.

        Columns: cell_id, layer, quantity (categorical), networks, dead, nonfinite, mean, std, se, min, max;
        the last five are over live finite networks, NaN where there are too few.

        Parameters
        ----------
        cells, layer, quantity
            Which to read, one or several; all by default. Only their rows are read.
        """
        return merging.merge_layers(self._read("layers", cells, layer, quantity))

    def read_histograms(self, cells: Ids = None, layer: Ids = None, quantity: Names = None) -> pd.DataFrame:
        """Return a row per (cell, layer, quantity, bin) with its networks, as `read_layers` does."""
        return merging.merge_histograms(self._read("histograms", cells, layer, quantity))

    def read_networks(self, cells: Ids = None, layer: Ids = None) -> pd.DataFrame:
        """Return a row per (cell, network, layer) with every quantity; needs ``record = "networks"``."""
        if self.sweep.record != "networks":
            remedy = 'Run the sweep with record = "networks"'
            raise SweepError("record", self.sweep.record, '"networks" for reading single networks', remedy)
        return tables.frame(pa.concat_tables(list(self._read("networks", cells, layer))))

    def _read(self, kind: Kind, cells: Ids, layer: Ids, quantity: Names = None) -> Iterator[pa.Table]:
        return reading.read(self.path, self.manifests(), kind, cells, layer, quantity)

    @classmethod
    def find(cls, path: Path, sweep: Sweep) -> Dataset | None:
        """Return the dataset of this sweep in a directory, None if there is none; RunExistsError if it has another."""
        return cls(path, sweep) if directory.holds(path, sweep) else None
