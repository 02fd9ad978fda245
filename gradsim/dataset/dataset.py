"""The dataset of a sweep on disk: made once, grown shard by shard, read back merged.

A shard counts once its manifest is there, and the manifest is written last. Whatever lies in the directory
without a manifest, left by a run that was killed, is never read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from gradsim.dataset import codec, directory, extensions
from gradsim.dataset.commit import commit, content
from gradsim.dataset.manifest import Kind, Manifest, Span
from gradsim.dataset.reading import Ids, Names
from gradsim.dataset.snapshot import Snapshot
from gradsim.errors import CorruptDataError, OutputError, RunExistsError
from gradsim.simulation.partition import ALL, ShardPart
from gradsim.simulation.plan import SHARD_CAP, Plan, extended, versions_now
from gradsim.simulation.segments import Shard
from gradsim.sweep import Sweep
from gradsim.sweep.extension import Extension
from gradsim.system import filesystem
from gradsim_core.results.statistics import Sums


class Dataset:
    """The stored results of a sweep. Make one with `create` or `open`.

    Attributes
    ----------
    path : Path
        Its directory, absolute.
    plan : Plan
        The plan of its sweep.
    """

    def __init__(self, path: Path, plan: Plan) -> None:
        self.path, self.plan = filesystem.absolute(path), plan  # the process may change its directory meanwhile
        self._manifests: dict[Span, Manifest] = {}

    @property
    def sweep(self) -> Sweep:
        """What it is the dataset of."""
        return self.plan.sweep

    @classmethod
    def create(cls, path: str | Path, plan: Plan) -> Dataset:
        """Make the dataset of a planned sweep, or open the one that is there; many processes may do so at once.

        Raises
        ------
        RunExistsError
            If the directory holds the dataset of another sweep.
        OutputError
            If it holds other files or cannot be written; nothing is written then.
        StorageError
            If writing fails.
        """
        path = filesystem.absolute(Path(path))
        return cls(path, directory.create(path, plan))

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
        dataset = cls(path, extensions.stored(path, Plan(sweep, directory.generators(path))))
        if dataset.plan.shard_count > SHARD_CAP:
            raise CorruptDataError(f"{path}: the sweep has {dataset.plan.shard_count:,} shards, more than can be run.")
        return dataset

    @classmethod
    def find(cls, path: Path, plan: Plan) -> Dataset | None:
        """Return the dataset of a planned sweep in a directory, None if there is no dataset.

        Raises
        ------
        RunExistsError
            If the directory holds the dataset of another sweep.
        """
        return cls(path, extensions.stored(path, plan)) if directory.stored_sweep(path, plan.sweep) else None

    @property
    def before(self) -> Dataset:
        """The dataset as it was before its extensions."""
        return Dataset(self.path, Plan(self.sweep, self.plan.generators)) if self.plan.extensions else self

    def now(self) -> Dataset:
        """Return the dataset with the extensions that it has now: another process may have made some."""
        plan = extensions.stored(self.path, self.plan)
        return self if plan is self.plan else Dataset(self.path, plan)

    def extended(self, extension: Extension) -> Dataset:
        """Add an extension, and return the dataset with it: its shards are missing.

        If another process has made one of this number meanwhile, that stands, and the dataset with it is returned.

        Raises
        ------
        SweepError
            If the extension does not fit; nothing is written then.
        StorageError
            If writing fails.
        """
        return Dataset(self.path, directory.extend(self.path, extended(self.plan, extension)))

    def check_can_grow(self) -> None:
        """Refuse a dataset that was begun with other random numbers than those of now, with `RunExistsError`."""
        now = versions_now(self.sweep, self.plan.cells)
        if older := sorted(set(now.items()) ^ set(self.plan.generators.items())):
            names = ", ".join(sorted({name for name, _ in older}))
            raise RunExistsError(
                f"{self.path}: the run was begun by another version of gradsim, which draws its networks from other "
                f"random numbers (schedule {names}). What is there can be read with gs.open. To finish it, use that "
                "version; or run the sweep in a new directory."
            )

    def cells(self) -> pd.DataFrame:
        """Return a row per cell: cell_id and every parameter."""
        return pd.DataFrame(codec.cells_table(self.plan).to_pandas())

    def snapshot(self) -> Snapshot:
        """Return what is committed now; use one snapshot for several questions, so that manifests are listed once."""
        return Snapshot(self.path, self.plan, self._manifests)

    def spans(self) -> list[Span]:
        """As `Snapshot.spans`, now."""
        return self.snapshot().spans

    def committed(self) -> list[int]:
        """As `Snapshot.shards`, now."""
        return self.snapshot().shards

    def missing(self, part: ShardPart = ALL) -> list[int]:
        """As `Snapshot.missing`, now."""
        return self.snapshot().missing(part)

    def manifests(self, part: ShardPart = ALL) -> list[Manifest]:
        """As `Snapshot.manifests`, now."""
        return self.snapshot().manifests(part)

    def networks_done(self) -> np.ndarray:
        """As `Snapshot.networks_done`, now."""
        return self.snapshot().networks_done()

    def read_layers(self, cells: Ids = None, layer: Ids = None, quantity: Names = None) -> pd.DataFrame:
        """As `Snapshot.read_layers`, now."""
        return self.snapshot().read_layers(cells, layer, quantity)

    def read_histograms(self, cells: Ids = None, layer: Ids = None, quantity: Names = None) -> pd.DataFrame:
        """As `Snapshot.read_histograms`, now."""
        return self.snapshot().read_histograms(cells, layer, quantity)

    def read_networks(self, cells: Ids = None, layer: Ids = None) -> pd.DataFrame:
        """As `Snapshot.read_networks`, now."""
        return self.snapshot().read_networks(cells, layer)

    def is_committed(self, shard: Shard) -> bool:
        """Whether a shard is committed by itself."""
        return filesystem.exists(self.path / Span(shard.index, shard.index).manifest)

    def commit_shard(
        self,
        shard: Shard,
        sums: Mapping[int, Sums],
        values: Mapping[int, np.ndarray] | None = None,
        seconds: float = 0.0,
        device: str = "cpu",
    ) -> bool:
        """Store a computed shard of the plan: its tables, then its manifest.

        Parameters
        ----------
        shard, sums
            The shard, and for each cell_id of its slices the sums of those networks.
        values
            With ``record = "networks"``, for each cell_id the array (quantities, count, depth).
        seconds, device
            Time it took to compute, and what computed it.

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
            "layers": codec.layers_table(sums, self.sweep.recorded),
            "histograms": codec.histograms_table(sums, self.sweep.recorded),
        }
        if self.sweep.record == "networks":
            made["networks"] = codec.networks_table(shard, values or {}, self.sweep.recorded)
        contents = {kind: content(kind, [table]) for kind, table in made.items()}
        return commit(self.path, self.plan, Span(shard.index, shard.index), contents, seconds, device)
