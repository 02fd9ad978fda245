"""Lesson: the gradient of every neuron, on a drawing of the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gradsim.lessons.images import load_images
from gradsim.lessons.lesson import Finding, Lesson, Settings, Tables, watched, within
from gradsim.lessons.texts.bars import TEXTS
from gradsim.report import style
from gradsim.report.languages import Words
from gradsim.theory import mean_field
from gradsim.training import Recipe, draw_starts, trainer_for
from gradsim_core.training.layout import views

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DEPTHS = (2, 4)
SHOWN = 10
"""Neurons of each hidden layer that the drawing shows."""


def bars(networks: int = 200, seed: int = 1) -> pd.DataFrame:
    """Measure dC/db of every neuron of the hidden layers of random, untrained sigmoid networks.

    Networks 784-30-30-10 and 784-30-30-30-30-10, W ~ N(0, 1/fan_in), b ~ N(0, 1), cross-entropy, averaged over 1,000
    MNIST images.

    Returns
    -------
    DataFrame
        A row per (hidden, replica, layer, neuron): gradient = dC/db.
    """
    with watched("bars", seed) as settings:
        return _measure(networks, settings)["bars"]


def _measure(networks: int, settings: Settings) -> Tables:
    data, frames = load_images(), []
    for hidden in DEPTHS:
        recipe = Recipe(hidden=(30,) * hidden, epochs=0, replicas=networks, seed=settings.seed)
        trainer = trainer_for(recipe, data)
        flat = trainer.data(data.images, data.targets)
        for replica, parameters in enumerate(draw_starts(recipe, data, trainer)):
            gradient, _, _ = trainer.gradient(parameters, flat)
            for layer, (_, biases, _) in enumerate(views(trainer.network, gradient)[:-1], start=1):
                columns = {"hidden": hidden, "replica": replica, "layer": layer, "neuron": np.arange(len(biases))}
                frames.append(pd.DataFrame(columns | {"gradient": biases.astype(np.float64)}))
            settings.report(1 / (networks * len(DEPTHS)))
    return {"bars": pd.concat(frames, ignore_index=True)}


def lengths(table: pd.DataFrame, hidden: int) -> pd.DataFrame:
    """Return the length of dC/db of networks with this many hidden layers: a row per replica, a column per layer."""
    chosen = table[table["hidden"] == hidden]
    squares = (chosen["gradient"] ** 2).groupby([chosen["replica"], chosen["layer"]]).sum()
    wide: pd.DataFrame = np.sqrt(squares).unstack()
    return wide


def _find(tables: Tables) -> list[Finding]:
    table = tables["bars"]
    two = lengths(table, 2)
    ratio, faster = (two[2] / two[1]).median(), (two[2] > two[1]).mean()
    factor = mean_field("sigmoid", sigma_w=1.0, sigma_b=1.0).chi_1 ** -0.5
    four = lengths(table, 4)
    ordered = (four.diff(axis=1).iloc[:, 1:] > 0).all(axis=1).mean()
    return [
        Finding("faster", "> 99%", f"{faster:.1%}", bool(faster > 0.99)),
        within("ratio", f"{factor:.2f}", ratio, 0.85 * factor, 1.15 * factor, "{:.2f}"),
        Finding("ordered", "> 99%", f"{ordered:.1%}", bool(ordered > 0.99)),
    ]


def _draw(tables: Tables, words: Words) -> dict[str, Figure]:
    table = tables["bars"]
    drawn = {f"network_{hidden}": _network(table, hidden, words) for hidden in DEPTHS}
    return drawn | {"neurons": _neurons(table, words)}


def _network(table: pd.DataFrame, hidden: int, words: Words) -> Figure:
    """Draw network 0: a bar in every neuron, as long as its gradient."""
    chosen = table[(table["hidden"] == hidden) & (table["replica"] == 0)]
    size = chosen.pivot(index="neuron", columns="layer", values="gradient").abs().iloc[:SHOWN]
    longest = size.to_numpy().max()
    panel = style.axes(4.4)
    places = [1.0 * column for column in range(hidden + 2)]
    heights = [np.linspace(0, 1, count) for count in (8, *[SHOWN] * hidden, 10)]
    for left, right, below, above in zip(places, places[1:], heights, heights[1:], strict=False):
        for y in below:
            for z in above:
                panel.plot([left, right], [y, z], color=style.FAINT, linewidth=0.25, zorder=1)
    for place, column in zip(places, heights, strict=True):
        panel.scatter(
            [place] * len(column), column, s=70, color="white", edgecolors=style.INK, linewidths=0.7, zorder=2
        )
    for layer in map(int, size.columns):
        colour = style.COLOURS[layer - 1]
        scaled = 0.62 * size[layer].to_numpy() / longest
        panel.barh(heights[layer], scaled, height=0.045, left=places[layer] + 0.11, color=colour, zorder=3)
    names = [words("input"), *(words("layer", number=layer) for layer in size.columns), words("output")]
    panel.set(xlim=(-0.35, places[-1] + 0.35), ylim=(-0.06, 1.06), yticks=[], xticks=places, xticklabels=names)
    panel.tick_params(length=0)
    panel.grid(False)
    panel.spines[:].set_visible(False)
    return style.figure_of(panel)


def _neurons(table: pd.DataFrame, words: Words) -> Figure:
    """Draw the distribution of |dC/db| over all neurons of all networks, by layer."""
    panel = style.axes()
    chosen = table[table["hidden"] == max(DEPTHS)]
    bins = np.geomspace(1e-7, 1, 60)
    for layer, neurons in chosen.groupby("layer"):
        panel.hist(neurons["gradient"].abs(), bins, histtype="step", linewidth=1.6,
                   color=style.COLOURS[int(str(layer)) - 1], label=words("layer", number=layer))  # fmt: skip
    panel.set(xscale="log", xlabel=words("gradient"), ylabel=words("neurons"), yticks=[], xlim=(1e-7, 1))
    panel.legend(loc="upper left")
    return style.figure_of(panel)


LESSON = Lesson("bars", lambda settings: _measure(settings.choose(200, 100), settings), _draw, _find, TEXTS)
