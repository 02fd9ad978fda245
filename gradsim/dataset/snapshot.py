"""What of a dataset is committed at one moment: the manifests are listed once, and every table is read from them."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from gradsim.dataset import extensions, manifest, merging, reading
from gradsim.dataset.manifest import Kind, Manifest, Span
from gradsim.dataset.reading import Ids, Names, Rows
from gradsim.errors import CorruptDataError, GradsimError, StorageError, SweepError
from gradsim.simulation.partition import ALL, ShardPart
from gradsim.simulation.plan import Plan
from gradsim.system import filesystem


class Snapshot:
    """The commits of a dataset at one moment.

    Parameters
    ----------
    path, plan
        The dataset's directory and the plan of its sweep.
    known
        Manifests that were read before; those that are read now are added. A manifest never changes.

    Attributes
    ----------
    spans : list of Span
        What is committed, in order: mostly single shards. Those of extensions that the plan lacks are left out.

    Raises
    ------
    StorageError
        If the dataset has vanished: a disk that is gone is no dataset without shards.
    CorruptDataError
        If its folder of manifests has.
    """

    def __init__(self, path: Path, plan: Plan, known: dict[Span, Manifest]) -> None:
        self._path, self._plan, self._known = path, plan, known
        names = filesystem.names(path / "manifests")
        if not names and not filesystem.is_dir(path / "manifests"):
            raise _vanished(path)
        self.spans = sorted(filter(None, map(Span.of_manifest, names)))
        end = plan.shard_count
        if self.spans and self.spans[-1].last >= end and extensions.count(path) > len(plan.extensions):
            self.spans = [span for span in self.spans if span.first < end]

    @cached_property
    def shards(self) -> list[int]:
        """Numbers of the committed shards, in order."""
        count = self._plan.shard_count
        return sorted(index for span in self.spans for index in range(span.first, min(span.last + 1, count)))

    def missing(self, part: ShardPart = ALL) -> list[int]:
        """Return the numbers of the shards that are still to be computed, of the whole plan or a part, in order."""
        done = set(self.shards)
        return [index for index in part.shards(self._plan.shard_count) if index not in done]

    def manifests(self, part: ShardPart = ALL) -> list[Manifest]:
        """Return the manifests of all that is committed, or of a part, in order, checked against the plan.

        Raises
        ------
        CorruptDataError
            If one is damaged, or of another sweep or shard, or two have a shard in common.
        """
        for first, second in pairwise(self.spans):
            if second.first <= first.last:
                raise CorruptDataError(
                    f"{self._path}: {first.manifest} and {second.manifest} both hold shard {second.first}, which would "
                    "count twice. Remove the one that does not belong here."
                )
        spans = [span for span in self.spans if span.first != span.last or part.has(span.first)]
        for span in spans:
            if span not in self._known:
                self._known[span] = manifest.read(self._path, span, self._plan)
        return [self._known[span] for span in spans]

    def damaged(self, part: ShardPart = ALL) -> dict[Span, CorruptDataError]:
        """Return the commits of which a table is missing or has another size, with the reason; tables are not read."""
        found = {}
        for one in self.manifests(part):
            for kind in one.parts:
                try:
                    reading.check_size(self._path, one, kind)
                except CorruptDataError as error:
                    found[one.span] = error
        return found

    def networks_done(self) -> np.ndarray:
        """Return the number of committed networks of each cell, int64 (cells,)."""
        done = np.zeros(len(self._plan.cells), np.int64)
        for found in self.manifests():
            cell_ids, _, counts = np.array(found.slices, np.int64).T
            np.add.at(done, cell_ids, counts)
        return done

    def read_layers(self, cells: Ids = None, layer: Ids = None, quantity: Names = None) -> pd.DataFrame:
        """Return a row per (cell, layer, quantity), merged exactly over the committed shards and sorted so.

        Columns: cell_id, layer, quantity (categorical), networks, dead, nonfinite, mean, std, se, min, max;
        the last five are over live finite networks, NaN where there are too few.

        Parameters
        ----------
        cells, layer, quantity
            Which to read, one or several; all by default. Only their rows are read.
        """
        return self.merged_layers(Rows.of(self._plan, cells, layer, quantity))

    def merged_layers(self, *wanted: Rows) -> pd.DataFrame:
        """As `read_layers`, of several choices of rows, for which each file is read once."""
        return merging.merge_layers(self._read("layers", *wanted))

    def read_histograms(self, cells: Ids = None, layer: Ids = None, quantity: Names = None) -> pd.DataFrame:
        """Return a row per (cell, layer, quantity, bin) with its networks, as `read_layers` does."""
        return merging.merge_histograms(self._read("histograms", Rows.of(self._plan, cells, layer, quantity)))

    def read_networks(self, cells: Ids = None, layer: Ids = None) -> pd.DataFrame:
        """Return a row per (cell, network, layer) with every quantity; needs ``record = "networks"``."""
        if self._plan.sweep.record != "networks":
            remedy = 'Run the sweep with record = "networks"'
            raise SweepError("record", self._plan.sweep.record, '"networks" for reading single networks', remedy)
        return pd.DataFrame(
            pa.concat_tables(list(self._read("networks", Rows.of(self._plan, cells, layer)))).to_pandas()
        )

    def _read(self, kind: Kind, *wanted: Rows) -> Iterator[pa.Table]:
        return reading.read(self._path, self.manifests(), kind, *wanted)


def _vanished(path: Path) -> GradsimError:
    if not filesystem.exists(path / "sweep.toml"):
        return StorageError(path, FileNotFoundError(errno.ENOENT, "the dataset has vanished"))
    return CorruptDataError(
        f"{path / 'manifests'}: the folder is missing, and with it what says which shards are computed. Restore it "
        "from a copy, or run the sweep again: shards are computed anew and compared with the tables that lie there."
    )
