"""Runs: make or resume the dataset of a sweep, and read it as tables."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from gradsim import phase
from gradsim.dataset import Dataset
from gradsim.engines import ENGINES, run_local
from gradsim.ensemble import DEVICES
from gradsim.errors import Interrupted, SweepError
from gradsim.parts import Ids, Names
from gradsim.plan import check_cap, plan
from gradsim.progress import Mode, Progress
from gradsim.sweep import Sweep
from gradsim.threads import resolve_threads

if TYPE_CHECKING:
    from gradsim_core.activations import Activation


class Run:
    """The results of a sweep in a directory. `run` and `open` make it.

    Every table reads what is committed now, so that a run under way can be looked at.

    Parameters
    ----------
    dataset
        The dataset on disk.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __repr__(self) -> str:
        done, shards = len(self.dataset.committed()), self.dataset.plan.shard_count
        return f"Run({str(self.path)!r}: {self.sweep.cell_count} cells, {done} of {shards} shards)"

    @property
    def path(self) -> Path:
        """The run's directory."""
        return self.dataset.path

    @property
    def sweep(self) -> Sweep:
        """What was run."""
        return self.dataset.sweep

    @property
    def complete(self) -> bool:
        """Whether every shard is committed."""
        return not self.dataset.missing()

    def cells(self) -> pd.DataFrame:
        """Return a row per cell: cell_id and every parameter."""
        return self.dataset.cells()

    def layers(self, cells: Ids = None, layer: Ids = None, quantity: Names = None) -> pd.DataFrame:
        """Return a row per (cell, layer, quantity), in natural log.

        Parameters
        ----------
        cells, layer : int or list of int, optional
            Which cells and layers; all by default. Only their rows are read.
        quantity : str or list of str, optional
            Of "log_delta", "log_weight_grad", "log_q", "log_gain".

        Returns
        -------
        pandas.DataFrame
            cell_id, layer, quantity, networks, dead, nonfinite; mean, std, se, min, max over live finite networks;
            q05, q25, median, q75, q95 with the dead as -inf.
        """
        sums = self.dataset.read_layers(cells, layer, quantity)
        return phase.layers_frame(sums, self.dataset.read_histograms(cells, layer, quantity))

    def networks(self, cells: Ids = None, layer: Ids = None) -> pd.DataFrame:
        """Return a row per (cell, network, layer) with the four quantities; needs ``record = "networks"``."""
        return self.dataset.read_networks(cells, layer)

    def summary(self) -> pd.DataFrame:
        """Return a row per cell.

        Returns
        -------
        pandas.DataFrame
            Every parameter, then of log_gain at layer 1: quenched_log_gain, quenched_se, median_log_gain,
            annealed_log_gain with their errors, top_share and trusted (whether rare networks leave the annealed number
            alone), decades (of the norm), dead_fraction, phase, chi_1 (mean field), complete; nonfinite_fraction.
        """
        cells = self.cells()
        complete = pd.Series(self.dataset.networks_done() == self.sweep.networks, index=cells["cell_id"])
        depths = sorted({int(depth) for depth in self.sweep.depth})
        sums = pd.concat(
            [
                self.dataset.read_layers(layer=1, quantity=["log_gain", "log_delta"]),
                self.dataset.read_layers(layer=depths, quantity="log_q"),
            ]
        )
        histograms = self.dataset.read_histograms(layer=[1], quantity="log_gain")
        return phase.summary(cells, sums, histograms, complete, self._own_activations)

    def boundary(self, level: float = 0.95) -> pd.DataFrame:
        """Return the boundary between vanishing and exploding, a row per (axes but sigma_w, kind).

        Parameters
        ----------
        level : float
            Probability that an interval covers the boundary.

        Returns
        -------
        pandas.DataFrame
            kind ("quenched", "annealed", "median"), sigma_w, ci_low, ci_high; theory (infinite width at this depth),
            theory_inf (chi_1 = 1), theory_width (exact at this width); crossing, direction, reason.
        """
        return phase.boundary(self.summary(), level, self._own_activations)

    @cached_property
    def _own_activations(self) -> dict[str, Activation]:
        from gradsim_core.activations import Activation

        return {one.name: one for one in self.sweep.activation if isinstance(one, Activation)}


def open(path: str | Path) -> Run:
    """Open the run in a directory.

    Raises
    ------
    OutputError
        If there is none.
    """
    return Run(Dataset.open(path))


def run(
    sweep: Sweep | str | Path,
    out: str | Path,
    *,
    engine: Literal["local"] = "local",
    device: str = "cpu",
    threads: int | None = None,
    progress: Mode = "auto",
    yes: bool = False,
) -> Run:
    """Run a sweep, or what is left of it, into a directory.

    Parameters
    ----------
    sweep : Sweep or str or Path
        The sweep, its TOML file, or the name of a shipped one.
    out : str or Path
        The directory: a new one, or one that holds part of the same sweep, which is resumed.
    engine : {"local"}
        Where the shards are computed.
    device : {"cpu"}
        What computes them.
    threads : int, optional
        Threads; the numbers do not depend on it. Default: as many as this process may use.
    progress : {"auto", "bar", "log", "none"}
        How progress is shown, on standard error.
    yes : bool
        Run also more than `gradsim.plan.WORK_CAP` random normals.

    Returns
    -------
    Run

    Raises
    ------
    SweepError, OutputError
        Before anything is written: a wrong value, another sweep's directory, one that cannot be written.
    StorageError
        A full disk or an I/O error: committed shards stay, and the same call resumes.
    Interrupted
        After Ctrl-C; the same call resumes.
    """
    if not isinstance(sweep, Sweep):
        sweep = Sweep.from_toml(sweep)
    check_where(engine, device)
    count = resolve_threads(threads)
    work = plan(sweep)
    check_cap(work, yes=yes)
    dataset = Dataset.create(out, sweep)
    if dataset.missing():
        _compute(dataset, count, progress)
    return Run(dataset)


def check_where(engine: str, device: str) -> None:
    """Refuse an engine or device that there is not, with :class:`SweepError`."""
    for field, value, allowed in (("engine", engine, ENGINES), ("device", device, DEVICES)):
        if value not in allowed:
            raise SweepError(field, value, f"one of {', '.join(allowed)} in this version", f'Write "{allowed[0]}"')


def _compute(dataset: Dataset, threads: int, mode: Mode) -> None:
    work = dataset.plan
    meter = Progress(work.normals, work.networks, mode)
    done = dataset.networks_done()
    normals = (n * dataset.sweep.normals(cell) for n, cell in zip(done.tolist(), work.cells, strict=True))
    meter.resume(int(sum(normals)), int(np.sum(done)))
    try:
        with meter:
            run_local(dataset, threads, meter)
    except KeyboardInterrupt:
        finished = len(dataset.committed())
        raise Interrupted(
            f"{dataset.path}: stopped with {finished} of {work.shard_count} shards committed. "
            "Give the same command again to resume."
        ) from None
