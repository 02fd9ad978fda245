"""Lesson: how fast each layer learns during training, and how far its weights move."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gradsim.lessons.images import load_images
from gradsim.lessons.lesson import Finding, Lesson, Settings, Tables, watched, within
from gradsim.lessons.texts.training_speeds import TEXTS
from gradsim.report import style
from gradsim.report.languages import Words
from gradsim.training import Recipe, Trained, train

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DEPTHS = (2, 3, 4)
L2 = 5.0
BINS = np.linspace(-4, 4, 65)


def training_speeds(replicas: int = 16, epochs: int = 500, seed: int = 1, threads: int | None = None) -> pd.DataFrame:
    """Measure the length of dC/db of every layer through full-batch gradient descent.

    Sigmoid networks with 2, 3 and 4 hidden layers of 30, cross-entropy, eta 0.1, lambda 5, 1,000 MNIST images.

    Returns
    -------
    DataFrame
        A row per (hidden, l2, replica, epoch, layer): delta = |dC/db|, weight_grad = |dC/dW|, moved = |W - W_0|/|W_0|.
        The last layer is the output. With four hidden layers also l2 = 0, where only learning moves the weights.
    """
    with watched("training-speeds", seed, threads) as settings:
        return _measure(settings, replicas, epochs)["lengths"]


def _measure(settings: Settings, replicas: int, epochs: int) -> Tables:
    runs = [*((hidden, L2) for hidden in DEPTHS), (max(DEPTHS), 0.0)]
    total, frames, weights = len(runs) * replicas * epochs, [], pd.DataFrame()
    for hidden, l2 in runs:
        recipe = Recipe(hidden=(30,) * hidden, epochs=epochs, eta=0.1, l2=l2, replicas=replicas, seed=settings.seed)
        trained = train(recipe, load_images(), threads=settings.threads, report=settings.epochs(total))
        frames.append(trained.layers.assign(hidden=hidden, l2=l2))
        weights = _histograms(trained)
    return {"lengths": pd.concat(frames, ignore_index=True), "weights": weights}


def _histograms(trained: Trained) -> pd.DataFrame:
    """Count sqrt(fan_in) W of the first and the last layer of all replicas, before and after: N(0, 1) at the start."""
    frames = []
    for when, replicas in (("before", trained.starts), ("after", trained.ends)):
        for layer in (1, len(replicas[0])):
            fan_in = replicas[0][layer - 1].shape[1]
            values = np.concatenate([weights[layer - 1].ravel() for weights in replicas]) * np.sqrt(fan_in)
            counts, _ = np.histogram(values, BINS)
            columns = {"when": when, "layer": layer, "low": BINS[:-1], "high": BINS[1:], "weights": counts}
            frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def ratio(table: pd.DataFrame, hidden: int) -> pd.DataFrame:
    """Return the last hidden layer's length of dC/db over the first's: columns replica, epoch, ratio."""
    chosen = table[(table["hidden"] == hidden) & (table["l2"] == L2)]
    wide = chosen.pivot(index=["replica", "epoch"], columns="layer", values="delta")
    return (wide[hidden] / wide[1]).rename("ratio").reset_index()


def convergence(table: pd.DataFrame) -> pd.DataFrame:
    """Return how far each layer's weights moved without L2, and the epochs to 90 % of that: medians over replicas."""
    chosen = table[table["l2"] == 0]
    wide = chosen.pivot(index=["replica", "layer"], columns="epoch", values="moved")
    final = wide.iloc[:, -1]
    epochs = wide.ge(0.9 * final, axis=0).idxmax(axis=1).astype(float)
    return pd.DataFrame({"moved": final, "epochs": epochs}).groupby("layer").median().reset_index()


def _find(tables: Tables) -> list[Finding]:
    table = tables["lengths"]
    factors = ratio(table, 4)
    start = factors[factors["epoch"] == 0]["ratio"].median()
    whole = factors.groupby("replica")["ratio"].median().median()
    moved = convergence(table).set_index("layer")["moved"]
    last = moved.index.max()
    return [
        within("start", "82 … 185", start, 70, 215, "{:.0f}"),
        within("whole", "≈ 100", whole, 30, 300, "{:.0f}"),
        within("moved", "≫ 1", moved[last] / moved[1], 5, inf, "{:.0f}"),
        within("start_stays", "≈ 0", moved[1], -inf, 0.1, "{:.3f}"),
    ]


def _draw(tables: Tables, words: Words) -> dict[str, Figure]:
    table, drawn = tables["lengths"], {}
    for hidden in DEPTHS:
        panel = style.axes()
        _curves(
            panel, table[(table["hidden"] == hidden) & (table["l2"] == L2) & (table["layer"] <= hidden)], "delta", words
        )
        panel.set(xlabel=words("epoch"), ylabel=words("length"), yscale="log", ylim=(2e-6, 2))
        panel.set_title(words("hidden", count=hidden))
        panel.legend(ncols=2, loc="upper right")
        drawn[f"lengths_{hidden}"] = style.figure_of(panel)
    panel = style.axes()
    style.curve(panel, style.bands(ratio(table, 4), "epoch", "ratio"), style.COLOURS[3], words("ratio"))
    panel.axhline(100, color=style.INK, linestyle="--", linewidth=1)
    panel.set(xlabel=words("epoch"), ylabel=words("ratio"), yscale="log", ylim=(10, 1000))
    drawn["ratio"] = style.figure_of(panel)
    panel = style.axes()
    _curves(panel, table[table["l2"] == 0], "moved", words)
    panel.set(xlabel=words("epoch"), ylabel=words("moved"), yscale="log", ylim=(1e-5, 10))
    panel.legend(ncols=2, loc="lower right")
    drawn["moved"] = style.figure_of(panel)
    return drawn | {"weights": _weights(tables["weights"], words)}


def _curves(panel: Axes, table: pd.DataFrame, value: str, words: Words) -> None:
    last = table["layer"].max()
    for layer in range(1, last + 1):
        name = words("output") if value == "moved" and layer == last else words("layer", number=layer)
        band = style.bands(table[table["layer"] == layer], "epoch", value)
        style.curve(panel, band, style.COLOURS[layer - 1], name)


def _weights(table: pd.DataFrame, words: Words) -> Figure:
    whole = style.figure(4.8)
    for panel, layer in zip(whole.subplots(2, 1, sharex=True), sorted(table["layer"].unique()), strict=True):
        for when, colour in (("before", style.INK), ("after", style.COLOURS[layer - 1])):
            bins = table[(table["layer"] == layer) & (table["when"] == when)]
            edges = [*bins["low"], bins["high"].iloc[-1]]
            panel.stairs(bins["weights"] / bins["weights"].sum(), edges, color=colour, label=words(when), linewidth=1.6)
        panel.set(yticks=[], ylabel=words("share"))
        panel.set_title(words("layer", number=1) if layer == 1 else words("output"))
        panel.legend(loc="upper right")
    panel.set_xlabel(words("weight"))
    return whole


def _show(tables: Tables, words: Words) -> Tables:
    table = convergence(tables["lengths"])
    last = table["layer"].max()
    table["layer"] = [words("output") if layer == last else words("layer", number=layer) for layer in table["layer"]]
    table.columns = pd.Index([words("which"), words("moved"), words("to90")])
    return {"convergence": table}


LESSON = Lesson(
    "training-speeds",
    lambda settings: _measure(settings, settings.choose(16, 6), settings.choose(500, 80)),
    _draw,
    _find,
    TEXTS,
    _show,
)
