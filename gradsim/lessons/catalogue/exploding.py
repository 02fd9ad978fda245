"""Lesson: what happens when the factors of the product exceed 1, and how rare that is."""

from __future__ import annotations

from itertools import product
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import optimize

from gradsim.lessons.experiments.growing import factors_through_training
from gradsim.lessons.experiments.single_neurons import back_propagate, slope, width
from gradsim.lessons.images import load_images
from gradsim.lessons.lesson import Finding, Lesson, Settings, Tables, watched, within
from gradsim.lessons.texts.exploding import TEXTS
from gradsim.report import style
from gradsim.report.languages import Words
from gradsim.training import Recipe, train

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGE, LAYERS, INPUT = 100.0, 6, 0.3
CLIPS = {"free": np.inf, "clipped": 1.0}
HIDDEN = (30,) * 8
NETWORKS: dict[str, dict[str, Any]] = {"relu": {"start": "he", "eta": 0.5}, "tanh": {"start": "normal(4)", "eta": 0.2}}
"""Start and eta by activation: a good start with a step that is too large, and a start with large weights."""
SHOWN = 60
"""Epochs that the pictures of gradient and cost show: those in which the gradient explodes."""
DRAWN = (1e-8, 1e12)
"""Limits of gradient and cost in the pictures; a number that has overflowed is drawn at the upper one."""


def exploding(replicas: int = 16, epochs: int = 200, seed: int = 1, threads: int | None = None) -> pd.DataFrame:
    """Train deep networks whose gradients explode, without and with clipping of the gradient.

    784-30-…-30-10 with eight hidden layers, whole batches, momentum 0.9; clipped to length 1 or not at all. relu: W ~
    N(0, 2/fan_in), b = 0, eta 0.5, a step that is too large. tanh: W ~ N(0, 16/fan_in), b ~ N(0, 1), eta 0.2, weights
    that are too large.

    Returns
    -------
    DataFrame
        A row per (activation, clip, replica, epoch): cost, error, first and last, the lengths of dC/db of the first and
        of the last hidden layer; cost and lengths are NaN once numbers have overflowed.
    """
    with watched("exploding", seed, threads) as settings:
        return _train(replicas, epochs, settings)


def widest() -> tuple[float, float]:
    """Return the |w| at which the interval of inputs with factors of at least 1 is widest, and its width."""
    found = optimize.minimize_scalar(lambda w: -width(np.array(w)), bounds=(4, 100), method="bounded",
                                     options={"xatol": 1e-10})  # fmt: skip
    return float(found.x), float(-found.fun)


def _widths() -> pd.DataFrame:
    """Widths by the formula, and by counting the points of a fine grid where the factor is at least 1."""
    w = np.concatenate([np.arange(3.5, 12, 0.25), np.arange(12, 100.5, 4)])
    a = np.linspace(0, 1, 200_001)
    counted = [np.mean(weight * slope(weight * (a - 0.5)) >= 1) for weight in w]
    return pd.DataFrame({"w": w, "width": width(w), "counted": counted})


def _chain() -> pd.DataFrame:
    """Back-propagate through a chain of neurons, w = 100 and b = -100 a; `factor` is dC/db over the next layer's."""
    inputs = np.array([INPUT] + [0.5] * (LAYERS - 1))  # z = 0 in every layer, so a = 1/2
    _, values = back_propagate(np.full(LAYERS, LARGE), -LARGE * inputs, INPUT, 0.0)
    factors = [*(values[:-1] / values[1:]), np.nan]
    return pd.DataFrame({"layer": np.arange(1, LAYERS + 1), "gradient": values, "factor": factors})


def _train(replicas: int, epochs: int, settings: Settings) -> pd.DataFrame:
    frames = []
    for (activation, network), (name, clip) in product(NETWORKS.items(), CLIPS.items()):
        recipe = Recipe(hidden=HIDDEN, activation=activation, epochs=epochs, momentum=0.9, clip=clip, replicas=replicas,
                        seed=settings.seed, **network)  # fmt: skip
        report = settings.epochs(len(NETWORKS) * len(CLIPS) * replicas * epochs)
        trained = train(recipe, load_images(), threads=settings.threads, report=report)
        wide = trained.layers.pivot(index=["replica", "epoch"], columns="layer", values="delta")
        ends = wide[[1, len(HIDDEN)]].set_axis(["first", "last"], axis=1).reset_index()
        frames.append(trained.history.merge(ends).assign(activation=activation, clip=name))
    table = pd.concat(frames, ignore_index=True)
    measured = ["cost", "first", "last"]
    return table.assign(**table[measured].where(np.isfinite(table[measured])))


def _measure(settings: Settings) -> Tables:
    training = _train(settings.choose(16, 8), settings.choose(200, 40), settings.part(0.9))
    growing = factors_through_training(settings.choose(16, 8), settings.part(0.1))
    return {"training": training, "widths": _widths(), "chain": _chain(), "growing": growing}


def _find(tables: Tables) -> list[Finding]:
    factors, widths = tables["chain"]["factor"].dropna(), tables["widths"]
    at, most = widest()
    gap = (widths["width"] - widths["counted"]).abs().max()
    small = widths[widths["w"] < 4]["counted"].max()
    return [
        Finding("factor", "25", f"{factors.min():.6f} … {factors.max():.6f}", bool(np.allclose(factors, 25, rtol=1e-9)),
                "25 ± 2.5e-08"),
        within("at", "6.8942", at, 6.8937, 6.8947, "{:.4f}"),
        within("widest", "0.44774", most, 0.44773, 0.44775, "{:.5f}"),
        within("counted", "0", gap, -inf, 2e-5, "{:.0e}"),
        Finding("below", "0", f"{small:g}", bool(small == 0)),
        *_find_growing(tables["growing"]),
        *_find_training(tables["training"]),
    ]  # fmt: skip


def _find_growing(table: pd.DataFrame) -> list[Finding]:
    """Whether weights grow until the factor of a layer exceeds 1, and never do so below |w| = 4."""
    begun, ended = (table[table["epoch"] == epoch] for epoch in (0, table["epoch"].max()))
    exceeds = (ended.groupby("replica")["largest"].max() > 1).mean()
    least = table[table["largest"] >= 1]["w"].abs().min()
    return [
        within("growing_start", "< 1", begun["largest"].max(), -inf, 1, "{:.2f}"),
        within("growing_end", "100%", exceeds, 0.9, 1, "{:.0%}"),
        within("growing_least", "≥ 4", least, 4, inf, "{:.2f}"),
    ]


def _find_training(table: pd.DataFrame) -> list[Finding]:
    def runs(activation: str, clip: str) -> pd.DataFrame:
        return table[(table["activation"] == activation) & (table["clip"] == clip)]

    free, tanh = runs("relu", "free"), runs("tanh", "free")
    peaks, growth = (frame.groupby("replica")["first"].agg(["first", "max"]) for frame in (free, tanh))
    grown = (peaks["max"] / peaks["first"]).median()
    at_peak = free.loc[free.groupby("replica")["first"].idxmax()]
    over = (at_peak["first"] / at_peak["last"]).median()
    last = table[table["epoch"] == table["epoch"].max()]
    error = last.groupby(["activation", "clip"])["error"].median()
    lost = runs("relu", "free").groupby("replica")["cost"].apply(lambda cost: cost.isna().any())
    begin, end = tanh[tanh["epoch"] == 0], last[(last["activation"] == "tanh") & (last["clip"] == "free")]
    ratio = (begin["first"] / begin["last"]).median()
    faded = end["first"].median() / growth["first"].median()
    return [
        within("grows", "≫ 1", grown, 100, inf),
        within("first_last", "≫ 1", over, 100, inf),
        Finding("lost", "> 50%", f"{lost.mean():.0%}", bool(lost.mean() > 0.5)),
        Finding("clipped_relu", *_errors(error["relu"])),
        Finding("start_tanh", "> 1", f"{ratio:.1f}", bool(ratio > 1)),
        within("fades_tanh", "≪ 1", faded, -inf, 0.01, "{:.1g}"),
        Finding("clipped_tanh", *_errors(error["tanh"])),
    ]


def _errors(error: pd.Series) -> tuple[str, str, bool]:
    """Predict that clipped networks err clearly less than the others and than chance (90 %): fields of a finding."""
    clipped, free = error["clipped"], error["free"]
    most = min(0.85, free - 0.1)
    return f"< {most:.0%}", f"{clipped:.0%} ({free:.0%})", bool(clipped < most)


def _draw(tables: Tables, words: Words) -> dict[str, Figure]:
    drawn = {"factor": _factors(words), "width": _width(tables["widths"], words)}
    drawn["growing"] = _growing(tables["growing"], words)
    for activation, value in product(NETWORKS, ("first", "cost", "error")):
        chosen = tables["training"][tables["training"]["activation"] == activation]
        drawn[f"{value}_{activation}"] = _training(chosen, value, words)
    return drawn


def _drawn(table: pd.DataFrame, value: str) -> pd.DataFrame:
    """Bands over all replicas, in logarithms: one whose numbers have overflowed counts as larger than all others."""
    logarithms = np.log10(table[value].fillna(DRAWN[1]).clip(*DRAWN))
    return 10 ** style.bands(table.assign(**{value: logarithms}), "epoch", value)


def _training(table: pd.DataFrame, value: str, words: Words) -> Figure:
    panel = style.axes()
    for number, clip in enumerate(CLIPS):
        chosen, colour = table[table["clip"] == clip], style.COLOURS[(0, 3)[number]]
        band = 100 * style.bands(chosen, "epoch", value) if value == "error" else _drawn(chosen, value)
        style.curve(panel, band, colour, words(clip))
        if value == "first":
            panel.plot(_drawn(chosen, "last")["median"], ":", color=colour, linewidth=1.2, label=words("last"))
    panel.set(xlabel=words("epoch"), ylabel=words(value))
    if value == "error":
        panel.set(ylim=(0, 125), yticks=range(0, 101, 20))
    else:
        panel.set(yscale="log", xlim=(0, min(SHOWN, table["epoch"].max())))
        low, high = panel.get_ylim()
        panel.set(ylim=(low, high * (high / low) ** 0.25))  # room for the legend
    panel.legend(loc="upper right", ncols=2)
    return style.figure_of(panel)


def _factors(words: Words) -> Figure:
    panel, a = style.axes(), np.linspace(0, 1, 801)
    for number, w in enumerate((3.0, 4.0, widest()[0], 20.0, LARGE)):
        panel.plot(a, w * slope(w * (a - 0.5)), color=style.COLOURS[number], label=f"w = {w:.4g}")
    panel.axhline(1, color=style.INK, linestyle="--", linewidth=1)
    panel.set(xlabel=words("activation"), ylabel=words("product"), yscale="log", ylim=(0.05, 40), xlim=(0, 1))
    panel.legend(loc="upper left")
    return style.figure_of(panel)


def _growing(table: pd.DataFrame, words: Words) -> Figure:
    panel = style.axes()
    for number, (layer, rows) in enumerate(table.groupby("layer")):
        band = style.bands(rows, "epoch", "largest")
        style.curve(panel, band, style.COLOURS[(0, 3)[number]], words("hidden", number=layer), marker="o", markersize=3)
    panel.axhline(1, color=style.INK, linestyle="--", linewidth=1)
    panel.set(xlabel=words("epoch"), ylabel=words("largest"), xscale="symlog", yscale="log", ylim=(0.005, 10))
    panel.set_xlim(0, table["epoch"].max())
    panel.legend(loc="lower right")
    return style.figure_of(panel)


def _width(table: pd.DataFrame, words: Words) -> Figure:
    panel, w = style.axes(), np.geomspace(3.5, 100, 600)
    panel.plot(w, width(w), color=style.INK, linewidth=1.2, label=words("formula"))
    panel.plot(table["w"], table["counted"], "o", color=style.COLOURS[0], markersize=3, label=words("counted"))
    at, most = widest()
    panel.annotate(f"{most:.4f}, |w| = {at:.4f}", (at, most), (at * 1.5, most * 0.99), fontsize=9,
                   arrowprops={"arrowstyle": "-", "color": style.INK})  # fmt: skip
    panel.set(xlabel="|w|", ylabel=words("width"), xscale="log", xticks=[4, 10, 20, 50, 100], ylim=(-0.02, 0.5))
    panel.set_xticklabels(["4", "10", "20", "50", "100"])
    panel.minorticks_off()
    panel.legend(loc="lower right")
    return style.figure_of(panel)


def _show(tables: Tables, words: Words) -> Tables:
    chain = tables["chain"].copy()
    chain.columns = pd.Index([words("layer"), "dC/db", words("factor")])
    return {"chain": chain}


LESSON = Lesson("exploding", _measure, _draw, _find, TEXTS, _show)
