"""Lesson: what helps: activations, initialisation, residual branches, normalisation, clipping, side by side."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gradsim.lessons.experiments.remedy import (
    ACTIVATIONS,
    DEPTH,
    EXTRAS,
    QUICK,
    REFERENCE,
    REMEDIES,
    Remedy,
    growth_at_rest,
    growth_of_images,
)
from gradsim.lessons.images import load_images
from gradsim.lessons.lesson import Finding, Lesson, Settings, Tables, watched, within
from gradsim.lessons.texts.remedies import TEXTS
from gradsim.report import style
from gradsim.report.languages import Words
from gradsim.training import Trained, draw_starts, train, trainer_for
from gradsim_core.training.layout import views

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PILOTS = 4
"""Networks on which the eta of a remedy is chosen."""
ETAS = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Every eta that is tried: the best one, of a remedy that learns, has a larger and a smaller neighbour."""
SAME = 0.1
"""The only eta of the quick form, and the eta at which networks with and without clipping are compared."""
TOLERANCE = 1.25
"""Largest ratio of growth to prediction that counts as agreement: networks are narrow (30 neurons) and seeds few."""


def remedies(replicas: int = 16, epochs: int = 30, seed: int = 1, threads: int | None = None) -> pd.DataFrame:
    """Train networks with ten hidden layers of 30, from the same seeds, with every remedy.

    Mini-batches of 10, cross-entropy, 1,000 MNIST images; each remedy gets the eta of `ETAS` with which the first
    `PILOTS` networks have the lowest median cost at the end.

    Returns
    -------
    DataFrame
        A row per remedy: activation, start, extra, eta; of the start: growth, the factor of |dC/db| from one hidden
        layer to the next (median; low and high: 5-95 %), and the same of single images (single, single_low,
        single_high), at_rest = chi_1^(-1/2) at q* and predicted, with q from the images, where mean field applies;
        weights, growth of |dC/dW| from layer 2 on; first_over_last = |dC/db^1| / |dC/db^10|; cost and error, medians
        at the end; lost, the share of networks whose numbers have overflowed.
    """
    with watched("remedies", seed, threads) as settings:
        return _measure(settings, REMEDIES, replicas, epochs)["remedies"]


def _ends(trained: Trained) -> tuple[float, float, float]:
    """Medians of cost and error at the end, and the share of networks whose numbers have overflowed."""
    last = trained.history.groupby("replica").last()
    return float(last["cost"].median()), float(last["error"].median()), float(np.isinf(last["cost"]).mean())


def _train(remedy: Remedy, replicas: int, epochs: int, settings: Settings) -> Tables:
    """Try every eta on a few networks; train all with the best, and measure gradients at the start."""
    etas, pilots = ((SAME,), replicas) if settings.quick else (ETAS, min(PILOTS, replicas))
    again = replicas if pilots < replicas else 0
    report = settings.epochs((pilots * len(etas) + again) * epochs)

    def run(eta: float, networks: int) -> Trained:
        recipe = remedy.recipe(epochs=epochs, eta=eta, replicas=networks, seed=settings.seed)
        return train(recipe, load_images(), threads=settings.threads, report=report)

    runs = [run(eta, pilots) for eta in etas]
    rows = [(remedy.name, eta, *_ends(trained)) for eta, trained in zip(etas, runs, strict=True)]
    tried = pd.DataFrame(rows, columns=["remedy", "eta", "cost", "error", "lost"])
    best = int(tried["cost"].argmin())
    eta, trained = etas[best], run(etas[best], replicas) if again else runs[best]
    begun = trained.layers[(trained.layers["epoch"] == 0) & (trained.layers["layer"] <= DEPTH)]
    start = begun[["replica", "layer", "delta", "weight_grad"]].assign(remedy=remedy.name)
    single = _single(remedy, replicas, settings)
    row = _row(remedy, start, single) | dict(zip(("eta", "cost", "error", "lost"), (eta, *_ends(trained)), strict=True))
    curves = trained.history.assign(remedy=remedy.name, eta=eta)
    return {"remedies": pd.DataFrame([row]), "starts": start, "curves": curves, "etas": tried}


def _single(remedy: Remedy, replicas: int, settings: Settings) -> pd.Series:
    """Growth per layer of the gradients of single images, which mean field predicts: geometric mean over the images.

    NaN with batch normalisation, which is not defined for a single image.
    """
    images = load_images(settings.choose(40, 10))
    recipe = remedy.recipe(replicas=replicas, seed=settings.seed)
    trainer = trainer_for(recipe, images)
    alone = [trainer.data(image[None], target[None]) for image, target in zip(*images, strict=True)]
    result = np.full(replicas, np.nan)
    for replica, parameters in enumerate(() if remedy.extra == "batch" else draw_starts(recipe, images, trainer)):
        lengths = np.array([
            [np.linalg.norm(biases) for _, biases, _ in views(trainer.network, trainer.gradient(parameters, image)[0])]
            for image in alone
        ])[:, [0, DEPTH - 1]]  # fmt: skip
        alive = lengths[lengths.min(axis=1) > 0].astype(np.float64)
        if len(alive):
            result[replica] = np.exp(np.log(alive[:, 1] / alive[:, 0]).mean() / (DEPTH - 1))
    return pd.Series(result)


def _row(remedy: Remedy, start: pd.DataFrame, single: pd.Series) -> dict[str, object]:
    wide = start.pivot(index="replica", columns="layer")
    biases, weights = wide["delta"], wide["weight_grad"]
    ratio = biases[1] / biases[DEPTH]
    growth = ratio ** (-1 / (DEPTH - 1))
    # The first layer has 784 inputs, the others 30: its weights do not compare.
    weights_growth = (weights[DEPTH] / weights[2]) ** (1 / (DEPTH - 2))
    row: dict[str, object] = {"remedy": remedy.name, **remedy._asdict()}
    for name, values in (("growth", growth), ("single", single)):
        low, middle, high = values.quantile([0.05, 0.5, 0.95])
        row |= {name: middle, f"{name}_low": low, f"{name}_high": high}
    return row | {
        "at_rest": growth_at_rest(remedy), "predicted": growth_of_images(remedy), "weights": weights_growth.median(),
        "first_over_last": ratio.median(),
    }  # fmt: skip


def _measure(settings: Settings, chosen: tuple[Remedy, ...], replicas: int, epochs: int) -> Tables:
    parts = [_train(remedy, replicas, epochs, settings.part(1 / len(chosen))) for remedy in chosen]
    return {name: pd.concat([part[name] for part in parts], ignore_index=True) for name in parts[0]}


def _find(tables: Tables) -> list[Finding]:
    rows = tables["remedies"].set_index("remedy")
    growth, single, expected, error = (rows[key] for key in ("growth", "single", "predicted", "error"))
    apart = np.exp(np.abs(np.log(single / expected)))
    findings = []
    for name in (REFERENCE.name, "tanh/default", "tanh/xavier", "tanh/critical", "relu/default", "relu/he"):
        low, high = expected[name] / TOLERANCE, expected[name] * TOLERANCE
        findings.append(within(name, f"{expected[name]:.2f}", single[name], low, high, "{:.2f}"))
    findings.append(within("all", "1", apart.max(), -inf, TOLERANCE, "{:.2f}"))
    stuck = error[REFERENCE.name]
    for extra in ("residual", "batch"):
        better = error[f"{REFERENCE.name}/{extra}"]
        findings.append(within(extra, f"< {stuck:.0%}", better, -inf, 0.9 * stuck, "{:.0%}"))
    same = tables["etas"][tables["etas"]["eta"] == SAME].set_index("remedy")["error"]
    free, clipped = same["relu/he"], same["relu/he/clip"]
    findings.append(Finding("clip", f"< {free:.0%}", f"{clipped:.0%}", bool(clipped < free)))
    flat, steep = error[(growth > 0.7) & (growth < 1.3)].median(), error[growth > 2].median()
    return [*findings, Finding("flat", f"< {steep:.0%}", f"{flat:.0%}", bool(flat < steep))]


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
    whole = style.figure(1.6 + 0.27 * len(rows))
    left, right = whole.subplots(1, 2, sharey=True, width_ratios=(1, 1.2))
    medians = tables["starts"].groupby(["remedy", "layer"])["delta"].median().unstack().loc[rows["remedy"]]
    lengths = medians.to_numpy(np.float64)
    relative = np.log10(lengths / lengths[:, -1:])
    image = left.imshow(relative, aspect="auto", cmap="RdBu_r", vmin=-6, vmax=6)
    left.set_yticks(range(len(rows)), [_label(row, words) for _, row in rows.iterrows()])
    left.set_xticks([0, DEPTH - 1], ["1", str(DEPTH)])
    left.set_xlabel(words("layer"))
    left.set_title(words("start"), fontsize=9)
    for place, (_, row) in enumerate(rows.iterrows()):
        curve = tables["curves"][tables["curves"]["remedy"] == row["remedy"]]
        band = style.bands(curve, "epoch", "error")
        colour = style.COLOURS[2] if band["median"].iloc[-1] < 0.5 else style.COLOURS[0]
        low, middle, high = (place + 0.45 - 0.9 * band[name] for name in ("low", "median", "high"))
        right.fill_between(band.index, low, high, color=colour, alpha=0.25, linewidth=0)
        right.plot(band.index, middle, color=colour, linewidth=1.2)
        right.axhline(place + 0.5, color=style.FAINT, linewidth=0.5)
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
    panel = style.axes()
    known = rows.dropna(subset=["predicted"])
    for activation, group in known[known["extra"] == ""].groupby("activation", sort=False):
        errors = np.array([group["single"] - group["single_low"], group["single_high"] - group["single"]])
        colour = style.COLOURS[ACTIVATIONS.index(str(activation))]
        size = 8 if activation == "relu" else 4  # leaky_relu lies on it
        panel.errorbar(group["predicted"], group["single"], yerr=errors, fmt="o", color=colour, markersize=size,
                       linewidth=1, label=activation)  # fmt: skip
    ends = [0.6, 9]
    panel.plot(ends, ends, color=style.INK, linewidth=1)
    panel.set(xlabel=words("followed"), ylabel=words("single"), xscale="log", yscale="log", xlim=ends, ylim=ends)
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_ticks([1, 2, 4, 8], ["1", "2", "4", "8"])
    panel.minorticks_off()
    panel.legend(loc="upper left")
    return style.figure_of(panel)


def _outcome(rows: pd.DataFrame, words: Words) -> Figure:
    panel = style.axes()
    for number, extra in enumerate(("", *EXTRAS)):
        chosen = rows[rows["extra"] == extra]
        if len(chosen):
            panel.plot(chosen["growth"], 100 * chosen["error"], "os^Dv"[number], markersize=5,
                       color=style.COLOURS[(6, 0, 1, 2, 3)[number]], label=words(f"extra.{extra}"))  # fmt: skip
    panel.set(xlabel=words("growth"), ylabel=words("error"), xscale="log", ylim=(-4, 155), yticks=range(0, 101, 20))
    panel.set_xticks([0.7, 1, 2, 4, 8], ["0.7", "1", "2", "4", "8"])
    panel.minorticks_off()
    panel.legend(loc="upper left", ncols=2)
    return style.figure_of(panel)


def _show(tables: Tables, words: Words) -> Tables:
    rows = tables["remedies"]
    band = [f"{row.growth:.2f} ({row.growth_low:.2f} … {row.growth_high:.2f})" for row in rows.itertuples()]
    table = pd.DataFrame({
        words("remedy"): [_label(row, words) for _, row in rows.iterrows()], "η": rows["eta"],
        words("ratio"): [f"{ratio:.2g}" for ratio in rows["first_over_last"]], words("growth"): band,
        words("single"): rows["single"].round(2), words("followed"): rows["predicted"].round(2),
        words("at_rest"): rows["at_rest"].round(2), words("weights"): rows["weights"].round(2),
        words("cost"): rows["cost"], words("error"): (100 * rows["error"]).round(1),
        words("lost"): (100 * rows["lost"]).round(1),
    })  # fmt: skip
    return {"remedies": table}


def _all(settings: Settings) -> Tables:
    chosen = QUICK if settings.quick else REMEDIES
    return _measure(settings, chosen, settings.choose(16, 6), settings.choose(30, 12))


LESSON = Lesson("remedies", _all, _draw, _find, TEXTS, _show)
