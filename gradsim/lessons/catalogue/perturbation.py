"""Lesson: a small change in the first layer on its way through the network, and the gradient as its limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from gradsim.lessons.images import load_images
from gradsim.lessons.lesson import Finding, Lesson, Settings, Tables, watched, within
from gradsim.lessons.texts.perturbation import TEXTS
from gradsim.report import style
from gradsim.report.languages import Words
from gradsim.theory import mean_field
from gradsim.training import Data, Recipe, draw_starts, trainer_for
from gradsim_core.training.layout import views

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

HIDDEN = (30, 30, 30, 30)
CHANGE = 1e-4
IMAGES = 100
SIZES = 10.0 ** np.arange(-12, 0.51, 0.5)
"""Changes h of a parameter in finite differences."""
ORDERS = {"forward": 1, "central": 2}
"""Order p of each difference: its truncation error grows as h^p."""
ROUNDING = 1e-10, 2e-8
TRUNCATION = {"forward": (1e-3, 2e-2), "central": (1e-2, 1e-1)}
"""Ranges of changes in which rounding, or truncation, dominates the error."""
WEIGHT, BIAS = 1.0, -0.5
"""Weight and bias of the chain that squashes an interval: symmetric, since w a + b = 0 at a = 1/2."""


class Layered(NamedTuple):
    """Weights (fan_out, fan_in) and biases (fan_out,) of every layer."""

    weights: list[Array]
    biases: list[Array]


def perturbation(networks: int = 50, seed: int = 1) -> pd.DataFrame:
    """Change one bias, and one weight, of the first layer of random sigmoid networks and follow the change.

    Networks 784-30-30-30-30-10, W ~ N(0, 1/fan_in), b ~ N(0, 1), 100 MNIST images.

    Returns
    -------
    DataFrame
        A row per (replica, parameter, layer): weighted_input and activation, the lengths of the changes of z^l and a^l
        over the change of the parameter, root mean square over the images.
    """
    with watched("perturbation", seed) as settings:
        return _follow(networks, settings)


def preactivations(network: Layered, images: Array) -> list[Array]:
    """Return z^l = W^l a^(l-1) + b^l of all layers, where a = s(z)."""
    z, a = [], images
    for weights, biases in zip(*network, strict=True):
        z.append(a @ weights.T + biases)
        a = special.expit(z[-1])
    return z


def cost(network: Layered, data: Data) -> float:
    """Return the mean cross-entropy."""
    z = preactivations(network, data.images.astype(np.float64))[-1]
    return float(-(data.targets * special.log_expit(z) + (1 - data.targets) * special.log_expit(-z)).sum() / len(z))


def _networks(count: int, data: Data, seed: int) -> list[tuple[Layered, Layered]]:
    """Draw random networks, each with the gradient of its cost by the compiled back-propagation in float64."""
    recipe = Recipe(hidden=HIDDEN, epochs=0, replicas=count, seed=seed, dtype="float64")
    trainer, result = trainer_for(recipe, data), []
    flat = trainer.data(data.images, data.targets)

    def layered(parameters: NDArray[np.floating]) -> Layered:
        parts = [(w.astype(np.float64), b.astype(np.float64)) for w, b, _ in views(trainer.network, parameters)]
        return Layered([w for w, _ in parts], [b for _, b in parts])

    for parameters in draw_starts(recipe, data, trainer):
        result.append((layered(parameters), layered(trainer.gradient(parameters, flat)[0])))
    return result


def _changed(network: Layered, parameter: str, place: tuple[int, int], change: float) -> Layered:
    """The network with one bias or one weight of the first layer changed."""
    weights, biases = list(network.weights), list(network.biases)
    if parameter == "bias":
        biases[0] = biases[0].copy()
        biases[0][place[0]] += change
    else:
        weights[0] = weights[0].copy()
        weights[0][place] += change
    return Layered(weights, biases)


def _place(images: Array, rng: np.random.Generator) -> tuple[int, int]:
    """Draw a neuron of the first layer, and an input whose mean over the images exceeds 0.2."""
    return int(rng.integers(HIDDEN[0])), int(rng.choice(np.flatnonzero(images.mean(axis=0) > 0.2)))


def _length(changes: Array) -> float:
    """Length of a change, root mean square over the images."""
    return float(np.sqrt((changes**2).sum(axis=1).mean()))


def _follow(networks: int, settings: Settings) -> pd.DataFrame:
    data, frames = load_images(IMAGES), []
    images = data.images.astype(np.float64)
    for replica, (network, _) in enumerate(_networks(networks, data, settings.seed)):
        before, place = preactivations(network, images), _place(images, np.random.default_rng([settings.seed, replica]))
        for parameter in ("bias", "weight"):
            after = preactivations(_changed(network, parameter, place, CHANGE), images)
            activations = [special.expit(z2) - special.expit(z) for z, z2 in zip(before, after, strict=True)]
            columns = {
                "replica": replica,
                "parameter": parameter,
                "layer": np.arange(1, len(before) + 1),
                "weighted_input": [_length(z2 - z) / CHANGE for z, z2 in zip(before, after, strict=True)],
                "activation": [_length(change) / CHANGE for change in activations],
            }
            frames.append(pd.DataFrame(columns))
        settings.report(1 / networks)
    return pd.concat(frames, ignore_index=True)


def _along(network: Layered, parameter: str, place: tuple[int, int], data: Data) -> Callable[[float], float]:
    """The cost as a function of the change of one parameter."""
    return lambda change: cost(_changed(network, parameter, place, change), data)


def _differences(networks: int, settings: Settings) -> pd.DataFrame:
    """Relative error of finite differences of the cost by a parameter of the first layer, against back-propagation."""
    data, rows = load_images(IMAGES), []
    for replica, (network, gradient) in enumerate(_networks(networks, data, settings.seed)):
        place = _place(data.images.astype(np.float64), np.random.default_rng([settings.seed, replica]))
        for parameter, exact in (("bias", gradient.biases[0][place[0]]), ("weight", gradient.weights[0][place])):
            moved = _along(network, parameter, place, data)
            best, here = best_changes(moved), moved(0.0)
            for size in SIZES:
                above, below = moved(size), moved(-size)
                for kind, found in (("forward", (above - here) / size), ("central", (above - below) / (2 * size))):
                    rows.append((replica, parameter, kind, size, found, exact, abs(found / exact - 1), best[kind]))
        settings.report(1 / networks)
    columns = ["replica", "parameter", "kind", "size", "difference", "derivative", "error", "best"]
    return pd.DataFrame(rows, columns=columns)


def best_changes(function: Callable[[float], float], h: float = 1e-2) -> dict[str, float]:
    """Return the changes at which forward and central differences of a function at 0 have the least error.

    Rounding is about eps C / h; truncation h |C2| / 2 and h^2 |C3| / 6, with the second and third derivative C2 and C3,
    which are taken from differences at a large h. Each sum is least at sqrt(2 eps C / |C2|) and (3 eps C / |C3|)^(1/3).
    """
    c = [function(step * h) for step in (-2, -1, 0, 1, 2)]
    second, third = (c[3] - 2 * c[2] + c[1]) / h**2, (c[4] - 2 * c[3] + 2 * c[1] - c[0]) / (2 * h**3)
    rounding = np.finfo(np.float64).eps * abs(c[2])
    return {"forward": (2 * rounding / abs(second)) ** 0.5, "central": (3 * rounding / abs(third)) ** (1 / 3)}


def crossings(differences: pd.DataFrame) -> pd.DataFrame:
    """Return the best changes, measured and predicted.

    Measured: the minimum of a / h + b h^p, fitted to the two branches of the error.
    """
    rows = []
    for kind, order in ORDERS.items():
        for (replica, parameter), table in differences[differences["kind"] == kind].groupby(["replica", "parameter"]):
            falls, grows = (
                np.exp(np.log(branch["error"] / branch["size"] ** power).mean())
                for power, ends in ((-1, ROUNDING), (order, TRUNCATION[kind]))
                for branch in [table[table["size"].between(*ends)]]
            )
            measured = (falls / (order * grows)) ** (1 / (order + 1))
            rows.append((replica, parameter, kind, table["best"].iloc[0], measured))
    return pd.DataFrame(rows, columns=["replica", "parameter", "kind", "predicted", "measured"])


def _squash() -> pd.DataFrame:
    """Follow an interval of inputs through a chain of single neurons: columns layer, input, value."""
    inputs = np.linspace(0, 1, 11)
    frames, value = [], inputs
    for layer in range(len(HIDDEN) + 1):
        frames.append(pd.DataFrame({"layer": layer, "input": inputs, "value": value}))
        value = special.expit(WEIGHT * value + BIAS)
    return pd.concat(frames, ignore_index=True)


def _measure(settings: Settings) -> Tables:
    changes = _follow(settings.choose(200, 40), settings.part(0.2))
    differences = _differences(settings.choose(40, 8), settings.part(0.8))
    return {"changes": changes, "differences": differences, "best": crossings(differences), "interval": _squash()}


def steepness(table: pd.DataFrame, kind: str, low: float, high: float) -> float:
    """Return the slope of ln(median error) against ln(size) between two sizes."""
    chosen = table[(table["kind"] == kind) & table["size"].between(low * 0.99, high * 1.01)]
    middle = chosen.groupby("size")["error"].median()
    return float(np.polyfit(np.log(middle.index), np.log(middle), 1)[0])


def _find(tables: Tables) -> list[Finding]:
    changes, differences = tables["changes"], tables["differences"]
    expected = mean_field("sigmoid", sigma_w=1.0, sigma_b=1.0).chi_1 ** 0.5
    wide = changes[changes["parameter"] == "bias"].pivot(index="replica", columns="layer", values="activation")
    last = len(HIDDEN)
    factor = float(((wide[last] / wide[2]) ** (1 / (last - 2))).median())
    ends = tables["interval"].groupby("layer")["value"].agg(np.ptp).to_numpy()
    shrunk = float((ends[1:] / ends[:-1]).max())
    least = differences.groupby(["kind", "replica", "parameter"])["error"].min().groupby("kind").median()
    best = tables["best"].groupby("kind")[["predicted", "measured"]].median()
    branches = {"rounding": ("forward", 1e-11, 1e-9, -1), "truncation": ("forward", 1e-3, 1e-1, 1),
                "central": ("central", 1e-2, 1e-1, 2)}  # fmt: skip
    slopes = {key: (steepness(differences, *branch[:3]), branch[3]) for key, branch in branches.items()}
    return [
        within("factor", f"{expected:.3f}", factor, 0.85 * expected, 1.15 * expected, "{:.3f}"),
        Finding("interval", "≤ 0.25", f"{shrunk:.3f}", shrunk <= 0.25 * WEIGHT),
        Finding("agree", "0", f"{least['forward']:.0e}, {least['central']:.0e}",
                bool(least["forward"] < 1e-4 > least["central"]), "< 1e-04"),
        *(within(key, f"{wanted:+d}", found, wanted - 0.3, wanted + 0.3, "{:+.2f}")
          for key, (found, wanted) in slopes.items()),
        *(within(f"best_{kind}", f"{row['predicted']:.0e}", row["measured"], row["predicted"] / 4, 4 * row["predicted"],
                 "{:.0e}")
          for kind, row in best.loc[list(ORDERS)].iterrows()),
    ]  # fmt: skip


def _draw(tables: Tables, words: Words) -> dict[str, Figure]:
    return {
        "changes": _changes(tables["changes"], words), "interval": _interval(tables["interval"], words),
        "agreement": _agreement(tables["differences"], words),
        "errors": _errors(tables["differences"], tables["best"], words),
    }  # fmt: skip


def _changes(table: pd.DataFrame, words: Words) -> Figure:
    panel = style.axes()
    for number, parameter in enumerate(("bias", "weight")):
        band = style.bands(table[table["parameter"] == parameter], "layer", "activation")
        style.curve(panel, band, style.COLOURS[(0, 3)[number]], words(parameter), marker="o")
    layers = np.arange(1, len(HIDDEN) + 2)
    expected = mean_field("sigmoid", sigma_w=1.0, sigma_b=1.0).chi_1 ** 0.5
    panel.plot(layers, expected**layers, "--", color=style.INK, linewidth=1,
               label=words("theory", value=f"{expected:.3f}"))  # fmt: skip
    panel.set(xlabel=words("layer"), ylabel=words("change"), yscale="log", xticks=layers)
    panel.legend(loc="lower left")
    return style.figure_of(panel)


def _interval(table: pd.DataFrame, words: Words) -> Figure:
    panel = style.axes()
    wide = table.pivot(index="layer", columns="input", values="value")
    for place in wide.columns:
        panel.plot(wide.index, wide[place], color=style.COLOURS[3], linewidth=0.9, alpha=0.7)
    for layer, row in wide.iterrows():
        panel.plot([layer, layer], [row.min(), row.max()], color=style.COLOURS[0], linewidth=4, solid_capstyle="butt")
        panel.annotate(
            f"{np.ptp(row):.2g}", (layer, row.max()), (0, 5), textcoords="offset points", ha="center", fontsize=9
        )
    panel.set(xlabel=words("layer"), ylabel=words("activation"), xticks=wide.index, ylim=(-0.05, 1.15))
    panel.margins(x=0.08)
    return style.figure_of(panel)


def _agreement(table: pd.DataFrame, words: Words) -> Figure:
    panel = style.axes()
    chosen = table[(table["kind"] == "central") & np.isclose(table["size"], 1e-4)]
    for number, parameter in enumerate(("bias", "weight")):
        rows = chosen[chosen["parameter"] == parameter]
        panel.plot(rows["derivative"].abs(), rows["difference"].abs(), "o", color=style.COLOURS[(0, 3)[number]],
                   markersize=4, label=words(parameter))  # fmt: skip
    ends = np.array([chosen["derivative"].abs().min() / 2, chosen["derivative"].abs().max() * 2])
    panel.plot(ends, ends, color=style.INK, linewidth=1)
    panel.set(xlabel=words("derivative"), ylabel=words("difference"), xscale="log", yscale="log")
    panel.legend(loc="upper left")
    return style.figure_of(panel)


def _errors(table: pd.DataFrame, best: pd.DataFrame, words: Words) -> Figure:
    panel = style.axes()
    for number, kind in enumerate(("forward", "central")):
        band = style.bands(table[table["kind"] == kind], "size", "error")
        style.curve(panel, band.clip(lower=1e-12), style.COLOURS[(0, 3)[number]], words(kind))
        place = best[best["kind"] == kind]["predicted"].median()
        panel.axvline(place, color=style.COLOURS[(0, 3)[number]], linestyle="--", linewidth=1)
    panel.set(xlabel=words("size"), ylabel=words("error"), xscale="log", yscale="log", xlim=(SIZES[0], SIZES[-1]))
    panel.legend(loc="lower left")
    return style.figure_of(panel)


LESSON = Lesson("perturbation", _measure, _draw, _find, TEXTS)
