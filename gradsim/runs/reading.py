"""The tables of a run: what is committed in its directory, merged and analysed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from gradsim import analysis
from gradsim.dataset.dataset import Dataset
from gradsim.dataset.reading import Ids, Names, Rows
from gradsim.runs import export, tables
from gradsim.sweep import Sweep
from gradsim.sweep.columns import with_network_axes
from gradsim.theory.errors import check_count, check_probability

if TYPE_CHECKING:
    import xarray


class Results:
    """The tables of a sweep in a directory.

    Each table is read from what is committed at that moment, so a run under way can be inspected.

    Parameters
    ----------
    dataset
        The dataset on disk.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

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
            Names of quantities that the sweep records, such as "log_gain"; all by default.
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

    def growth(self, summary: pd.DataFrame | None = None) -> pd.DataFrame:
        """Return the gain of each cell beside the mean field of its kind of network: :func:`gradsim.analysis.growth`.

        Parameters
        ----------
        summary : pandas.DataFrame, optional
            What `summary` returned, so that it is not computed again.
        """
        return tables.growth(self.dataset, summary)

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
        summary, cells = self.summary(), self.cells()
        axes = cells[["cell_id", *with_network_axes(export.AXES, cells)]]
        layers = axes.merge(self.layers(), on="cell_id")
        return export.to_xarray(layers, summary, self.boundary(summary=summary))
