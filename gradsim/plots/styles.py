"""Sizes and settings of pictures as journals take them, axes to draw on, and files.

matplotlib's settings are global, so one thread draws at a time (`gradsim.report.style`). Figures use the Agg canvas and
no pyplot state: they may be drawn in any thread and without a display.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from gradsim.errors import SweepError, suggestion
from gradsim.report import style as report_style
from gradsim.runs.placement import checked_path
from gradsim.system import filesystem

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZES = {"single": (3.4, 2.6), "double": (7.0, 4.2)}
"""Width and height in inches of a figure that takes one column of a page, or two."""

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
"""Colours that the colour-blind tell apart (Okabe and Ito 2008, jfly.uni-koeln.de/color)."""

FORMATS = ("png", "svg", "pdf")
INK, GREY = "#1a1a1a", "#7f7f7f"
_CURRENT: ContextVar[str | None] = ContextVar("style", default=None)
_CAPTIONS: ContextVar[bool | None] = ContextVar("captions", default=None)
_MADE: WeakKeyDictionary[Figure, str] = WeakKeyDictionary()


@contextmanager
def style(name: str = "single", captions: bool | None = None) -> Iterator[None]:
    """Draw inside with the settings of a journal's column, whatever the user has set.

    Parameters
    ----------
    name : {"single", "double"}
        One column, 3.4 inches wide with text of 8 points, or two, 7 inches with text of 9.
    captions
        Whether to write captions below pictures: networks, seed, intervals, what is missing. By default below those
        of figures made here, since axes of the user may have no room; `caption` returns them always.

    Raises
    ------
    SweepError
        For another name.
    PlotExtraMissingError
        If matplotlib is not installed.
    """
    if name not in SIZES:
        raise SweepError("style", name, f"one of {', '.join(SIZES)}", suggestion(name, SIZES))
    with report_style.own_settings(_settings(name)):
        tokens = _CURRENT.set(name), _CAPTIONS.set(captions)
        try:
            yield
        finally:
            _CURRENT.reset(tokens[0])
            _CAPTIONS.reset(tokens[1])


def _settings(name: str) -> dict[str, object]:
    report_style.check_extra("matplotlib")
    import matplotlib as mpl

    size = 8.0 if name == "single" else 9.0
    lines = dict.fromkeys(("axes.linewidth", "xtick.major.width", "ytick.major.width"), 0.7)
    return {
        "figure.figsize": SIZES[name], "figure.dpi": 200, "figure.constrained_layout.use": True, "font.size": size,
        "axes.titlesize": size, "axes.titlelocation": "left", "xtick.labelsize": size - 1, "ytick.labelsize": size - 1,
        "axes.prop_cycle": mpl.cycler(color=list(OKABE_ITO)), "axes.axisbelow": True, "lines.linewidth": 1.2,
        "lines.markersize": 4.0, "legend.frameon": False, "hatch.linewidth": 0.6, **lines,
    }  # fmt: skip


@contextmanager
def panel(ax: Axes | None) -> Iterator[Axes]:
    """Yield axes to draw on: the user's with the user's settings, else new ones in the current style or in "single".

    Text is never set by LaTeX, to which a name such as ``a_b`` would be mathematics.

    Raises
    ------
    SweepError
        If ``ax`` is something else.
    PlotExtraMissingError
        If matplotlib is not installed.
    """
    report_style.check_extra("matplotlib")
    if ax is not None:
        with report_style.changed_settings({"text.usetex": False}):
            yield check_axes(ax)
    elif _CURRENT.get():
        yield _new_axes()
    else:
        with style():
            yield _new_axes()


def check_axes(ax: Any) -> Axes:
    """Return matplotlib's Axes, or raise SweepError for anything else, such as an array of them."""
    from matplotlib.axes import Axes

    if not isinstance(ax, Axes):
        raise SweepError("ax", ax, "Axes of matplotlib", "Take one of those that figure.subplots() returns")
    return ax


def captions_shown(ax: Axes) -> bool:
    """Whether the caption is written below these axes."""
    wanted = _CAPTIONS.get()
    return is_own(ax) if wanted is None else wanted


def is_own(ax: Axes) -> bool:
    """Whether the axes are those of a figure that `panel` made."""
    return report_style.figure_of(ax) in _MADE


def _new_axes() -> Axes:
    import matplotlib as mpl

    width, height = mpl.rcParams["figure.figsize"]
    figure = report_style.figure(height, width)
    _MADE[figure] = str(_CURRENT.get())
    ax: Axes = figure.subplots()
    ax.tick_params(labelsize=mpl.rcParams["xtick.labelsize"])  # ticks are made when drawn, with the settings of then
    return ax


def save(picture: Axes | Figure, path: str | Path, dpi: float = 300) -> Path:
    """Write a picture as PNG, SVG or PDF; equal pictures give equal bytes.

    Parameters
    ----------
    picture
        Axes or a figure.
    path
        The file; its suffix selects the format. Folders are made, a file of that name is replaced.
    dpi
        Pixels per inch of a PNG, and of what is drawn in pixels in the others.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    SweepError
        For another suffix, or something that is no picture. Nothing is written.
    StorageError
        If the file cannot be written.
    """
    path, form = check_file(path)
    if not np.isreal(dpi) or not 10 <= dpi <= 2400:
        raise SweepError("dpi", dpi, "a number from 10 to 2400", "Write for example dpi=300")
    data = encode(picture, form, dpi)
    folder = filesystem.absolute(path).parent
    filesystem.make_dirs(folder)
    filesystem.replace(folder, path, data)
    return path


def check_file(path: str | Path) -> tuple[Path, str]:
    """Return a file that `save` may write, and its format.

    Raises SweepError or StorageError, so that it can be asked before a picture is drawn.
    """
    path = checked_path("path", path)
    form = path.suffix.lower().removeprefix(".")
    if form not in FORMATS:
        allowed = "a name that ends in .png, .svg or .pdf"
        raise SweepError("path", str(path), allowed, "Write for example phase.pdf")
    filesystem.check_writable(filesystem.absolute(path).parent)
    return path, form


def encode(picture: Axes | Figure, form: str, dpi: float = 300) -> bytes:
    """Return a picture as "png", "svg" or "pdf", in the style in which it was made."""
    report_style.check_extra("matplotlib")
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    if not isinstance(picture, (Axes, Figure)):
        raise SweepError("picture", picture, "Axes or a figure of matplotlib", "Give what a function of plots returns")
    figure = report_style.figure_of(picture) if isinstance(picture, Axes) else picture
    # Journals refuse Type 3 fonts, matplotlib's default in PDF.
    forms = {"pdf.fonttype": 42, "svg.hashsalt": "gradsim", "savefig.facecolor": "auto"}
    with _as_made(figure), report_style.changed_settings(forms):
        return report_style.encode(figure, form, dpi)


@contextmanager
def _as_made(figure: Figure) -> Iterator[None]:
    if figure in _MADE:
        with style(_MADE[figure]):
            yield
    else:
        yield
