"""Lesson: more hidden layers, yet a worse classifier."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from gradsim.lessons.images import load_images
from gradsim.lessons.lesson import Finding, Lesson, Settings, Tables, watched, within
from gradsim.lessons.texts.depth_hurts import TEXTS
from gradsim.report import style
from gradsim.report.languages import Words
from gradsim.training import Recipe, train

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACTIVATIONS = ("sigmoid", "tanh", "relu")
SCHEMES = {"full": (None, 0.2), "mini": (10, 0.1)}
"""Batch size and eta of each training scheme: whole batches, and mini-batches."""
DEEPEST = 5
"""Hidden layers of the deepest networks."""


def depth_hurts(replicas: int = 16, seed: int = 1, threads: int | None = None) -> pd.DataFrame:
    """Train networks 784-30-…-30-10 with one to five hidden layers in the same way, and compare how well they learn.

    Cross-entropy, W ~ N(0, 1/fan_in), b ~ N(0, 1), 1,000 MNIST images; whole batches (1,000 epochs, eta 0.2) and
    mini-batches of 10 (60 epochs, eta 0.1); sigmoid, tanh and relu.

    Returns
    -------
    DataFrame
        A row per (activation, way, hidden, replica, epoch): cost, and error, the share of wrong answers. `way` is
        "full" (whole batches) or "mini" (mini-batches).
    """
    with watched("depth-hurts", seed, threads) as settings:
        return _measure(settings, replicas, DEEPEST)["training"]


def _measure(settings: Settings, replicas: int, deepest: int) -> Tables:
    epochs = {"full": settings.choose(1000, 60), "mini": settings.choose(60, 30)}
    activations = ACTIVATIONS[: settings.choose(3, 1)]
    depths = range(1, deepest + 1)
    total = len(activations) * len(depths) * sum(epochs.values()) * replicas
    frames = []
    for activation in activations:
        for scheme, (batch, eta) in SCHEMES.items():
            for hidden in depths:
                recipe = Recipe(hidden=(30,) * hidden, activation=activation, epochs=epochs[scheme], batch=batch,
                                eta=eta, replicas=replicas, seed=settings.seed)  # fmt: skip
                trained = train(recipe, load_images(), threads=settings.threads, report=settings.epochs(total))
                frames.append(trained.history.assign(activation=activation, way=scheme, hidden=hidden))
    return {"training": pd.concat(frames, ignore_index=True)}


def ends(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the last epoch of each training scheme (column way)."""
    return table[table["epoch"] == table.groupby("way")["epoch"].transform("max")]


def prior_cost(classes: int = 10) -> float:
    """Return the cost of a network that answers every image with the frequencies of the classes, in nats.

    It is `classes` times the binary entropy H(1 / classes).
    """
    p = 1 / classes
    return -classes * (p * math.log(p) + (1 - p) * math.log(1 - p))


def _find(tables: Tables) -> list[Finding]:
    last = ends(tables["training"]).groupby(["activation", "way", "hidden"])[["cost", "error"]].median()
    deepest = last.index.get_level_values("hidden").max()
    findings = []
    for activation, scheme in dict.fromkeys(index[:2] for index in last.index):
        shallow, deep = (last.loc[(activation, scheme, hidden), "error"] for hidden in (1, deepest))
        vanishing = activation == "sigmoid"
        predicted = "> × 2" if vanishing else "≤ sigmoid"
        worst = 2 * shallow if vanishing else last.loc[("sigmoid", scheme, deepest), "error"]
        holds = bool(deep > worst if vanishing else deep <= worst)
        allowed = f"> 2 × {shallow:.1%} = {worst:.1%}" if vanishing else f"≤ {worst:.1%}"
        findings.append(Finding(f"{activation}.{scheme}", predicted, f"{shallow:.1%} → {deep:.1%}", holds, allowed))
    stuck = last.loc[("sigmoid", "mini", deepest), "cost"]
    prior = prior_cost()
    return [*findings, within("prior", f"{prior:.2f}", stuck, prior - 0.05, prior + 0.05, "{:.2f}")]


def _draw(tables: Tables, words: Words) -> dict[str, Figure]:
    table, drawn = tables["training"], {}
    final = ends(table)
    for scheme in SCHEMES:
        panel = style.axes()
        for number, activation in enumerate(final["activation"].unique()):
            chosen = final[(final["way"] == scheme) & (final["activation"] == activation)]
            style.curve(panel, 100 * style.bands(chosen, "hidden", "error"), style.COLOURS[number], activation,
                           marker="o")  # fmt: skip
        hidden = sorted(final["hidden"].unique())
        panel.set(xlabel=words("hidden"), ylabel=words("error"), ylim=(0, 100), xticks=hidden)
        panel.set_title(words(scheme))
        panel.legend(loc="upper left")
        drawn[f"error_{scheme}"] = style.figure_of(panel)
    for activation in table["activation"].unique():
        drawn[f"cost_{activation}"] = _costs(table[table["activation"] == activation], words)
    return drawn


def _costs(table: pd.DataFrame, words: Words) -> Figure:
    whole = style.figure(6)
    for panel, scheme in zip(whole.subplots(2, 1), SCHEMES, strict=True):
        chosen = table[table["way"] == scheme]
        for hidden in sorted(chosen["hidden"].unique()):
            band = style.bands(chosen[chosen["hidden"] == hidden], "epoch", "cost")
            style.curve(panel, band, style.COLOURS[hidden - 1], str(hidden))
        panel.axhline(prior_cost(), color=style.INK, linestyle="--", linewidth=1)
        panel.set(xlabel=words("epoch"), ylabel=words("cost"), yscale="log", ylim=(1e-3, 12))
        panel.set_title(f"{table['activation'].iloc[0]}, {words(scheme)}")
    handles, labels = panel.get_legend_handles_labels()
    whole.legend(handles, labels, title=words("hidden"), ncols=5, loc="outside lower center")
    return whole


def _show(tables: Tables, words: Words) -> Tables:
    final = ends(tables["training"])
    rows = (100 * final.groupby(["activation", "way", "hidden"])["error"].median()).unstack().round(1).reset_index()
    rows["way"] = [words(scheme) for scheme in rows["way"]]
    rows.columns = pd.Index([words("activation"), words("training"), *(str(hidden) for hidden in rows.columns[2:])])
    return {"errors": rows}


LESSON = Lesson(
    "depth-hurts",
    lambda settings: _measure(settings, settings.choose(16, 4), settings.choose(DEEPEST, 4)),
    _draw,
    _find,
    TEXTS,
    _show,
)
