"""Lesson: more hidden layers, yet a worse classifier."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from gradsim.lessons import pictures
from gradsim.lessons.depth_hurts_texts import TEXTS
from gradsim.lessons.images import load_images
from gradsim.lessons.lesson import Finding, Lesson, Settings, Tables, Words, watched
from gradsim.training import Recipe, train

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACTIVATIONS = ("sigmoid", "tanh", "relu")
WAYS = {"full": (None, 0.2), "mini": (10, 0.1)}
"""Batch size and eta of the two ways to train."""
MOST = 5


def depth_hurts(replicas: int = 16, seed: int = 1, threads: int | None = None) -> pd.DataFrame:
    """Train networks 784-30-…-30-10 with one to five hidden layers alike, and compare how well they learn.

    Cross-entropy, W ~ N(0, 1/fan_in), b ~ N(0, 1), 1,000 MNIST images; whole batches (1,000 epochs, eta 0.2) and
    mini-batches of 10 (60 epochs, eta 0.1); sigmoid, tanh and relu.

    Returns
    -------
    DataFrame
        A row per (activation, way, hidden, replica, epoch): cost, and error, the share of wrong answers.
    """
    with watched("depth-hurts", seed, threads) as settings:
        return _measure(settings, replicas, MOST)["training"]


def _measure(settings: Settings, replicas: int, most: int) -> Tables:
    epochs = {"full": settings.choose(1000, 60), "mini": settings.choose(60, 30)}
    activations = ACTIVATIONS[: settings.choose(3, 1)]
    depths = range(1, most + 1)
    total = len(activations) * len(depths) * sum(epochs.values()) * replicas
    frames = []
    for activation in activations:
        for way, (batch, eta) in WAYS.items():
            for hidden in depths:
                recipe = Recipe(hidden=(30,) * hidden, activation=activation, epochs=epochs[way], batch=batch, eta=eta,
                                replicas=replicas, seed=settings.seed)  # fmt: skip
                trained = train(recipe, load_images(), threads=settings.threads, report=settings.epochs(total))
                frames.append(trained.history.assign(activation=activation, way=way, hidden=hidden))
    return {"training": pd.concat(frames, ignore_index=True)}


def ends(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the last epoch of each way to train."""
    return table[table["epoch"] == table.groupby("way")["epoch"].transform("max")]


def prior_cost(classes: int = 10) -> float:
    """Cost of outputs that say of every image just how often each class occurs: classes H(1 / classes), in nats."""
    p = 1 / classes
    return -classes * (p * math.log(p) + (1 - p) * math.log(1 - p))


def _find(tables: Tables) -> list[Finding]:
    last = ends(tables["training"]).groupby(["activation", "way", "hidden"])[["cost", "error"]].median()
    deepest = last.index.get_level_values("hidden").max()
    findings = []
    for activation, way in dict.fromkeys(index[:2] for index in last.index):
        one, many = (last.loc[(activation, way, hidden), "error"] for hidden in (1, deepest))
        vanishing = activation == "sigmoid"
        holds = many > 2 * one if vanishing else many < last.loc[("sigmoid", way, deepest), "error"] + 1e-9
        findings.append(
            Finding(f"{activation}.{way}", "> 2" if vanishing else "≤ sigmoid", f"{one:.1%} → {many:.1%}", holds)
        )
    stuck = last.loc[("sigmoid", "mini", deepest), "cost"]
    findings.append(Finding("prior", f"{prior_cost():.4f}", f"{stuck:.4f}", abs(stuck - prior_cost()) < 0.05))
    return findings


def _draw(tables: Tables, words: Words) -> dict[str, Figure]:
    table, drawn = tables["training"], {}
    final = ends(table)
    for way in WAYS:
        panel = pictures.axes()
        for number, activation in enumerate(final["activation"].unique()):
            chosen = final[(final["way"] == way) & (final["activation"] == activation)]
            pictures.curve(panel, 100 * pictures.bands(chosen, "hidden", "error"), pictures.COLOURS[number], activation,
                           marker="o")  # fmt: skip
        hidden = sorted(final["hidden"].unique())
        panel.set(xlabel=words("hidden"), ylabel=words("error"), ylim=(0, 100), xticks=hidden)
        panel.set_title(words(way))
        panel.legend(loc="upper left")
        drawn[f"error_{way}"] = pictures.of(panel)
    for activation in table["activation"].unique():
        drawn[f"cost_{activation}"] = _costs(table[table["activation"] == activation], words)
    return drawn


def _costs(table: pd.DataFrame, words: Words) -> Figure:
    whole = pictures.figure(6)
    for panel, way in zip(whole.subplots(2, 1), WAYS, strict=True):
        chosen = table[table["way"] == way]
        for hidden in sorted(chosen["hidden"].unique()):
            band = pictures.bands(chosen[chosen["hidden"] == hidden], "epoch", "cost")
            pictures.curve(panel, band, pictures.COLOURS[hidden - 1], str(hidden))
        panel.axhline(prior_cost(), color=pictures.INK, linestyle="--", linewidth=1)
        panel.set(xlabel=words("epoch"), ylabel=words("cost"), yscale="log", ylim=(1e-3, 12))
        panel.set_title(f"{table['activation'].iloc[0]}, {words(way)}")
    handles, labels = panel.get_legend_handles_labels()
    whole.legend(handles, labels, title=words("hidden"), ncols=5, loc="outside lower center")
    return whole


def _show(tables: Tables, words: Words) -> Tables:
    final = ends(tables["training"])
    rows = (100 * final.groupby(["activation", "way", "hidden"])["error"].median()).unstack().round(1).reset_index()
    rows["way"] = [words(way) for way in rows["way"]]
    rows.columns = pd.Index([words("activation"), words("training"), *(str(one) for one in rows.columns[2:])])
    return {"errors": rows}


LESSON = Lesson(
    "depth-hurts",
    lambda settings: _measure(settings, settings.choose(16, 4), settings.choose(MOST, 4)),
    _draw,
    _find,
    TEXTS,
    _show,
)
