"""Lesson: what helps: activations, initialisation, residual branches, normalisation, clipping, side by side."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from gradsim.lessons import pictures
from gradsim.lessons.images import load_images
from gradsim.lessons.lesson import Finding, Lesson, Settings, Tables, Words, watched
from gradsim.lessons.remedies_texts import TEXTS
from gradsim.theory import mean_field
from gradsim.training import Recipe, train

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DEPTH = 10
BATCH, ETAS = 10, (0.01, 0.03, 0.1, 0.3)
"""Mini-batches, and the values of eta of which each remedy gets the best."""


class Remedy(NamedTuple):
    """A way to build and train a deep network: one row of the table and of the picture."""

    activation: str
    start: str
    extra: str = ""

    @property
    def name(self) -> str:
        """As the tables know it."""
        return "/".join(part for part in self if part)

    def recipe(self, epochs: int = 0, eta: float = 0.1, replicas: int = 1, seed: int = 1) -> Recipe:
        """What to train."""
        return Recipe(
            hidden=(30,) * DEPTH, activation=self.activation, start=self.start, residual=self.extra == "residual",
            normalisation=self.extra if self.extra in ("layer", "batch") else "none",
            clip=1.0 if self.extra == "clip" else np.inf, batch=BATCH, epochs=epochs, eta=eta, replicas=replicas, seed=seed,
        )  # fmt: skip


REFERENCE = Remedy("sigmoid", "normal")
ACTIVATIONS = ("sigmoid", "tanh", "relu", "leaky_relu", "selu", "gelu")
STARTS = ("default", "xavier", "he", "critical")
REMEDIES = (
    REFERENCE,
    *(Remedy(activation, start) for activation, start in product(ACTIVATIONS, STARTS)),
    *(Remedy("sigmoid", "normal", extra) for extra in ("residual", "layer", "batch", "clip")),
    *(Remedy("tanh", "xavier", extra) for extra in ("residual", "layer", "batch", "clip")),
    *(Remedy("relu", "he", extra) for extra in ("residual", "layer", "batch", "clip")),
)
QUICK = (
    REFERENCE, Remedy("sigmoid", "normal", "residual"), Remedy("sigmoid", "normal", "batch"), Remedy("tanh", "default"),
    Remedy("tanh", "xavier"), Remedy("relu", "default"), Remedy("relu", "he"), Remedy("relu", "he", "clip"),
)  # fmt: skip


def remedies(replicas: int = 16, epochs: int = 30, seed: int = 1, threads: int | None = None) -> pd.DataFrame:
    """Train networks with ten hidden layers of 30 in many ways, from the same seeds.

    Mini-batches of 10, cross-entropy, 1,000 MNIST images; of four eta the one with the lowest median cost at the end.

    Returns
    -------
    DataFrame
        A row per remedy: activation, start, extra, eta; growth, the factor of |dC/db| from one hidden layer to the
        next at the start (median, low and high: 5-95 %), growth_predicted = chi_1^(-1/2) where mean field applies; cost
        and error, medians at the end; lost, the share of networks whose cost is not a number.
    """
    with watched("remedies", seed, threads) as settings:
        return _measure(settings, REMEDIES, replicas, epochs)["remedies"]


def predicted_growth(remedy: Remedy) -> float:
    """Return chi_1^(-1/2) of the hidden layers at the start: NaN with residual branches or normalisation."""
    if remedy.extra not in ("", "clip"):
        return np.nan
    sigma_w, sigma_b = remedy.recipe().spreads(30, 30)[1] * (30**0.5, 1)
    return float(mean_field(remedy.activation, sigma_w=sigma_w, sigma_b=sigma_b).chi_1 ** -0.5)


def _train(remedy: Remedy, replicas: int, epochs: int, etas: tuple[float, ...], settings: Settings) -> Tables:
    """Curves with the best eta, and gradients at the start."""
    best, lowest = None, np.inf
    for eta in etas:
        recipe = remedy.recipe(epochs=epochs, eta=eta, replicas=replicas, seed=settings.seed)
        trained = train(recipe, load_images(), threads=settings.threads)
        end = trained.history.groupby("replica")["cost"].last().fillna(np.inf).median()
        if best is None or end < lowest:
            best, lowest = (eta, trained), end
        settings.report(1 / len(etas))
    assert best is not None
    eta, trained = best
    begun = trained.layers[(trained.layers["epoch"] == 0) & (trained.layers["layer"] <= DEPTH)]
    start = begun[["replica", "layer", "delta"]].assign(remedy=remedy.name)
    return {"curves": trained.history.assign(remedy=remedy.name, eta=eta), "starts": start}


def _row(remedy: Remedy, tables: Tables) -> dict[str, object]:
    wide = tables["starts"].pivot(index="replica", columns="layer", values="delta")
    growth = (wide[DEPTH] / wide[1]) ** (1 / (DEPTH - 1))
    low, middle, high = growth.quantile([0.05, 0.5, 0.95])
    ends = tables["curves"].groupby("replica").last()
    return {
        "remedy": remedy.name, **remedy._asdict(), "eta": tables["curves"]["eta"].iloc[0], "growth": middle,
        "growth_low": low, "growth_high": high, "growth_predicted": predicted_growth(remedy),
        "cost": ends["cost"].median(), "error": ends["error"].median(), "lost": ends["cost"].isna().mean(),
    }  # fmt: skip


def _measure(settings: Settings, chosen: tuple[Remedy, ...], replicas: int, epochs: int) -> Tables:
    etas = ETAS[2:3] if settings.quick else ETAS
    parts = [_train(remedy, replicas, epochs, etas, settings.part(1 / len(chosen))) for remedy in chosen]
    rows = pd.DataFrame([_row(remedy, part) for remedy, part in zip(chosen, parts, strict=True)])
    joined = {name: pd.concat([part[name] for part in parts], ignore_index=True) for name in ("starts", "curves")}
    return {"remedies": rows, **joined}


def _find(tables: Tables) -> list[Finding]:
    rows = tables["remedies"].set_index("remedy")
    names = list(rows.index)
    growth, expected, error = (rows[key].to_numpy(np.float64) for key in ("growth", "growth_predicted", "error"))
    apart = np.abs(np.log(growth / expected))
    findings = []
    for name in (REFERENCE.name, "relu/default", "relu/he", "tanh/xavier"):
        k = names.index(name)
        findings.append(Finding(name, f"{expected[k]:.2f}", f"{growth[k]:.2f}", bool(apart[k] < 0.25)))
    gap = float(np.exp(np.nanmax(apart)))
    findings.append(Finding("all", "1", f"≤ {gap:.2f}", gap < 1.8))
    stuck, branch = (error[names.index(name)] for name in (REFERENCE.name, f"{REFERENCE.name}/residual"))
    findings.append(Finding("residual", "< 90 %", f"{branch:.0%} / {stuck:.0%}", bool(branch < 0.9 * stuck)))
    flat, steep = np.median(error[(growth > 0.7) & (growth < 1.3)]), np.median(error[growth > 2])
    return [*findings, Finding("flat", "<", f"{flat:.0%} / {steep:.0%}", bool(flat < steep))]


def _label(row: pd.Series, words: Words) -> str:
    parts = [str(row["activation"]), words(f"start.{row['start']}")]
    return ", ".join([*parts, words(f"extra.{row['extra']}")] if row["extra"] else parts)


def _draw(tables: Tables, words: Words) -> dict[str, Figure]:
    return {
        "overview": _overview(tables, words), "growth": _growth(tables["remedies"], words),
        "outcome": _outcome(tables["remedies"], words),
    }  # fmt: skip


def _overview(tables: Tables, words: Words) -> Figure:
    rows = tables["remedies"]
    whole = pictures.figure(1.6 + 0.27 * len(rows))
    left, right = whole.subplots(1, 2, sharey=True, width_ratios=(1, 1.2))
    middle = tables["starts"].groupby(["remedy", "layer"])["delta"].median().unstack().loc[rows["remedy"]]
    lengths = middle.to_numpy(np.float64)
    relative = np.log10(lengths / lengths[:, -1:])
    image = left.imshow(relative, aspect="auto", cmap="RdBu_r", vmin=-6, vmax=6)
    left.set_yticks(range(len(rows)), [_label(row, words) for _, row in rows.iterrows()])
    left.set_xticks([0, DEPTH - 1], ["1", str(DEPTH)])
    left.set_xlabel(words("layer"))
    left.set_title(words("start"), fontsize=9)
    for place, (_, row) in enumerate(rows.iterrows()):
        curve = tables["curves"][tables["curves"]["remedy"] == row["remedy"]]
        band = pictures.bands(curve, "epoch", "error")
        colour = pictures.COLOURS[2] if band["median"].iloc[-1] < 0.5 else pictures.COLOURS[0]
        right.fill_between(band.index, place + 0.45 - 0.9 * band["low"], place + 0.45 - 0.9 * band["high"], color=colour,
                           alpha=0.25, linewidth=0)  # fmt: skip
        right.plot(band.index, place + 0.45 - 0.9 * band["median"], color=colour, linewidth=1.2)
        right.axhline(place + 0.5, color=pictures.FAINT, linewidth=0.5)
        right.annotate(f"{band['median'].iloc[-1]:.0%}", (band.index[-1], place), (3, 0), textcoords="offset points",
                       va="center", fontsize=9, annotation_clip=False)  # fmt: skip
    for panel in (left, right):
        panel.grid(False)
        panel.tick_params(axis="y", length=0)
    right.spines["left"].set_visible(False)
    right.set(xlabel=words("epoch"), xlim=(0, 1.3 * band.index[-1]), xticks=[0, band.index[-1]])
    right.set_title(words("training"), fontsize=9)
    whole.colorbar(image, ax=[left, right], location="bottom", label=words("relative"), aspect=35, pad=0.01)
    return whole


def _growth(rows: pd.DataFrame, words: Words) -> Figure:
    panel = pictures.axes()
    known = rows.dropna(subset=["growth_predicted"])
    for activation, one in known.groupby("activation", sort=False):
        errors = np.array([one["growth"] - one["growth_low"], one["growth_high"] - one["growth"]])
        colour = pictures.COLOURS[ACTIVATIONS.index(str(activation))]
        panel.errorbar(one["growth_predicted"], one["growth"], yerr=errors, fmt="o", color=colour, markersize=4,
                       linewidth=1, label=activation)  # fmt: skip
    ends = [0.6, 9]
    panel.plot(ends, ends, color=pictures.INK, linewidth=1)
    panel.set(xlabel=words("predicted"), ylabel=words("growth"), xscale="log", yscale="log", xlim=ends, ylim=ends)
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_ticks([1, 2, 4, 8], ["1", "2", "4", "8"])
    panel.minorticks_off()
    panel.legend(loc="upper left")
    return pictures.of(panel)


def _outcome(rows: pd.DataFrame, words: Words) -> Figure:
    panel = pictures.axes()
    for number, extra in enumerate(("", "residual", "layer", "batch", "clip")):
        one = rows[rows["extra"] == extra]
        if len(one):
            panel.plot(one["growth"], 100 * one["error"], "os^Dv"[number], color=pictures.COLOURS[(6, 0, 1, 2, 3)[number]],
                       markersize=5, label=words(f"extra.{extra}"))  # fmt: skip
    panel.set(xlabel=words("growth"), ylabel=words("error"), xscale="log", ylim=(-4, 155), yticks=range(0, 101, 20))
    panel.set_xticks([0.7, 1, 2, 4, 8], ["0.7", "1", "2", "4", "8"])
    panel.minorticks_off()
    panel.legend(loc="upper left", ncols=2)
    return pictures.of(panel)


def _show(tables: Tables, words: Words) -> Tables:
    rows = tables["remedies"]
    table = pd.DataFrame({
        words("remedy"): [_label(row, words) for _, row in rows.iterrows()], "η": rows["eta"],
        words("growth"): rows["growth"].round(2), words("predicted"): rows["growth_predicted"].round(2),
        words("cost"): rows["cost"], words("error"): (100 * rows["error"]).round(1),
        words("lost"): (100 * rows["lost"]).round(1),
    })  # fmt: skip
    return {"remedies": table}


def _all(settings: Settings) -> Tables:
    chosen = QUICK if settings.quick else REMEDIES
    return _measure(settings, chosen, settings.choose(16, 6), settings.choose(30, 12))


LESSON = Lesson("remedies", _all, _draw, _find, TEXTS, _show)
