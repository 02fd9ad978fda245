"""Lesson: how fast each hidden layer would learn, before any training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gradsim.lessons.images import load_images
from gradsim.lessons.lesson import Finding, Lesson, Settings, Tables, watched
from gradsim.lessons.texts.speeds import TEXTS
from gradsim.report import style
from gradsim.report.languages import Words
from gradsim.theory import mean_field
from gradsim.training import Recipe, train

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DEPTHS = (2, 3, 4)
PUBLISHED = {
    2: (0.0657413, 0.309218),
    3: (0.0118382, 0.0599652, 0.283142),
    4: (0.00297527, 0.0170767, 0.0695392, 0.285139),
}
"""Lengths of dC/db, layer by layer, of one network of each depth.

Nielsen, Neural Networks and Deep Learning (2015), chapter 5.
"""


def speeds(networks: int = 1500, seed: int = 1, threads: int | None = None) -> pd.DataFrame:
    """Measure the length of dC/db of every hidden layer in random, untrained sigmoid networks.

    Networks 784-30-…-30-10 with 2, 3 and 4 hidden layers, W ~ N(0, 1/fan_in), b ~ N(0, 1), cross-entropy, the gradient
    averaged over 1,000 MNIST images.

    Returns
    -------
    DataFrame
        A row per (hidden, replica, layer): delta = |dC/db^l|, which is the length of the averaged delta^l.
    """
    with watched("speeds", seed, threads) as settings:
        return _measure(networks, settings)["speeds"]


def _measure(networks: int, settings: Settings) -> Tables:
    frames = []
    for hidden in DEPTHS:
        recipe = Recipe(hidden=(30,) * hidden, epochs=0, replicas=networks, seed=settings.seed)
        trained = train(recipe, load_images(), threads=settings.threads)
        frames.append(trained.layers[["replica", "layer", "delta"]].assign(hidden=hidden))
        settings.report(1 / len(DEPTHS))
    table = pd.concat(frames, ignore_index=True)
    return {"speeds": table[table["layer"] <= table["hidden"]].reset_index(drop=True)}


def growth(table: pd.DataFrame, hidden: int) -> pd.Series:
    """Return the growth per layer of each network: (|delta^L| / |delta^1|)^(1 / (L - 1)) over its hidden layers."""
    wide = table[table["hidden"] == hidden].pivot(index="replica", columns="layer", values="delta")
    return (wide[hidden] / wide[1]) ** (1 / (hidden - 1))


def _find(tables: Tables) -> list[Finding]:
    table, findings = tables["speeds"], []
    for hidden, published in PUBLISHED.items():
        for layer, value in enumerate(published, start=1):
            chosen = table[(table["hidden"] == hidden) & (table["layer"] == layer)]["delta"]
            low, high = chosen.quantile([0.05, 0.95])
            below, inside = (chosen < value).mean(), bool(low < value < high)
            band, place = f"{low:.3g} … {high:.3g}", f"{value:.3g} ({below:.0%})"
            findings.append(Finding(f"{hidden}.{layer}", band, place, inside, band))
    factors = growth(table, 4)
    low, middle, high = factors.quantile([0.05, 0.5, 0.95])
    theory = mean_field("sigmoid", sigma_w=1.0, sigma_b=1.0).chi_1 ** -0.5
    measured = f"{middle:.2f} ({low:.2f} … {high:.2f})"
    findings.append(
        Finding("growth", f"{theory:.2f}", measured, low < theory < high, f"{low:.2f} < {theory:.2f} < {high:.2f}")
    )
    return findings


def _draw(tables: Tables, words: Words) -> dict[str, Figure]:
    drawn = {f"speeds_{hidden}": _by_layer(tables["speeds"], hidden, words) for hidden in DEPTHS}
    panel = style.axes()
    bins = np.geomspace(3, 9, 40)
    for hidden, colour in zip(DEPTHS, style.COLOURS, strict=False):
        panel.hist(growth(tables["speeds"], hidden), bins, histtype="step", color=colour, density=True, linewidth=1.6,
                   label=words("hidden", count=hidden))  # fmt: skip
    theory = mean_field("sigmoid", sigma_w=1.0, sigma_b=1.0).chi_1 ** -0.5
    panel.axvline(theory, color=style.INK, linestyle="--", linewidth=1, label=words("theory", value=f"{theory:.2f}"))
    panel.set(xlabel=words("growth"), ylabel=words("density"), yticks=[])
    panel.legend()
    return drawn | {"growth": style.figure_of(panel)}


def _by_layer(table: pd.DataFrame, hidden: int, words: Words) -> Figure:
    chosen = table[table["hidden"] == hidden]
    panel = style.axes()
    values = [chosen[chosen["layer"] == layer]["delta"].to_numpy() for layer in range(1, hidden + 1)]
    parts = panel.violinplot([np.log10(lengths) for lengths in values], showextrema=False, widths=0.8)
    for body, colour in zip(parts["bodies"], style.COLOURS, strict=False):
        body.set(facecolor=colour, alpha=0.5)
    for layer, lengths in enumerate(values, start=1):
        low, high = np.log10(np.quantile(lengths, [0.05, 0.95]))
        panel.vlines(layer, low, high, color=style.INK, linewidth=2, label=words("band") if layer == 1 else None)
    panel.plot(range(1, hidden + 1), np.log10(PUBLISHED[hidden]), "D", color=style.INK, markerfacecolor="white",
               markersize=6, label=words("published"))  # fmt: skip
    ticks = np.arange(-4, 1)
    panel.set(xticks=range(1, hidden + 1), yticks=ticks, ylim=(-3.6, 0), xlabel=words("layer"), ylabel=words("length"))
    panel.set_yticklabels([f"$10^{{{tick}}}$" for tick in ticks])
    panel.set(ylim=(-3.6, 0))
    panel.set_title(words("hidden", count=hidden))
    panel.legend(loc="lower right")
    return style.figure_of(panel)


LESSON = Lesson("speeds", lambda settings: _measure(settings.choose(1500, 300), settings), _draw, _find, TEXTS)
