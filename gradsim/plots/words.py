"""The words of pictures: names as they are, what cells have in common, titles, legends and captions."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gradsim.plots.styles import GREY, captions_shown, check_axes, is_own
from gradsim.report.style import figure_of
from gradsim.sweep.cells import NETWORK_AXES
from gradsim.system.streams import counted, printable
from gradsim_core.architectures import PLAIN

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEWEST = 100
"""Live networks below which an estimate is hatched: an interval of a quantile at 5 % is open or as wide as the law."""

_ORDER = (*NETWORK_AXES, "activation", "width", "law", "sigma_b", "sigma_w", "depth")
_DEFAULTS: dict[str, Any] = {"law": "gaussian", "sigma_b": 0.0, **PLAIN._asdict(), "branch_scale": "1"}
_PHRASES: dict[str, Callable[[Any], str]] = {
    "inputs": lambda value: f"{value} inputs",
    "input_correlation": lambda value: f"correlation {value:.4g}",
    "normalisation": lambda value: "no norm" if value == "none" else f"{value} norm",
    "placement": str,
    "branch_scale": lambda value: f"branches times {value}",
    "heads": lambda value: f"{value} head{'s' * int(value != 1)}",
    "causal": lambda value: "causal" if value else "not causal",
    "scores": lambda value: f"scores times {value}",
    "gated": lambda value: "gated" if value else "not gated",
    "expansion": lambda value: f"expansion {value:.4g}",
    "preset": str,
    "cost": lambda value: f"{value} cost",
    "outputs": lambda value: f"{value} outputs",
    "input_length": lambda value: f"inputs of length {value}",
    "input_file": lambda value: f"inputs from file {value}",
    "layers": lambda value: f"layers {value}",
    "differences": lambda value: "differences of inputs" if value else "inputs as they are",
    "taps": lambda value: f"{value} taps",
    "embedding": lambda value: "no embedding" if value == "none" else f"{value} embedding",
    "vocabulary": lambda value: f"{value:,} tokens",
    "sigma_embedding": lambda value: f"σ_E {value:.4g}",
}
_MOST_SENTENCES = 3
_CAPTION = "caption"
_TIED = "\u00a0"  # a space at which no line ends
_LETTER = 0.56  # width of a letter over the size of its font
_DOLLAR = "\ue000"  # stands for an escaped $ while lines are broken: they must not break before the $


def literal(text: object) -> str:
    """Return text as matplotlib shows it as it is: control characters escaped, and no $ that begins mathematics."""
    return printable(str(text), keep="").replace("$", r"\$")


def phrase(axis: str, value: Any) -> str:
    """Return one parameter in words."""
    if axis in ("activation", "law", "architecture"):
        return literal(value)
    if axis in _PHRASES:
        return literal(_PHRASES[axis](value))
    if axis in ("width", "depth"):
        return f"{axis}{_TIED}{value}"
    return f"$\\sigma_{axis[-1]}${_TIED}={_TIED}{value:.4g}"


def title_of(group: Mapping[Any, Any]) -> str:
    """Return parameters in words; law and biases only where they are not the default."""
    shown = [name for name in _ORDER if name in group and group[name] != _DEFAULTS.get(name)]
    return ", ".join(phrase(name, group[name]) for name in shown)


def told_apart(cells: pd.DataFrame) -> tuple[str, list[str]]:
    """Return what cells have in common, in words, and of each what tells it apart."""
    known = [name for name in _ORDER if name in cells]
    varying = [name for name in known if cells[name].nunique() > 1]
    same = {name: cells[name].iloc[0] for name in known if name not in varying}
    return title_of(same), [", ".join(phrase(name, row[name]) for name in varying) for _, row in cells.iterrows()]


def networks_sentence(counts: Iterable[int], seed: int) -> str:
    """Return how many networks a cell has, and the seed."""
    known = np.asarray(list(counts), np.int64)
    least, most = (int(known.min()), int(known.max())) if known.size else (0, 0)
    number = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    return f"n{_TIED}={_TIED}{number} network{'s' * (most != 1)} a cell, seed {seed}."


def sentences_of(reasons: Iterable[str | None]) -> list[str]:
    """Return each sentence once, escaped; at most three, and how many others there are."""
    known = [literal(reason) for reason in dict.fromkeys(reasons) if isinstance(reason, str)]
    more = len(known) - _MOST_SENTENCES
    return known if more <= 0 else [*known[:_MOST_SENTENCES], f"And {counted(more, 'further reason')}."]


def set_title(ax: Axes, text: str) -> None:
    """Write the title, in as many lines as it needs."""
    _grow(ax, _points() * 1.2 * (_lines(ax, text, 1.0) - 1))
    ax.set_title(_wrapped(ax, text, 1.0))


def set_foot(ax: Axes, sentences: Sequence[str], handles: Sequence[Any] | None = None) -> None:
    """Write the legend below the axes, and the caption below it; figures of our own grow by as much.

    Parameters
    ----------
    sentences
        Of the caption.
    handles
        Of the legend, with labels; by default those of the axes.
    """
    from matplotlib.transforms import offset_copy

    found = ax.get_legend_handles_labels()[0] if handles is None else handles
    named = {handle.get_label(): handle for handle in found}
    labels = {label: _wrapped(ax, label, 0.833, 6) for label in named}
    below: Any = ax.xaxis.label
    if named:
        longest = max(len(line) for label in labels.values() for line in _plain(label).splitlines())
        columns = int(np.clip(_letters(ax, 0.833) // (longest + 6), 1, len(named)))
        anchor = offset_copy(ax.transAxes, figure_of(ax), y=-2.4 * _points() - 11.0, units="points")
        below = ax.legend(
            named.values(), labels.values(), loc="upper left", bbox_to_anchor=(0.0, 0.0), bbox_transform=anchor,
            borderaxespad=0.0, ncols=columns, fontsize="small", frameon=False, borderpad=0.0, columnspacing=1.2,
        )  # fmt: skip
        lines = sum(label.count("\n") + 1 for label in labels.values()) / columns
        _grow(ax, _points() * 0.833 * 1.5 * (lines + 0.5))
    text = _wrapped(ax, " ".join(sentences), 0.75)
    if text:
        ax.annotate(
            text, (0.0, 0.0), xycoords=("axes fraction", below), xytext=(0.0, -5.0), textcoords="offset points",
            va="top", ha="left", fontsize=0.75 * _points(), color="0.35", annotation_clip=False, gid=_CAPTION,
            visible=captions_shown(ax),
        )  # fmt: skip
    if text and captions_shown(ax):
        _grow(ax, _points() * 0.75 * 1.25 * (text.count("\n") + 1) + 5.0)


def caption(ax: Axes) -> str:
    """Return the caption of a picture as plain text, for where the figure is printed; "" if there is none.

    Parameters
    ----------
    ax
        What a function of `gradsim.plots` returned.

    Raises
    ------
    SweepError
        If ``ax`` is no Axes.
    """
    found = [text.get_text() for text in check_axes(ax).texts if text.get_gid() == _CAPTION]
    return " ".join(found).replace("\n", " ").replace(r"\$", "$")


def interval_sentence(level: float) -> str:
    """Return the sentence on the intervals of boundaries."""
    return f"Intervals: {100 * level:.3g}{_TIED}%, percentiles of 1,000 redrawn monotone fits."


def say_inside(ax: Axes, text: str) -> None:
    """Write what is missing into axes without data."""
    ax.text(
        0.5, 0.6, _wrapped(ax, text, 1.0, 4), transform=ax.transAxes, ha="center", va="center", color=GREY,
        gid="missing",
    )  # fmt: skip


def _points() -> float:
    """Size of the text in points."""
    import matplotlib as mpl

    return float(mpl.rcParams["font.size"])


def _letters(ax: Axes, scale: float, margin: int = 0) -> int:
    """Letters that fit into a line as wide as the axes."""
    inches = ax.get_position(original=True).width * figure_of(ax).get_figwidth()
    return max(12, int(inches * 72.0 / (_LETTER * scale * _points())) - margin)


def _wrapped(ax: Axes, text: str, scale: float, margin: int = 0) -> str:
    joined = text.replace(r"\$", _DOLLAR)
    lines = textwrap.wrap(joined, _letters(ax, scale, margin), break_on_hyphens=False)
    return "\n".join(lines).replace(_DOLLAR, r"\$")


def _lines(ax: Axes, text: str, scale: float) -> int:
    return _wrapped(ax, text, scale).count("\n") + 1


def _plain(text: str) -> str:
    """The text about as long as it is drawn."""
    return text.replace("\\sigma_", "s").replace("\\chi_", "c").replace("\\xi_", "x").replace("$", "")


def _grow(ax: Axes, points: float) -> None:
    """Make a figure of our own taller, so that its axes stay as large as they are."""
    if is_own(ax):
        whole = figure_of(ax)
        whole.set_figheight(whole.get_figheight() + points / 72.0)
