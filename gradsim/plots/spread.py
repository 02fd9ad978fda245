"""The law of ln gain of one cell: histogram, survival function, the dead apart, and the exact law where it is known."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradsim import theory
from gradsim.analysis import BIN_WIDTH, intervals
from gradsim.analysis.summaries import DECADE
from gradsim.errors import SweepError
from gradsim.plots import selection, words
from gradsim.plots.styles import GREY, INK, OKABE_ITO, panel
from gradsim.sweep.columns import are_plain
from gradsim.theory import GainLaw, NoCriticalPoint

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gradsim.runs.results import Run

Array = NDArray[np.float64]

_MOST_BARS = 80
_CURVE = 400  # points of the exact law
_SHARES = OKABE_ITO[0]
_BEYOND = OKABE_ITO[1]


class Counted(NamedTuple):
    """Networks of one cell: edges of its bins in ln gain, live networks in each, and all that have such a gain."""

    low: Array
    high: Array
    networks: Array
    live: int
    dead: int
    nonfinite: int

    @property
    def total(self) -> int:
        """All networks of the cell."""
        return self.live + self.dead + self.nonfinite

    def survival(self) -> tuple[Array, Array]:
        """The lower edges of the bins, and how many live networks lie above each."""
        return self.low, np.cumsum(self.networks[::-1])[::-1]


def spread(run: Run, cell: int | None = None, ax: Axes | None = None) -> Axes:
    """Draw how ln gain of layer 1 is spread over the networks of a cell.

    Bars are shares of the live networks in each bin; the dead ones have a bar apart. The line on the right axis is the
    share of live networks with a larger gain. Black curves are the exact law, which is known for linear, relu and
    leaky_relu with Gaussian weights and no bias. Marked are the gains within a decade of the norm, the quantiles 5 and
    95 %, and mean and standard deviation.

    Parameters
    ----------
    run
        What `gradsim.run` or `gradsim.open` returns.
    cell
        Its number (cell_id); by default the cell whose median gain is nearest to 1.
    ax
        Axes to draw on; a new figure by default. The right axis is a twin of it.

    Returns
    -------
    matplotlib.axes.Axes
        The axes of the bars.

    Raises
    ------
    SweepError
        For a cell that the run does not have.
    PlotExtraMissingError
        matplotlib is not installed.
    """
    if cell is not None:
        selection.check_cells(run, cell)
    summary = run.summary()
    row = _nearest(summary) if cell is None else summary[summary["cell_id"] == cell].iloc[0]
    counted = _counted(run, int(row["cell_id"]))
    law = exact_law(run, row)
    with panel(ax) as axes:
        handles = _draw(axes, counted, row, law)
        axes.set_xlabel("ln gain of |δ|², layer 1 over the last")
        words.set_title(axes, f"cell {row['cell_id']}: {words.title_of(row.to_dict())}")
        words.set_foot(axes, _caption(run, row, counted, law, chosen=cell is None), handles)
    return axes


def exact_law(run: Run, cell: pd.Series) -> GainLaw | None:
    """Return the exact law of ln gain of a cell, or None where it is not known."""
    known = (
        bool(are_plain(cell.to_frame().T).all())
        and cell["law"] == "gaussian"
        and cell["sigma_b"] == 0.0
        and cell["depth"] > 1
    )
    if known and cell["activation"] not in run.sweep.own:
        with suppress(NoCriticalPoint, SweepError):
            return theory.gain_law(cell["activation"], int(cell["depth"]), int(cell["width"]), float(cell["sigma_w"]))
    return None


def _nearest(summary: pd.DataFrame) -> pd.Series:
    """The cell whose median gain is nearest to 1; the first one where no network is live."""
    distance = summary["median_log_gain"].abs().replace(np.inf, np.nan)
    return summary.iloc[int(np.nanargmin(distance)) if distance.notna().any() else 0]


def _counted(run: Run, cell: int) -> Counted:
    bins = run.histograms(cell, layer=1, quantity="log_gain").sort_values("bin")
    low, high, networks = (bins[name].to_numpy(np.float64) for name in ("low", "high", "networks"))
    delta = run.layers(cell, layer=1, quantity="log_delta")
    dead, nonfinite = (int(delta[name].sum()) for name in ("dead", "nonfinite"))
    return Counted(low, high, networks, int(networks.sum()), dead, nonfinite)


def _draw(ax: Axes, counted: Counted, row: pd.Series, law: GainLaw | None) -> list[Any]:
    """Draw all but words; return the handles of the legend."""
    ax.set_ylabel("share of live networks per bin")
    if not counted.live:
        words.say_inside(ax, "No live network." if counted.total else "No network is stored yet.")
        ax.set_xlim(-1.0, 1.0)
        return _dead_bar(ax, counted, 0.1, 1.0)
    edges = bar_edges(counted)
    width = float(edges[1] - edges[0])
    share = np.histogram(0.5 * (counted.low + counted.high), edges, weights=counted.networks)[0] / counted.live
    hatch = {"hatch": "////", "edgecolor": GREY} if counted.live < words.FEWEST else {}
    label = f"share per bin of {width:.3g}" + (f", fewer than {words.FEWEST} networks" if hatch else "")
    handles: list[Any] = [
        ax.bar(edges[:-1], share, width, align="edge", color=_SHARES, alpha=0.45, linewidth=0, label=label, **hatch)
    ]
    top = float(share.max())
    handles += _dead_bar(ax, counted, width, top)
    twin = ax.twinx()
    twin.set_ylabel("share with a larger gain")
    handles += _survival(twin, counted)
    if law is not None:
        handles += _exact(ax, twin, law, edges)
    ax.set_ylim(0.0, 1.45 * top)
    handles += _marks(ax, row)
    twin.set_yscale("log")
    twin.set_ylim(min(0.3 / counted.live, 0.03), 1.8)
    return handles


def bar_edges(counted: Counted) -> Array:
    """Edges of bars of equal width, whole numbers of stored bins: by the rule of Freedman and Diaconis (1981)."""
    cumulative = np.cumsum(counted.networks) / counted.live
    q25, q75 = (counted.low[np.searchsorted(cumulative, share)] for share in (0.25, 0.75))
    first, last = round(counted.low[0] / BIN_WIDTH), round(counted.high[-1] / BIN_WIDTH)
    wanted = max(2.0 * (q75 - q25) / counted.live ** (1 / 3) / BIN_WIDTH, (last - first) / _MOST_BARS, 1.0)
    step = int(np.ceil(wanted))
    bars = -(-(last - first) // step)
    return np.asarray((first + step * np.arange(bars + 1)) * BIN_WIDTH, np.float64)


def _dead_bar(ax: Axes, counted: Counted, width: float, top: float) -> list[Any]:
    """A bar left of the others for the share of dead networks; taller ones are cut, with the number on them."""
    if not counted.dead:
        return []
    share = counted.dead / counted.total
    left = float(counted.low[0]) if counted.live else 0.0
    span = float(counted.high[-1] - left) if counted.live else 1.0
    place = left - 0.12 * max(span, 4 * width) if counted.live else -0.75
    bar = ax.bar(
        place, min(share, 1.3 * top), max(width, 0.03 * span), color="0.55", hatch="xx", edgecolor="white",
        linewidth=0, label=f"dead: {100 * share:.3g} % of all networks",
    )  # fmt: skip
    ax.annotate(
        f"dead {share:.3g}", (place, min(share, 1.3 * top)), xytext=(0, 2), textcoords="offset points", ha="center",
        fontsize="x-small", color="0.3",
    )  # fmt: skip
    return [bar]


def _survival(twin: Axes, counted: Counted) -> list[Any]:
    x, above = counted.survival()
    live = np.full(len(x), float(counted.live))
    low, high = intervals.of_proportion(above.astype(np.float64), live, 0.95)
    twin.fill_between(x, low, high, color=_BEYOND, alpha=0.2, linewidth=0)
    marker = {"marker": "."} if len(x) < 12 else {}
    (line,) = twin.plot(x, above / counted.live, color=_BEYOND, label="share with a larger gain", **marker)
    return [line]


def _exact(ax: Axes, twin: Axes, law: GainLaw, edges: Array) -> list[Any]:
    x = np.linspace(edges[0], edges[-1], _CURVE)
    width = edges[1] - edges[0]
    share = law.cdf(x + 0.5 * width) - law.cdf(x - 0.5 * width)  # of a bar around x
    (bars,) = ax.plot(x, share, color=INK, linewidth=1.0, label="exact law")
    (beyond,) = twin.plot(x, law.sf(x), color=INK, linewidth=1.0, linestyle="--", label="exact, larger gain")
    return [bars, beyond]


def _marks(ax: Axes, row: pd.Series) -> list[Any]:
    """The gains within a decade of the norm, quantiles, and mean and standard deviation."""
    near = ax.axvspan(
        -DECADE, DECADE, color=OKABE_ITO[2], alpha=0.12, linewidth=0, zorder=0,
        label=f"within a decade: {row['live_share']:.3g} [{row['live_share_low']:.3g}, {row['live_share_high']:.3g}]",
    )  # fmt: skip
    handles: list[Any] = [near]
    across = ax.get_xaxis_transform()
    if np.isfinite([row["q05"], row["q95"]]).all():
        label = f"q05–q95: {row['q05']:.3g} to {row['q95']:.3g}"
        handles += ax.plot([row["q05"], row["q95"]], [0.95, 0.95], "|-", color=INK, transform=across, label=label)
    if np.isfinite(row["std"]):
        mean = float(row["quenched_log_gain"])
        label = f"mean {mean:.3g}, std {row['std']:.3g} [{row['std_low']:.3g}, {row['std_high']:.3g}]"
        bar = ax.errorbar(
            [mean],
            [0.87],
            xerr=float(row["std"]),
            transform=across,
            fmt="o",
            color=OKABE_ITO[3],
            capsize=3,
            label=label,
        )
        handles.append(bar)
    return handles


def _caption(run: Run, row: pd.Series, counted: Counted, law: GainLaw | None, *, chosen: bool) -> list[str]:
    said = [words.networks_sentence([counted.total], run.sweep.seed)]
    if chosen and len(run.cells()) > 1:
        said.append(f"The cell, of {len(run.cells())}, whose median gain is nearest to 1.")
    said.append("95 % intervals: Wilson's for shares, Bonett's for std.")
    if counted.nonfinite:
        said.append(f"{counted.nonfinite:,} networks are not finite.")
    if law is not None and counted.live:
        said.append(f"Exact: mean {law.mean:.3g}, std {law.std:.3g}, dead {law.dead_fraction:.3g}.")
    elif counted.live:
        said.append("No exact law is known here.")
    return said + (["The law has two humps."] if bool(row["two_humps"]) else [])
