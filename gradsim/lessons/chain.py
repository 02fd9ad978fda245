"""Lesson: one neuron a layer: the gradient as a product, term by term, and how large its factors are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special, stats

from gradsim.lessons import pictures
from gradsim.lessons.chain_texts import TEXTS
from gradsim.lessons.lesson import Finding, Lesson, Settings, Tables, Words
from gradsim.training import Data, Recipe, trainer
from gradsim_core.training.layout import views

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

INPUT, TARGET, DEPTH = 0.6, 0.0, 4
SIGMAS = (1.0, 2.0, 4.0, 10.0)
LONGEST = 30


def chain(seed: int = 1) -> pd.DataFrame:
    """Compute dC/db and dC/dw of a chain of four sigmoid neurons in three ways.

    C = (a_4 - y)^2 / 2. By the product s'(z_l) w_(l+1) s'(z_(l+1)) ... (a_4 - y), by central differences, and by
    back-propagation in the compiled core.

    Returns
    -------
    DataFrame
        A row per (layer, parameter): parameter is "b" or "w"; product, difference, backprop.
    """
    return _gradients(*_draw_chain(seed))


def forward(w: Array, b: Array, a0: float) -> tuple[Array, Array]:
    """Return z and a of every layer: z_l = w_l a_(l-1) + b_l, a_l = s(z_l)."""
    z, a = [], [a0]
    for weight, bias in zip(w, b, strict=True):
        z.append(weight * a[-1] + bias)
        a.append(float(special.expit(z[-1])))
    return np.array(z), np.array(a)


def slope(z: Array) -> Array:
    """s'(z) = s(z) (1 - s(z)) = s(z) s(-z), which does not cancel."""
    return np.asarray(special.expit(z) * special.expit(-z))


def cost(w: Array, b: Array) -> float:
    """C = (a_L - y)^2 / 2."""
    return float((forward(w, b, INPUT)[1][-1] - TARGET) ** 2 / 2)


def _draw_chain(seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=DEPTH), rng.normal(size=DEPTH)


def _differences(w: Array, b: Array, h: float = 1e-5) -> tuple[Array, Array]:
    """Central differences of the cost by every w and every b."""
    steps = h * np.eye(DEPTH)
    by_w = np.array([(cost(w + step, b) - cost(w - step, b)) / (2 * h) for step in steps])
    by_b = np.array([(cost(w, b + step) - cost(w, b - step)) / (2 * h) for step in steps])
    return by_w, by_b


def _back_propagated(w: Array, b: Array) -> tuple[Array, Array]:
    recipe = Recipe(hidden=(1,) * (DEPTH - 1), cost="quadratic", epochs=0, replicas=1, dtype="float64")
    data = Data(np.array([[INPUT]]), np.array([[TARGET]]))
    machine = trainer(recipe, data)
    parameters = machine.parameters()
    for layer, (weights, biases, _) in enumerate(views(machine.network, parameters)):
        weights[:], biases[:] = w[layer], b[layer]
    gradient, _, _ = machine.gradient(parameters, machine.data(*data))
    parts = views(machine.network, gradient)
    return np.array([weights[0, 0] for weights, _, _ in parts]), np.array([biases[0] for _, biases, _ in parts])


def _gradients(w: Array, b: Array) -> pd.DataFrame:
    z, a = forward(w, b, INPUT)
    factors = slope(z)
    # From the end: s'(z_L) (a_L - y), then each s'(z_l) w_(l+1) times what comes after.
    delta = [factors[-1] * (a[-1] - TARGET)]
    for layer in range(DEPTH - 2, -1, -1):
        delta.append(factors[layer] * w[layer + 1] * delta[-1])
    by_b = np.array(delta[::-1])
    difference_w, difference_b = _differences(w, b)
    back_w, back_b = _back_propagated(w, b)
    layers = np.arange(1, DEPTH + 1)
    return pd.DataFrame({
        "layer": np.tile(layers, 2), "parameter": np.repeat(["b", "w"], DEPTH),
        "product": [*by_b, *(a[:-1] * by_b)], "difference": [*difference_b, *difference_w],
        "backprop": [*back_b, *back_w],
    })  # fmt: skip


def _derivation(w: Array, b: Array, change: float = 1e-4) -> pd.DataFrame:
    """Follow a change of b_1 step by step: the change of each quantity, and what the chain of factors says."""
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
    table = pd.DataFrame(rows, columns=["quantity", "change", "predicted"])
    return table.assign(over_first=table["change"] / change)


def _decay(chains: int, settings: Settings) -> pd.DataFrame:
    """Factors |w s'(z)| of long random chains: ln of the product up to each layer, and factors that reach 1."""
    frames = []
    for sigma in SIGMAS:
        rng = np.random.default_rng([settings.seed, int(sigma)])
        a, logarithm = special.expit(rng.normal(size=chains)), np.zeros(chains)
        for layer in range(1, LONGEST + 1):
            w = sigma * rng.normal(size=chains)
            z = w * a + rng.normal(size=chains)
            a = special.expit(z)
            # ln s'(z) = ln s(z) + ln s(-z): neither underflows.
            factor = np.log(np.abs(w)) + special.log_expit(z) + special.log_expit(-z)
            logarithm = logarithm + factor
            low, middle, high = np.quantile(logarithm, [0.05, 0.5, 0.95])
            columns = {"sigma_w": sigma, "layer": layer, "low": low, "median": middle, "high": high,
                       "mean": logarithm.mean(), "se": logarithm.std() / chains**0.5,
                       "reached_1": (factor >= 0).mean(), "large_w": (np.abs(w) >= 4).mean()}  # fmt: skip
            frames.append(columns)
        settings.report(0.9 / len(SIGMAS))
    return pd.DataFrame(frames)


def expected_rate(sigma: float, cells: int = 600) -> float:
    """Return E ln|w s'(z)| of a layer far from the input.

    z = w a + b is N(0, sigma^2 a^2 + 1) given a = s(z) of the layer below; the law of a is iterated to its fixed point
    on a grid of its quantiles under the logistic law. E ln|w| = ln sigma - (gamma + ln 2)/2.
    """
    edges = special.logit(np.linspace(0, 1, cells + 1))
    a = (np.arange(cells) + 0.5) / cells
    spread = np.sqrt(sigma**2 * a**2 + 1)
    transition = np.diff(stats.norm.cdf(edges[:, None] / spread), axis=0)
    share = np.full(cells, 1 / cells)
    for _ in range(60):
        share = transition @ share
    x = np.linspace(-9, 9, 1201)
    weights = stats.norm.pdf(x) * (x[1] - x[0])
    z = spread[:, None] * x
    log_slope = (special.log_expit(z) + special.log_expit(-z)) @ weights
    return float(np.log(sigma) - (np.euler_gamma + np.log(2)) / 2 + log_slope @ share)


def rate(table: pd.DataFrame, sigma: float, first: int = 10) -> tuple[float, float]:
    """Return the measured change of ln of the product per layer beyond layer `first`, and its standard error."""
    chosen = table[(table["sigma_w"] == sigma) & (table["layer"] >= first)].sort_values("layer")
    means, errors = chosen["mean"].to_numpy(np.float64), chosen["se"].to_numpy(np.float64)
    return float((means[-1] - means[0]) / (len(means) - 1)), float(errors[-1] / (len(means) - 1))


def _measure(settings: Settings) -> Tables:
    w, b = _draw_chain(settings.seed)
    tables = {"gradients": _gradients(w, b), "derivation": _derivation(w, b)}
    settings.report(0.1)
    return tables | {"decay": _decay(settings.choose(200_000, 20_000), settings)}


def _find(tables: Tables) -> list[Finding]:
    table, decay = tables["gradients"], tables["decay"]
    backprop = (table["backprop"] / table["product"] - 1).abs().max()
    difference = (table["difference"] / table["product"] - 1).abs().max()
    steps = (tables["derivation"]["change"] / tables["derivation"]["predicted"] - 1).abs().max()
    below_1, above_4 = 1 - 2 * stats.norm.sf(1), 2 * stats.norm.sf(4)
    one = decay[decay["sigma_w"] == 1]
    most = one["reached_1"].max()
    findings = [
        Finding("backprop", "0", f"{backprop:.0e}", bool(backprop < 1e-12)),
        Finding("difference", "0", f"{difference:.0e}", bool(difference < 1e-6)),
        Finding("steps", "0", f"{steps:.0e}", bool(steps < 1e-3)),
        Finding("below_1", "68.3 %", f"{below_1:.1%}", bool(abs(below_1 - 0.683) < 5e-4)),
        Finding("above_4", "6.3e-5", f"{above_4:.1e}", bool(abs(above_4 - 6.3e-5) < 5e-7)),
        Finding(
            "reached", f"≤ {above_4:.1e}", f"{one['reached_1'].mean():.1e}", bool(most <= one["large_w"].max() + 1e-12)
        ),
    ]
    for sigma in SIGMAS:
        expected, (found, error) = expected_rate(sigma), rate(decay, sigma)
        holds = abs(found - expected) < 5 * error + 0.003
        findings.append(Finding(f"rate_{sigma:g}", f"× {np.exp(expected):.4f}", f"× {np.exp(found):.4f}", holds))
    return findings


def _draw(tables: Tables, words: Words) -> dict[str, Figure]:
    drawn = {"slope": _slope_picture(words), "factors": _factors(words)}
    panel = pictures.axes()
    for number, sigma in enumerate(SIGMAS):
        one = tables["decay"][tables["decay"]["sigma_w"] == sigma].set_index("layer")
        band = one[["low", "median", "high"]].apply(np.exp)
        pictures.curve(panel, band, pictures.COLOURS[number], words("sigma", value=f"{sigma:g}"))
    panel.set(xlabel=words("factors_count"), ylabel=words("product"), yscale="log", ylim=(1e-45, 1e5))
    panel.legend(loc="lower left")
    return drawn | {"decay": pictures.of(panel)}


def _slope_picture(words: Words) -> Figure:
    panel, z = pictures.axes(), np.linspace(-8, 8, 401)
    panel.plot(z, special.expit(z), color=pictures.COLOURS[3], label="σ(z)")
    panel.plot(z, slope(z), color=pictures.COLOURS[0], label="σ′(z)")
    panel.plot([0], [0.25], "o", color=pictures.COLOURS[0], markersize=5)
    panel.annotate(words("maximum"), (0, 0.25), (1.2, 0.32), fontsize=9)
    panel.set(xlabel="z", ylim=(0, 1.05))
    panel.legend(loc="upper left")
    return pictures.of(panel)


def _factors(words: Words) -> Figure:
    """Draw the distribution of |w| and of |w s'(z)| for w, b ~ N(0, 1), a = s(N(0, 1))."""
    rng = np.random.default_rng(0)
    w, b, a = rng.normal(size=(3, 400_000))
    factor = np.abs(w) * slope(w * special.expit(a) + b)
    panel, bins = pictures.axes(), np.linspace(0, 4.5, 136)
    panel.hist(factor, bins, density=True, color=pictures.COLOURS[0], alpha=0.8, label="|w σ′(z)|")
    x = np.linspace(0, 4.5, 300)
    panel.plot(x, 2 * stats.norm.pdf(x), color=pictures.COLOURS[3], label="|w|")
    panel.axvline(1, color=pictures.INK, linestyle="--", linewidth=1)
    panel.axvline(4, color=pictures.INK, linestyle=":", linewidth=1)
    panel.set(xlabel=words("size"), ylabel=words("density"), yscale="log", ylim=(1e-5, 30), xlim=(0, 4.5))
    panel.legend(loc="upper right", bbox_to_anchor=(0.87, 1))
    return pictures.of(panel)


def _show(tables: Tables, words: Words) -> Tables:
    derivation = tables["derivation"].copy()
    derivation["rule"] = [
        words(f"rule.{name}" if name == "Δz1" else f"rule.{name[:2]}") for name in derivation["quantity"]
    ]
    derivation = derivation[["quantity", "rule", "change", "predicted", "over_first"]]
    derivation.columns = pd.Index([words(key) for key in ("quantity", "rule", "measured", "expected", "over")])
    gradients = tables["gradients"].copy()
    gradients["parameter"] = [
        f"dC/d{one}{layer}" for one, layer in zip(gradients["parameter"], gradients["layer"], strict=True)
    ]
    gradients = gradients[["parameter", "product", "difference", "backprop"]]
    gradients.columns = pd.Index([words(key) for key in ("derivative", "by_product", "by_difference", "by_backprop")])
    return {"derivation": derivation, "gradients": gradients}


LESSON = Lesson("chain", _measure, _draw, _find, TEXTS, _show)
