"""Lesson: the same product through time: gradients of a recurrent network, and the limits of its memory."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradsim.lessons.lesson import Finding, Lesson, Settings, Tables, watched, within
from gradsim.lessons.texts.recurrent import TEXTS
from gradsim.report import style
from gradsim.report.languages import Words
from gradsim.system.threads import ThreadPool, resolve_threads
from gradsim_core.activations import resolve_activation
from gradsim_core.training.descent import Rule
from gradsim_core.training.recurrent_trainer import RecurrentTrainer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

WIDTH, REMEMBERED, DISTRACTORS = 32, 4, 2
STEEPEST = {"linear": 1.0, "relu": 1.0, "tanh": 1.0, "sigmoid": 0.25}
"""The largest |phi'| of each activation."""
RADII = (0.5, 0.8, 1.0, 1.2, 2.0)
ORTHOGONAL = "orthogonal"
MEMORIES = (("tanh", "0.5"), ("tanh", "0.9"), ("tanh", ORTHOGONAL), ("sigmoid", ORTHOGONAL))
DISTANCES = (2, 5, 10, 20, 50, 100, 200)
RULE = Rule(batch=32, eta=0.1, momentum=0.9, clip=1.0)
CALL_SYMBOLS = 200_000
"""Symbols of one call of the kernel, about 0.2 s of one core: a stop is noticed between calls."""


class Kind(NamedTuple):
    """Activation and matrix: "orthogonal", or the spectral radius of a matrix with independent normal entries."""

    activation: str
    matrix: str


def recurrent(replicas: int = 16, steps: int = 60, seed: int = 1, threads: int | None = None) -> pd.DataFrame:
    """Follow the error back through time in random recurrent networks with one tied matrix.

    32 neurons, one-hot inputs of 6 symbols, softmax output after the last step; 8 sequences a network.

    Returns
    -------
    DataFrame
        A row per (activation, matrix, replica, distance): ratio, the median over sequences of |delta_(T-k)|/|delta_T|
        at distance k, and to_bound, the largest ratio over (max|phi'| sigma_max(W))^k, the bound of Pascanu, Mikolov
        and Bengio (arXiv:1211.5063), which no sequence can exceed.
    """
    with watched("recurrent", seed, threads) as settings:
        return _gradients(replicas, steps, settings)


def draw_matrix(matrix: str, rng: np.random.Generator) -> Array:
    """Draw W: orthogonal (Haar), or normal with the spectral radius that the name says."""
    normal = rng.normal(size=(WIDTH, WIDTH))
    if matrix == ORTHOGONAL:
        q, r = np.linalg.qr(normal)
        return np.asarray(q * np.sign(np.diag(r)))
    return np.asarray(normal * (float(matrix) / np.abs(np.linalg.eigvals(normal)).max()))


def build(kind: Kind, seed: int, replica: int, dtype: str) -> tuple[RecurrentTrainer, NDArray[np.floating]]:
    """Make a network and its random parameters; U and V of a replica are the same for every kind."""
    rng = np.random.default_rng([seed, replica])
    trainer = RecurrentTrainer(REMEMBERED + DISTRACTORS, WIDTH, resolve_activation(kind.activation), dtype=dtype)
    parameters = trainer.parameters()
    parts = trainer.views(parameters)
    parts.U[:], parts.V[:] = 0.5 * rng.normal(size=parts.U.shape), rng.normal(size=parts.V.shape) / WIDTH**0.5
    parts.W[:] = draw_matrix(kind.matrix, rng)
    return trainer, parameters


def draw_sequences(rng: np.random.Generator, shape: tuple[int, ...], steps: int) -> NDArray[np.int64]:
    """Draw sequences that begin with a symbol to remember, 0 … 3, and go on with distractors, 4 and 5."""
    symbols = rng.integers(REMEMBERED, REMEMBERED + DISTRACTORS, (*shape, steps))
    symbols[..., 0] = rng.integers(0, REMEMBERED, shape)
    return symbols


def _gradients(replicas: int, steps: int, settings: Settings) -> pd.DataFrame:
    kinds = [Kind(name, matrix) for name in STEEPEST for matrix in (*map(str, RADII), ORTHOGONAL)]
    frames = []
    for kind in kinds:
        for replica in range(replicas):
            trainer, parameters = build(kind, settings.seed, replica, "float64")
            symbols = draw_sequences(np.random.default_rng([settings.seed, replica, 1]), (8,), steps)
            lengths = trainer.back_propagate(parameters, symbols, symbols[:, 0])[-1][:, ::-1]
            # Saturated outputs that are right have no error at the end, so there is nothing to propagate.
            lengths = lengths[lengths[:, 0] > 1e-100]
            ratios, distance = lengths / lengths[:, :1], np.arange(steps)
            largest = STEEPEST[kind.activation] * np.linalg.norm(trainer.views(parameters).W, 2)
            columns = {"replica": replica, "distance": distance, "ratio": np.median(ratios, axis=0),
                       "to_bound": (ratios / largest**distance).max(axis=0)}  # fmt: skip
            frames.append(pd.DataFrame(columns).assign(activation=kind.activation, matrix=kind.matrix))
        settings.report(1 / len(kinds))
    return pd.concat(frames, ignore_index=True)


def _remember(
    kind: Kind, distance: int, replica: int, batches: int, seed: int, check: Callable[[], None]
) -> dict[str, object]:
    """Train one network to name the first symbol of a sequence: its final error, and its gradient before training.

    `check` is called several times a second; what it raises ends the training.
    """
    trainer, parameters = build(kind, seed, replica, "float32")
    exact, start = build(kind, seed, replica, "float64")
    rng = np.random.default_rng([seed, replica, distance, 2])
    symbols = draw_sequences(rng, (batches, RULE.batch), distance)
    targets = symbols[..., 0].copy()
    lengths = exact.back_propagate(start, symbols[0], targets[0])[-1]
    velocity, chunk, parts = trainer.parameters(), max(1, CALL_SYMBOLS // (RULE.batch * distance)), []
    for first in range(0, batches, chunk):
        check()
        steps = slice(first, first + chunk)
        parts.append(trainer.descend(RULE, parameters, velocity, symbols[steps], targets[steps]))
    history = np.concatenate(parts)
    ratio = float(np.median(lengths[:, 0] / lengths[:, -1]))
    error = float(history[-max(batches // 20, 1) :, 1].mean())
    return {"activation": kind.activation, "matrix": kind.matrix, "distance": distance, "replica": replica,
            "error": error, "ratio": ratio}  # fmt: skip


def _memories(replicas: int, batches: int, distances: tuple[int, ...], settings: Settings) -> pd.DataFrame:
    jobs = [
        (Kind(*kind), distance, replica) for kind in MEMORIES for distance in distances for replica in range(replicas)
    ]
    total = sum(distance for _, distance, _ in jobs)

    def run(job: tuple[Kind, int, int]) -> dict[str, object]:
        row = _remember(*job, batches, settings.seed, pool.check)
        settings.report(job[1] / total)
        return row

    with ThreadPool(resolve_threads(settings.threads)) as pool:
        return pd.DataFrame(list(pool.map(run, jobs)))


def _measure(settings: Settings) -> Tables:
    gradients = _gradients(settings.choose(16, 4), 60, settings.part(0.2))
    distances = DISTANCES[: settings.choose(7, 4)]
    memories = _memories(settings.choose(16, 2), settings.choose(2000, 600), distances, settings.part(0.8))
    return {"gradients": gradients, "memory": memories}


def rate(table: pd.DataFrame, activation: str, matrix: str, first: int = 20) -> Array:
    """Return the growth per step back in time of each replica, from `first` steps back to the largest distance."""
    chosen = table[(table["activation"] == activation) & (table["matrix"] == matrix)]
    wide = chosen.pivot(index="replica", columns="distance", values="ratio")
    last = int(wide.columns.max())
    return np.asarray((wide[last] / wide[first]) ** (1 / (last - first)), np.float64)


def _find(tables: Tables) -> list[Finding]:
    table, memory = tables["gradients"], tables["memory"]
    bound = table[table["distance"] > 0]["to_bound"].max()
    same = table[(table["activation"] == "linear") & (table["matrix"] == ORTHOGONAL)]["ratio"]
    findings = [
        Finding("bound", "≤ 1", f"{bound:.6f}", bool(bound <= 1 + 1e-9)),
        within("orthogonal", "0", float(np.abs(same - 1).max()), -inf, 1e-10, "{:.0e}"),
    ]
    for radius in (RADII[0], RADII[-1]):
        found = float(np.median(rate(table, "linear", str(radius))))
        findings.append(within(f"radius_{radius}", f"{radius:g}", found, 0.94 * radius, 1.06 * radius, "{:.2f}"))
    fastest = float(rate(table, "sigmoid", "2.0").max())
    findings.append(Finding("sigmoid", "< 1", f"{fastest:.3f}", fastest < 1))
    chance = 1 - 1 / REMEMBERED
    ends = memory[(memory["activation"] == "sigmoid")].groupby("distance")["error"].median()
    near, far = ends.iloc[0], ends.iloc[-1]
    findings.append(within("near", "0%", near, -inf, 0.1, "{:.0%}"))
    findings.append(within("far", f"{chance:.0%}", far, chance - 0.1, chance + 0.1, "{:.0%}"))
    failed = memory["error"] > chance / 2
    lost, kept = memory[failed]["ratio"].median(), memory[~failed]["ratio"].median()
    return [*findings, within("because", "≪ 1", lost / kept, -inf, 0.01, "{:.1g}")]


def _draw(tables: Tables, words: Words) -> dict[str, Figure]:
    table, drawn = tables["gradients"], {}
    for activation in STEEPEST:
        panel = style.axes()
        chosen = table[table["activation"] == activation]
        for number, matrix in enumerate((*map(str, RADII), ORTHOGONAL)):
            name = words("orthogonal") if matrix == ORTHOGONAL else f"ρ = {float(matrix):g}"
            band = style.bands(chosen[chosen["matrix"] == matrix], "distance", "ratio")
            style.curve(panel, band.clip(lower=1e-40), style.COLOURS[number], name)
        panel.set(xlabel=words("distance"), ylabel=words("ratio"), yscale="log", ylim=(1e-30, 1e30), xlim=(0, 60))
        panel.set_title(activation)
        panel.legend(ncols=3, loc="upper left", fontsize=9, columnspacing=1)
        drawn[f"gradient_{activation}"] = style.figure_of(panel)
    return drawn | {"memory": _memory(tables["memory"], words), "because": _because(tables["memory"], words)}


def _named(kind: tuple[str, str], words: Words) -> str:
    matrix = words("orthogonal") if kind[1] == ORTHOGONAL else f"ρ = {kind[1]}"
    return f"{kind[0]}, {matrix}"


def _chance(panel: Axes, words: Words) -> None:
    level = 100 * (1 - 1 / REMEMBERED)
    panel.axhline(level, color=style.INK, linestyle="--", linewidth=1, label=words("chance"))
    panel.set(ylabel=words("error"), yticks=range(0, 101, 20))


def _memory(table: pd.DataFrame, words: Words) -> Figure:
    panel = style.axes()
    for number, kind in enumerate(MEMORIES):
        chosen = table[(table["activation"] == kind[0]) & (table["matrix"] == kind[1])]
        style.curve(panel, 100 * style.bands(chosen, "distance", "error"), style.COLOURS[number],
                       _named(kind, words), marker="o", markersize=4)  # fmt: skip
    _chance(panel, words)
    ticks = sorted(table["distance"].unique())
    panel.set(xlabel=words("length"), xscale="log", xticks=ticks)
    panel.set_xticklabels([str(tick) for tick in ticks])
    panel.minorticks_off()
    panel.legend(ncols=2, loc="upper left", fontsize=9, columnspacing=1)
    panel.set_ylim(-4, 128)
    return style.figure_of(panel)


def _because(table: pd.DataFrame, words: Words) -> Figure:
    panel = style.axes()
    for number, kind in enumerate(MEMORIES):
        chosen = table[(table["activation"] == kind[0]) & (table["matrix"] == kind[1])]
        panel.plot(chosen["ratio"].clip(lower=1e-40), 100 * chosen["error"], "o", color=style.COLOURS[number],
                   markersize=4, alpha=0.6, label=_named(kind, words))  # fmt: skip
    _chance(panel, words)
    panel.set(xlabel=words("start"), xscale="log", xlim=(1e-41, 1e3))
    panel.legend(ncols=2, loc="upper left", fontsize=9, columnspacing=1)
    panel.set_ylim(-4, 128)
    return style.figure_of(panel)


LESSON = Lesson("recurrent", _measure, _draw, _find, TEXTS)
