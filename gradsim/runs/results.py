"""The results of a sweep in a directory, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from gradsim import analysis
from gradsim.dataset import maintenance, verification
from gradsim.dataset.dataset import Dataset
from gradsim.dataset.reading import Ids, Names, Rows
from gradsim.runs import export, refining, tables
from gradsim.runs.computing import Means
from gradsim.runs.placement import checked_path
from gradsim.sweep import Sweep
from gradsim.system.progress import Mode
from gradsim.system.streams import counted
from gradsim.theory.errors import check_count, check_probability

if TYPE_CHECKING:
    import xarray


class Refined(NamedTuple):
    """What `Run.refine` returns: the refined run, and how well its boundaries are known."""

    run: Run
    precision: refining.Precision


class Run:
    """The results of a sweep in a directory, made by `run` or `open`.

    Each table is read from what is committed at that moment, so a run under way can be inspected.

    Parameters
    ----------
    dataset
        The dataset on disk.
    computed
        Number of networks that this call of `run` computed.
    """

    def __init__(self, dataset: Dataset, computed: int = 0) -> None:
        self.dataset, self.computed = dataset, computed

    def __repr__(self) -> str:
        done, plan = len(self.dataset.committed()), self.dataset.plan
        cells, shards = counted(len(plan.cells), "cell"), counted(plan.shard_count, "shard")
        return f"Run({str(self.path)!r}: {cells}, {done} of {shards})"

    @property
    def path(self) -> Path:
        """The run's directory."""
        return self.dataset.path

    @property
    def sweep(self) -> Sweep:
        """The sweep that was run."""
        return self.dataset.sweep

    @property
    def complete(self) -> bool:
        """Whether every shard is committed."""
        return not self.dataset.missing()

    def cells(self) -> pd.DataFrame:
        """Return a row per cell: cell_id and every parameter."""
        return self.dataset.cells()

    def layers(
        self, cells: Ids = None, layer: Ids = None, quantity: Names = None, *, level: float = 0.95
    ) -> pd.DataFrame:
        """Return a row per (cell, layer, quantity), in natural log.

        Parameters
        ----------
        cells, layer : int or list of int, optional
            Numbers of cells (cell_id) and layers (from 1); all by default. Only their rows are read.
        quantity : str or list of str, optional
            Names of `gradsim_core.results.quantities.QUANTITIES`, such as "log_gain"; all by default.
        level : float
            Probability that an interval covers what it estimates.

        Returns
        -------
        pandas.DataFrame
            cell_id, layer, quantity, networks, dead, nonfinite; mean, std, se, min, max over live finite networks;
            q05, q25, median, q75, q95 with the dead as -inf; dead_fraction, nonfinite_fraction; and an interval
            ``<name>_low``, ``<name>_high`` of each of them but se, min and max.
        """
        level, now = check_probability("level", level), self.dataset.snapshot()
        return analysis.layers_frame(
            now.read_layers(cells, layer, quantity), now.read_histograms(cells, layer, quantity), level
        )

    def histograms(self, cells: Ids = None, layer: Ids = None, quantity: Names = None) -> pd.DataFrame:
        """Return a row per (cell, layer, quantity, bin): how many networks have values in it; as `layers` selects.

        Returns
        -------
        pandas.DataFrame
            cell_id, layer, quantity, bin, networks (live and finite), and the bin's edges in natural log, ``low`` <=
            value < ``high``: a bin is 1/16 of an octave of the plain value. Bins without networks have no row.
        """
        found = self.dataset.read_histograms(cells, layer, quantity)
        return found.assign(low=found["bin"] * analysis.BIN_WIDTH, high=(found["bin"] + 1) * analysis.BIN_WIDTH)

    def networks(self, cells: Ids = None, layer: Ids = None) -> pd.DataFrame:
        """Return a row per (cell, network, layer) with every quantity; needs ``record = "networks"``."""
        return self.dataset.read_networks(cells, layer)

    def summary(self, level: float = 0.95, kinds: Sequence[str] = ()) -> pd.DataFrame:
        """Return a row per cell.

        Parameters
        ----------
        level : float
            Probability that an interval covers what it estimates.
        kinds : list of str
            Further moments of the gain for `boundary`, such as ``"moment(0.5)"``.

        Returns
        -------
        pandas.DataFrame
            Every parameter, then of log_gain at layer 1: quenched_log_gain, median_log_gain, annealed_log_gain and
            their standard errors, top_share and trusted (False if rare networks dominate the annealed mean), decades
            (of the norm), std, q05, q95, live_share (share of all networks whose gradient norm is within a decade),
            two_humps; dead_fraction, nonfinite_fraction, phase, chi_1 (mean field), complete, reason (why networks are
            not finite, or chi_1 is missing). An interval ``<name>_low``, ``<name>_high`` of each estimate.
        """
        return tables.summary(self.dataset, level, kinds)

    def boundary(
        self, level: float = 0.95, summary: pd.DataFrame | None = None, kinds: str | Sequence[str] = analysis.KINDS
    ) -> pd.DataFrame:
        """Return the boundary between vanishing and exploding, a row per kind and (axes except sigma_w).

        Parameters
        ----------
        level : float
            Probability that an interval covers the boundary.
        summary : pandas.DataFrame, optional
            What `summary` returned for these kinds, so that it is not computed again.
        kinds : str or list of str
            "quenched" (the mean of ln gain over live networks is 0), "annealed" (ln of the mean is 0), "median";
            "moment(s)" with 0 < s <= 2 (the mean of the s-th power of the norm's gain is 1: annealed is s = 2);
            "decades(k)" (the median norm grows by k decades towards layer 1).

        Returns
        -------
        pandas.DataFrame
            kind, sigma_w, ci_low, ci_high; theory (infinite width at this depth), theory_inf (chi_1 = 1), theory_width
            (exact at this width); crossing, direction, trusted, live_share, reason, theory_reason.
        """
        return tables.boundary(self.dataset, level, kinds, summary)

    def refine(
        self,
        target: float,
        *,
        kinds: str | Sequence[str] = "quenched",
        level: float = 0.95,
        engine: Any = "local",
        device: str = "cpu",
        threads: int | None = None,
        progress: Mode = "auto",
        yes: bool = False,
        stop: Event | None = None,
    ) -> Refined:
        """Add cells and networks where boundaries lie, until half the width of each interval is at most ``target``.

        The directory stays a dataset of the same sweep; what is added is a numbered extension of it, which changes no
        earlier number. Missing shards are computed first. After a stop the same call goes on, with any engine.

        Parameters
        ----------
        target : float
            Half-width of an interval to be reached, in sigma_w.
        kinds : str or list of str
            Which boundaries: see `boundary`. Those without an interval, or not to be trusted, are left out.
        level : float
            Probability that an interval covers the boundary.
        engine, device, threads, progress, yes, stop
            As for `gradsim.run`.

        Returns
        -------
        Refined
            ``run``, the run with its extensions; ``precision``, whose ``table`` has a row per boundary: half-widths
            before and now, networks, and those of a uniform grid of the same precision.

        Raises
        ------
        SweepError
            For a wrong value, or if the next extension is more work than may be run without ``yes``; else as `run`.
        """
        means, aim = Means(engine, device, threads, progress, yes, stop), refining.Aim(target, kinds, level)
        dataset, computed, precision = refining.refine(self.dataset, aim, means)
        return Refined(Run(dataset, computed), precision)

    def slopes(self, layer: int = 1, level: float = 0.95) -> pd.DataFrame:
        """Return the slope of ln |delta| per layer of each cell, from the last layer back to ``layer``.

        See :func:`gradsim.analysis.slopes`. A layer > 1 leaves out the layers in which q still relaxes.
        """
        now, layer = self.dataset.snapshot(), check_count("layer", layer)
        gains = now.merged_layers(Rows(None, [layer], ["log_gain"]))
        return analysis.slopes(self.cells(), gains, now.read_histograms(None, [layer], "log_gain"), layer, level)

    def spread_per_depth(self, level: float = 0.95) -> pd.DataFrame:
        """Return how the variance of ln gain grows with depth over width: :func:`gradsim.analysis.spread_per_depth`."""
        return analysis.spread_per_depth(self.summary(), level)

    def collapse(self) -> pd.DataFrame:
        """Return the gain of each cell over depth in units of the depth scale: :func:`gradsim.analysis.collapse`."""
        return analysis.collapse(self.summary())

    def infinite_width(self, level: float = 0.95, kinds: str | Sequence[str] = analysis.KINDS) -> pd.DataFrame:
        """Return the boundaries extrapolated to infinite width: :func:`gradsim.analysis.infinite_width`."""
        return analysis.infinite_width(self.boundary(kinds=kinds), level)

    def export(self, output: str | Path, format: str = "csv") -> list[Path]:
        """Write cells, layers, summary and boundary as files of other programs, and return their paths.

        Parameters
        ----------
        output : str or Path
            The folder; files of the same names are replaced.
        format : {"csv", "parquet", "latex", "sql"}
            "latex" writes summary and boundary with their main columns, for booktabs; "sql" writes ``views.sql``, which
            makes the tables of the run's directory views of DuckDB.

        Raises
        ------
        SweepError
            For an unknown format.
        StorageError
            If the files cannot be written.
        """
        out = checked_path("output", output)
        if format not in export.FORMATS or format == "sql":
            return export.write_tables({}, out, format)
        summary = self.summary()
        tables = {"cells": self.cells(), "summary": summary, "boundary": self.boundary(summary=summary)}
        if format != "latex":
            tables["layers"] = self.layers()
        return export.write_tables(tables, out, format)

    def to_xarray(self) -> xarray.Dataset:
        """Return all tables as one dataset of xarray.

        Returns
        -------
        xarray.Dataset
            Dimensions activation, law, sigma_b, width, depth, sigma_w; for the numbers of `layers` also quantity and
            layer; for those of `boundary` (``boundary``, ``boundary_low``, …) kind, and no sigma_w. Numbers of cells
            whose name layers have too begin with ``cell_``. NaN beyond the depth.

        Raises
        ------
        XarrayExtraMissingError
            If xarray is not installed.
        """
        summary, axes = self.summary(), self.cells()[["cell_id", *export.AXES]]
        layers = axes.merge(self.layers(), on="cell_id")
        return export.to_xarray(layers, summary, self.boundary(summary=summary))

    def verify(self, progress: Mode = "none", repair: bool = False) -> verification.Verification:
        """Read every byte and row again and compare it with the manifests.

        With ``repair`` the manifests of what is damaged are removed, so that the next run computes it anew.

        Returns
        -------
        Verification
            ``problems``, a sentence for each damaged or missing file; ``digest`` of all values.
        """
        return verification.verify(self.dataset, progress, repair)

    def compact(self, output: str | Path, progress: Mode = "none", partial: bool = False) -> Run:
        """Write the same values with fewer, larger files into a new directory, and return that run.

        Raises
        ------
        OutputError
            If the directory exists and holds anything else, or the run is unfinished and not ``partial``.
        """
        return Run(maintenance.compact(self.dataset, checked_path("output", output), progress, partial))

    def gc(self) -> list[str]:
        """Remove leftovers of killed runs: files that no manifest names. Return their paths in the directory."""
        return maintenance.gc(self.dataset)
