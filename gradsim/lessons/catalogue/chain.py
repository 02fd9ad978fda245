"""Lesson: one neuron a layer: the gradient as a product, term by term, and how large its factors are."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special, stats

from gradsim.lessons.experiments import paths
from gradsim.lessons.experiments.long_chains import (
    LONGEST,
    SETTLED,
    SIGMAS,
    decay,
    expected_rate,
    expected_reach,
    rate,
)
from gradsim.lessons.experiments.single_neurons import back_propagate, slope
from gradsim.lessons.lesson import Finding, Lesson, Settings, Tables, within
from gradsim.lessons.texts.chain import TEXTS
from gradsim.report import style
from gradsim.report.languages import Words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

INPUT, TARGET, DEPTH = 0.6, 0.0, 4
STEP = 1e-4
ROUNDING = 2 * np.finfo(np.float64).eps / STEP
"""Bound of the rounding error of a central difference: the cost is at most 1/2, and four roundings are allowed for."""


def chain(seed: int = 1) -> pd.DataFrame:
    """Compute dC/db and dC/dw of a chain of four sigmoid neurons in three ways.

    C = (a_4 - y)^2 / 2. By the product s'(z_l) w_(l+1) s'(z_(l+1)) ... (a_4 - y), by central differences, and by
    back-propagation in the compiled core.

    Returns
    -------
    DataFrame
        A row per (layer, parameter): parameter is "b" or "w"; product, difference, backprop.
    """
    return _gradients(*np.random.default_rng(seed).normal(size=(2, DEPTH)))


def forward(w: Array, b: Array, a0: float) -> tuple[Array, Array]:
    """Return z and a of every layer: z_l = w_l a_(l-1) + b_l, a_l = s(z_l)."""
    z, a = [], [a0]
    for weight, bias in zip(w, b, strict=True):
        z.append(weight * a[-1] + bias)
        a.append(float(special.expit(z[-1])))
    return np.array(z), np.array(a)


def cost(w: Array, b: Array) -> float:
    """C = (a_L - y)^2 / 2."""
    return float((forward(w, b, INPUT)[1][-1] - TARGET) ** 2 / 2)


def _differences(w: Array, b: Array, h: float = STEP) -> tuple[Array, Array]:
    """Central differences of the cost by every w and every b."""
    by_w = [(cost(w + step, b) - cost(w - step, b)) / (2 * h) for step in h * np.eye(DEPTH)]
    by_b = [(cost(w, b + step) - cost(w, b - step)) / (2 * h) for step in h * np.eye(DEPTH)]
    return np.array(by_w), np.array(by_b)


def _gradients(w: Array, b: Array) -> pd.DataFrame:
    z, a = forward(w, b, INPUT)
    factors = slope(z)
    # From the end: s'(z_L) (a_L - y), then each s'(z_l) w_(l+1) times what comes after.
    delta = [factors[-1] * (a[-1] - TARGET)]
    for layer in range(DEPTH - 2, -1, -1):
        delta.append(factors[layer] * w[layer + 1] * delta[-1])
    by_b = np.array(delta[::-1])
    difference_w, difference_b = _differences(w, b)
    back_w, back_b = back_propagate(w, b, INPUT, TARGET)
    layers = np.arange(1, DEPTH + 1)
    return pd.DataFrame({
        "layer": np.tile(layers, 2), "parameter": np.repeat(["b", "w"], DEPTH),
        "product": [*by_b, *(a[:-1] * by_b)], "difference": [*difference_b, *difference_w],
        "backprop": [*back_b, *back_w],
    })  # fmt: skip


def _derivation(w: Array, b: Array, change: float = 1e-4) -> pd.DataFrame:
    """Follow a change of b_1 step by step: the change of each quantity, measured and by the product of factors.

    The last row is the change of C by the same change of w_1: a_0 times that by b_1, since z_1 = w_1 a_0 + b_1.
    """
    shifted = b.copy()
    shifted[0] += change
    (z, a), (z2, a2) = forward(w, b, INPUT), forward(w, shifted, INPUT)
    rows, predicted = [("Δb1", change, change)], change
    for layer in range(DEPTH):
        if layer > 0:
            predicted *= w[layer]
        rows.append((f"Δz{layer + 1}", z2[layer] - z[layer], predicted))
        predicted *= slope(z[layer : layer + 1])[0]
        rows.append((f"Δa{layer + 1}", a2[layer + 1] - a[layer + 1], predicted))
    predicted *= a[-1] - TARGET
    rows.append(("ΔC", cost(w, shifted) - cost(w, b), predicted))
    rows.append(("ΔC (Δw1)", cost(w + change * np.eye(DEPTH)[0], b) - cost(w, b), a[0] * predicted))
    table = pd.DataFrame(rows, columns=["quantity", "change", "predicted"])
    return table.assign(over_first=table["change"] / change)


def _factors(seed: int, count: int = 400_000) -> pd.DataFrame:
    """Histogram of |w s'(w a + b)| for w, b ~ N(0, 1) and a = s(N(0, 1))."""
    w, b, a = np.random.default_rng([seed, 0]).normal(size=(3, count))
    edges = np.linspace(0, 4.5, 136)
    counted, _ = np.histogram(np.abs(w) * slope(w * special.expit(a) + b), edges)
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], "density": counted / (count * (edges[1] - edges[0]))})


def _measure(settings: Settings) -> Tables:
    w, b = np.random.default_rng(settings.seed).normal(size=(2, DEPTH))
    tables = {"gradients": _gradients(w, b), "derivation": _derivation(w, b), "factors": _factors(settings.seed),
              "paths": paths.sum_over_paths(*paths.draw(settings.seed))}  # fmt: skip
    settings.report(0.1)
    sigmas = np.geomspace(0.25, 20, settings.choose(40, 12))
    tables["typical"] = pd.DataFrame({"sigma_w": sigmas, "factor": np.exp([expected_rate(sigma) for sigma in sigmas])})
    settings.report(0.1)
    return tables | {"decay": decay(settings.choose(200_000, 20_000), settings)}


def _share(key: str, table: pd.DataFrame, column: str, expected: float) -> Finding:
    """Compare a share of many independent draws with its probability: within five standard deviations."""
    found, count = table[column].mean(), table["chains"].sum()
    tolerance = 5 * (expected * (1 - expected) / count) ** 0.5
    form = "{:.2%}" if expected > 0.01 else "{:.1e}"
    return within(key, form.format(expected), found, max(expected - tolerance, 0), expected + tolerance, form)


def _find(tables: Tables) -> list[Finding]:
    table, chains = tables["gradients"], tables["decay"]
    product, apart = table["product"], (table["difference"] - table["product"]).abs()
    backprop = (table["backprop"] / product - 1).abs().max()
    steps = (tables["derivation"]["change"] / tables["derivation"]["predicted"] - 1).abs().max()
    ones, settled = chains[chains["sigma_w"] == 1], chains[chains["layer"] >= SETTLED]
    sums = paths.totals(tables["paths"])
    apart_sums = (sums["product"] / sums["backprop"] - 1).abs().max()
    findings = [
        within("backprop", "0", backprop, -inf, 1e-12, "{:.0e}"),
        Finding("difference", "0", f"{(apart / product.abs()).max():.0e}",
                bool((apart < 1e-6 * product.abs() + ROUNDING).all()), f"≤ 1e-06, ± {ROUNDING:.0e}"),
        within("steps", "0", steps, -inf, 1e-3, "{:.0e}"),
        within("paths", "0", apart_sums, -inf, 1e-12, "{:.0e}"),
        _share("below_1", ones, "small_w", 1 - 2 * stats.norm.sf(1)),
        _share("above_4", ones, "large_w", 2 * stats.norm.sf(4)),
    ]  # fmt: skip
    for sigma in (1.0, 4.0):
        chosen = settled[settled["sigma_w"] == sigma]
        findings.append(_share(f"reached_{sigma:g}", chosen, "reached_1", expected_reach(sigma)))
    for sigma in SIGMAS:
        theory, (grown, error), form = expected_rate(sigma), rate(chains, sigma), "{:.4f}"
        reach = 5 * error + 0.003
        low, middle, high, measured = (
            float(np.exp(value)) for value in (theory - reach, theory, theory + reach, grown)
        )
        findings.append(within(f"rate_{sigma:g}", form.format(middle), measured, low, high, form))
    return findings


def _draw(tables: Tables, words: Words) -> dict[str, Figure]:
    drawn = {"slope": _slope_picture(words), "factors": _factors_picture(tables["factors"], words)}
    panel = style.axes()
    for number, sigma in enumerate(SIGMAS):
        rows = tables["decay"][tables["decay"]["sigma_w"] == sigma].set_index("layer")
        band = rows[["low", "median", "high"]].apply(np.exp)
        style.curve(panel, band, style.COLOURS[number], words("sigma", value=f"{sigma:g}"))
        beyond = np.arange(SETTLED, LONGEST + 1)
        line = band["median"][SETTLED] * np.exp(expected_rate(sigma) * (beyond - SETTLED))
        label = words("theory") if sigma == SIGMAS[-1] else None
        panel.plot(beyond, line, "--", color=style.INK, linewidth=0.9, label=label)
    panel.set(xlabel=words("factors_count"), ylabel=words("product"), yscale="log", ylim=(1e-60, 1e3))
    panel.legend(loc="lower left")
    return drawn | {"decay": style.figure_of(panel), "typical": _typical(tables, words)}


def _typical(tables: Tables, words: Words) -> Figure:
    panel, table = style.axes(), tables["typical"]
    panel.plot(table["sigma_w"], table["factor"], color=style.INK, linewidth=1.2, label=words("theory"))
    found = [np.exp(rate(tables["decay"], sigma)[0]) for sigma in SIGMAS]
    panel.plot(SIGMAS, found, "o", color=style.COLOURS[0], markersize=5, label=words("measured"))
    panel.axhline(1, color=style.INK, linestyle="--", linewidth=1)
    panel.set(xlabel=words("spread"), ylabel=words("typical"), xscale="log", yscale="log", ylim=(5e-4, 2))
    panel.set(xticks=[0.25, 0.5, 1, 2, 4, 10, 20], xticklabels=["0.25", "0.5", "1", "2", "4", "10", "20"])
    panel.minorticks_off()
    panel.legend(loc="lower left")
    return style.figure_of(panel)


def _slope_picture(words: Words) -> Figure:
    panel, z = style.axes(), np.linspace(-8, 8, 401)
    panel.plot(z, special.expit(z), color=style.COLOURS[3], label="σ(z)")
    panel.plot(z, slope(z), color=style.COLOURS[0], label="σ′(z)")
    panel.plot([0], [0.25], "o", color=style.COLOURS[0], markersize=5)
    panel.annotate(words("maximum"), (0, 0.25), (1.2, 0.32), fontsize=9)
    panel.set(xlabel="z", ylim=(0, 1.05))
    panel.legend(loc="upper left")
    return style.figure_of(panel)


def _factors_picture(table: pd.DataFrame, words: Words) -> Figure:
    panel, x = style.axes(), np.linspace(0, 4.5, 300)
    edges = [*table["low"], table["high"].iloc[-1]]
    panel.stairs(table["density"], edges, fill=True, color=style.COLOURS[0], alpha=0.8, label="|w σ′(z)|")
    panel.plot(x, 2 * stats.norm.pdf(x), color=style.COLOURS[3], label="|w|")
    panel.axvline(1, color=style.INK, linestyle="--", linewidth=1)
    panel.axvline(4, color=style.INK, linestyle=":", linewidth=1)
    panel.set(xlabel=words("size"), ylabel=words("density"), yscale="log", ylim=(1e-5, 30), xlim=(0, 4.5))
    panel.legend(loc="upper right", bbox_to_anchor=(0.87, 1))
    return style.figure_of(panel)


def _show(tables: Tables, words: Words) -> Tables:
    derivation, gradients = tables["derivation"].copy(), tables["gradients"].copy()
    names = derivation["quantity"]
    own = ("Δz1", "ΔC (Δw1)")  # each has a rule of its own
    derivation.insert(1, "rule", [words(f"rule.{name}" if name in own else f"rule.{name[:2]}") for name in names])
    derivation.columns = pd.Index([words(key) for key in ("quantity", "rule", "measured", "expected", "over")])
    gradients["parameter"] = "dC/d" + gradients["parameter"] + gradients["layer"].astype(str)
    gradients = gradients.drop(columns="layer")
    gradients.columns = pd.Index([words(key) for key in ("derivative", "by_product", "by_difference", "by_backprop")])
    first = tables["paths"].query("to == 1 and input == 1")
    shares = pd.DataFrame({words("path"): first["path"], words("share"): first["product"]})
    shares[words("so_far")] = first["product"].cumsum()
    return {"derivation": derivation, "gradients": gradients, "paths": shares}


LESSON = Lesson("chain", _measure, _draw, _find, TEXTS, _show)
