"""How pictures look: one size, readable on a phone, the same colours for the same layers.

A picture is 4.8 inches wide with text of 9 points or more, so that it can be read at 400 pixels; a page at 1280 shows
two side by side. Chinese text is drawn with the font that is shipped, which has just the characters in use.

matplotlib is an extra and is imported inside the functions; figures use the Agg canvas and no pyplot state, so that
they may be drawn in any thread and without a display.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module, resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gradsim.errors import GradsimError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT, DPI = 4.8, 3.4, 200
COLOURS = ("#d1495b", "#edae49", "#66a182", "#2e4057", "#8d6a9f", "#00798c", "#7f7f7f", "#b56576")
_DRAWING = threading.RLock()
INK, FAINT = "#1a1a1a", "#c8c8c8"


class PlotExtraMissingError(GradsimError, ImportError):
    """What draws pictures or writes pages is not installed, or cannot be imported."""

    exit_code = 2


def font_path() -> Path:
    """Return the path of the font for Chinese text, which is shipped."""
    return Path(str(resources.files("gradsim_data") / "fonts" / "han.otf"))


def check_extra(*packages: str) -> None:
    """Refuse to begin without the packages that draw pictures (matplotlib) or write pages (jinja2).

    Raises
    ------
    PlotExtraMissingError
        One is missing, or fails as it is imported: says how to install it, or what to correct.
    """
    for package in packages:
        try:
            _import(package)
        except ImportError as error:
            raise PlotExtraMissingError(
                f"{package} is not installed: pictures need matplotlib, and pages Jinja as well. "
                "Install both: pip install 'gradsim[plot]'."
            ) from error
        except Exception as error:  # such as a matplotlibrc that cannot be read
            raise PlotExtraMissingError(
                f"{package} cannot be imported: {error}. Correct or remove its settings (matplotlibrc)."
            ) from error


def _import(package: str) -> None:
    """Import a package. A backend that matplotlib does not know is no obstacle, since no picture here uses it."""
    if package in sys.modules or not os.environ.get("MPLBACKEND"):
        import_module(package)
        return
    backend = os.environ.pop("MPLBACKEND")
    try:
        module = import_module(package)
    finally:
        os.environ["MPLBACKEND"] = backend
    with suppress(AttributeError, ValueError):  # as matplotlib does when it is imported
        module.rcParams["backend"] = backend


@contextmanager
def changed_settings(settings: Mapping[str, object] | None = None) -> Iterator[None]:
    """Draw with the user's settings but for these.

    The user's settings are back afterwards. They are global to matplotlib, so one thread draws at a time.
    """
    check_extra("matplotlib")
    import matplotlib as mpl

    with _DRAWING, mpl.rc_context():
        mpl.rcParams.update(settings or {})
        yield


@contextmanager
def own_settings(settings: Mapping[str, object] | None = None) -> Iterator[None]:
    """Draw and save figures with matplotlib's defaults and these settings, whatever the user has set."""
    with changed_settings():
        import matplotlib as mpl

        mpl.rcdefaults()
        mpl.rcParams.update(settings or {})
        yield


@cache
def _han() -> str:
    from matplotlib import font_manager

    font_manager.fontManager.addfont(str(font_path()))
    return str(font_manager.FontProperties(fname=str(font_path())).get_name())


@contextmanager
def applied(lang: str) -> Iterator[None]:
    """Apply the style to figures made and saved inside; `lang` ("en", "zh") selects the fonts."""
    check_extra("matplotlib")
    import matplotlib as mpl

    settings = {
        "font.family": ["DejaVu Sans", _han()] if lang == "zh" else ["DejaVu Sans"],
        "font.size": 9.5, "axes.titlesize": 10, "axes.labelsize": 9.5, "xtick.labelsize": 9, "ytick.labelsize": 9,
        "legend.fontsize": 9, "legend.frameon": False, "axes.spines.top": False, "axes.spines.right": False,
        "axes.prop_cycle": mpl.cycler(color=list(COLOURS)), "svg.hashsalt": "gradsim", "lines.linewidth": 1.6,
        "axes.titlelocation": "left", "axes.edgecolor": INK, "axes.grid": True, "grid.color": "#ececec",
        "axes.axisbelow": True,
    }  # fmt: skip
    with own_settings(settings):
        yield


def figure(height: float = HEIGHT, width: float = WIDTH) -> Figure:
    """Return an empty figure; height and width in inches."""
    check_extra("matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    result = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(result)
    return result


def axes(height: float = HEIGHT) -> Axes:
    """Return the axes of a new figure with one panel; height in inches."""
    return figure(height).subplots()


def figure_of(panel: Axes) -> Figure:
    """Return the figure that a panel belongs to."""
    from matplotlib.figure import Figure

    whole = panel.get_figure()
    assert isinstance(whole, Figure)
    return whole


def bands(frame: pd.DataFrame, by: str | list[str], value: str) -> pd.DataFrame:
    """Return quantiles 5 %, 50 % and 95 % of a column over replicas: columns low, median, high.

    A replica whose numbers have overflowed is never left out: NaN counts as larger than all others.
    """
    counted = frame.assign(**{value: frame[value].fillna(np.inf)})
    quantiles = counted.groupby(by, sort=True)[value].quantile(np.array([0.05, 0.5, 0.95])).unstack().fillna(np.inf)
    quantiles.columns = pd.Index(["low", "median", "high"])
    return quantiles


def curve(panel: Axes, band: pd.DataFrame, colour: str, label: str, **options: object) -> None:
    """Draw the median and the 5-95 % band of `bands` against their index."""
    x = band.index.to_numpy(np.float64)
    panel.fill_between(x, band["low"], band["high"], color=colour, alpha=0.2, linewidth=0)
    panel.plot(x, band["median"], color=colour, label=label, **options)


_DATED = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


def encode(picture: Figure, form: str, dpi: float = DPI) -> bytes:
    """Return a figure as "png", "svg" or "pdf"; equal figures give equal bytes."""
    out = io.BytesIO()
    picture.savefig(out, format=form, dpi=dpi, metadata=_DATED[form])
    return out.getvalue()
