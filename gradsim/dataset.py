"""The dataset of a sweep on disk: made once, grown shard by shard, read back merged.

A shard counts once its manifest is there, and the manifest is written last. Whatever lies in the directory
without a manifest, left by a run that was killed, is never read.
"""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from gradsim import fs, parts, provenance, schema, tables
from gradsim.errors import (
    CorruptDataError,
    OutputError,
    RunExistsError,
    StorageError,
    SweepError,
    SweepFileError,
)
from gradsim.manifest import Kind, Manifest, Part, part_of
from gradsim.parts import Ids, Names
from gradsim.plan import Plan, Shard
from gradsim.sweep import Sweep
from gradsim_core.statistics import Sums

_FOLDERS = ("tmp", "manifests", "data/layers", "data/histograms", "data/networks")
_FIRST_NAMES = {"tmp", "manifests", "data", "cells.parquet", "run.json"}
_MANIFEST = re.compile(r"(\d{6,})\.json")
_STORAGE = (errno.ENOSPC, errno.EDQUOT, errno.EIO)


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
        self._manifests: dict[int, Manifest] = {}

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
        fs.check_writable(dataset.path)
        found = fs.names(dataset.path)  # before the sweep is looked for, which another process may be writing
        if not dataset._holds_same_sweep():
            dataset._refuse_other_files(found)
        dataset._make_folders()
        dataset._write_new("sweep.toml", sweep.stored_text().encode())
        dataset._holds_same_sweep()  # another process may have been first, with another sweep
        if not (dataset.path / "cells.parquet").exists():
            dataset._write_new("cells.parquet", schema.encode(tables.cells_table(sweep, dataset.plan.cells)))
        if not (dataset.path / "run.json").exists():
            run = {
                "schema_version": schema.SCHEMA_VERSION,
                "content_hash": sweep.content_hash,
                "created": provenance.now(),
                "environment": provenance.environment(),
            }
            dataset._write_new("run.json", (json.dumps(run, indent=1) + "\n").encode())
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
        sweep = _stored_sweep(path)
        if sweep is None:
            raise OutputError(f"{path}: there is no gradsim dataset. Give the directory of a run.")
        return cls(path, sweep)

    @cached_property
    def plan(self) -> Plan:
        """The plan of the sweep."""
        return Plan(self.sweep)

    def cells(self) -> pd.DataFrame:
        """Return a row per cell: cell_id and every parameter."""
        return tables.frame(tables.cells_table(self.sweep, self.plan.cells))

    def committed(self) -> list[int]:
        """Return the numbers of the shards that are committed, in order."""
        found = (_MANIFEST.fullmatch(name) for name in fs.names(self.path / "manifests"))
        return sorted(int(match[1]) for match in found if match)

    def missing(self) -> list[int]:
        """Return the numbers of the shards that are still to be computed, in order."""
        done = set(self.committed())
        return [index for index in range(self.plan.shard_count) if index not in done]

    def manifests(self) -> list[Manifest]:
        """Return the manifests of all committed shards, checked against the plan.

        Raises
        ------
        CorruptDataError
            If one is damaged, or of another sweep or shard.
        """
        committed = self.committed()
        for index in committed:
            if index not in self._manifests:
                self._manifests[index] = self._read_manifest(index)
        return [self._manifests[index] for index in committed]

    def networks_done(self) -> np.ndarray:
        """Return the number of committed networks of each cell, int64 (cells,)."""
        done = np.zeros(self.sweep.cell_count, np.int64)
        for manifest in self.manifests():
            cell_ids, _, counts = np.array(manifest.slices, np.int64).T
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
            With ``record = "networks"``, for each cell_id the array (4, count, depth) of the quantities.
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
        name = f"manifests/{shard.name}.json"
        if (self.path / name).exists():
            return False
        layers, histograms = tables.layers_table(sums), tables.histograms_table(sums)
        content: dict[Kind, pa.Table] = {"layers": layers, "histograms": histograms}
        if self.sweep.record == "networks":
            content["networks"] = tables.networks_table(shard, values or {})
        written = {kind: self._commit_part(kind, shard, table) for kind, table in content.items()}
        return self._write_new(name, self._manifest(shard, written, seconds).encode())

    def read_layers(self, cells: Ids = None, layer: Ids = None, quantity: Names = None) -> pd.DataFrame:
        """Return a row per (cell, layer, quantity), merged exactly over the committed shards and sorted so.

        Columns: cell_id, layer, quantity (categorical), networks, dead, nonfinite, mean, std, se, min, max;
        the last five are over live finite networks, NaN where there are too few.

        Parameters
        ----------
        cells, layer, quantity
            Which to read, one or several; all by default. Only their rows are read.
        """
        return tables.merge_layers(self._read("layers", cells, layer, quantity))

    def read_histograms(self, cells: Ids = None, layer: Ids = None, quantity: Names = None) -> pd.DataFrame:
        """Return a row per (cell, layer, quantity, bin) with its networks, as `read_layers` does."""
        return tables.merge_histograms(self._read("histograms", cells, layer, quantity))

    def read_networks(self, cells: Ids = None, layer: Ids = None) -> pd.DataFrame:
        """Return a row per (cell, network, layer) with the four quantities; needs ``record = "networks"``."""
        if self.sweep.record != "networks":
            remedy = 'Run the sweep with record = "networks"'
            raise SweepError("record", self.sweep.record, '"networks" for reading single networks', remedy)
        return tables.frame(pa.concat_tables(list(self._read("networks", cells, layer))))

    def _read(self, kind: Kind, cells: Ids, layer: Ids, quantity: Names = None) -> Iterator[pa.Table]:
        return parts.read(self.path, self.manifests(), kind, cells, layer, quantity)

    def _read_manifest(self, index: int) -> Manifest:
        path = self.path / "manifests" / f"{index:06d}.json"
        if index >= self.plan.shard_count:
            raise CorruptDataError(f"{path}: the sweep has no shard {index}. Remove this manifest.")
        manifest = Manifest.decode(fs.read_bytes(path) or b"", str(path))
        manifest.check(self.sweep.content_hash, self.plan.shard(index), str(path))
        return manifest

    def _commit_part(self, kind: Kind, shard: Shard, table: pa.Table) -> Part:
        data = schema.encode(table)
        path = f"data/{kind}/part-{shard.name}.parquet"
        # A part without a manifest may be left from a run that was killed, so it is replaced. Two runs that
        # compute the same shard at the same time write the same bytes.
        fs.commit(self.path / "tmp", self.path / path, data)
        return part_of(path, table.num_rows, data)

    def _manifest(self, shard: Shard, written: dict[Kind, Part], seconds: float) -> Manifest:
        return Manifest(
            sweep=self.sweep.content_hash,
            shard=shard.index,
            slices=[(part.cell_id, part.first, part.count) for part in shard.slices],
            parts=written,
            seconds=seconds,
            finished=provenance.now(),
            environment=provenance.environment(),
        )

    def _write_new(self, name: str, data: bytes) -> bool:
        return fs.write_new(self.path / "tmp", self.path / name, data)

    def _holds_same_sweep(self) -> bool:
        """Whether the directory has this sweep; False if it has none, an error if it has another."""
        stored = _stored_sweep(self.path)
        if stored is not None and stored.content_hash != self.sweep.content_hash:
            raise RunExistsError(
                f"{self.path}: the directory holds the dataset of another sweep "
                f"({_differences(stored, self.sweep)}). Choose another directory, or give the sweep it holds."
            )
        return stored is not None

    @classmethod
    def find(cls, path: Path, sweep: Sweep) -> Dataset | None:
        """Return the dataset of this sweep in a directory, None if there is none; RunExistsError if it has another."""
        dataset = cls(path, sweep)
        return dataset if dataset._holds_same_sweep() else None

    def _refuse_other_files(self, found: list[str]) -> None:
        others = [name for name in found if name not in _FIRST_NAMES]
        if others:
            raise OutputError(
                f"{self.path}: the directory is no dataset and holds other files ({others[0]}, …). "
                "Choose a new or an empty directory."
            )

    def _make_folders(self) -> None:
        try:
            fs.make_dirs(self.path)
        except StorageError as error:
            if error.cause.errno in _STORAGE:
                raise
            reason = error.cause.strerror
            raise OutputError(
                f"{self.path}: the output directory cannot be made: {reason}. Choose another one."
            ) from error
        for folder in _FOLDERS:
            if folder != "data/networks" or self.sweep.record == "networks":
                fs.make_dirs(self.path / folder)


def _stored_sweep(path: Path) -> Sweep | None:
    name = path / "sweep.toml"
    data = fs.read_bytes(name)
    if data is None or not (path / "manifests").is_dir():  # a sweep file of the user's own is no dataset
        return None
    try:
        return Sweep.from_stored_text(data, str(name))
    except (SweepFileError, SweepError) as error:
        raise CorruptDataError(
            f"{name}: the dataset's sweep cannot be read: {error} If a newer gradsim wrote it, update gradsim. "
            "Otherwise restore the file from the sweep that was run."
        ) from error


def _differences(stored: Sweep, given: Sweep) -> str:
    old, new = stored.stored_text().splitlines(), given.stored_text().splitlines()
    fields = [line.partition(" ")[0] for line, other in zip(old, new, strict=True) if line != other]
    return ", ".join(fields) + (" differs" if len(fields) == 1 else " differ")
