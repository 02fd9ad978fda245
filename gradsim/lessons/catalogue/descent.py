"""Lesson: gradient descent: the direction of steepest descent, steps that are too large, and batches of three sizes."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gradsim.lessons.experiments.cost_slice import PATHS, Slice, directions, factors, paths, surface
from gradsim.lessons.images import load_images
from gradsim.lessons.lesson import Finding, Lesson, Settings, Tables, watched, within
from gradsim.lessons.texts.descent import TEXTS
from gradsim.report import style
from gradsim.report.languages import Words
from gradsim.training import Data, Recipe, draw_starts, train, trainer_for
from gradsim_core.training.layout import views

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BATCHES = {1000: (1.0, 2.0, 5.0), 10: (0.5, 1.0, 2.0), 1: (0.1, 0.2, 0.5)}
"""Batch sizes, and the values of eta that are tried for each: the best one has a larger and a smaller neighbour."""
LONGER = 10
"""Factor by which whole batches train for more epochs, so that they compare with batches of ten step by step."""
NETWORKS = ((30,), (30, 30, 30))
"""Hidden layers of the networks in which noise is measured: the one that is trained, and a deeper one."""


def descent(replicas: int = 16, epochs: int = 40, seed: int = 1, threads: int | None = None) -> pd.DataFrame:
    """Train 784-30-10 with whole batches, mini-batches of ten and single samples, each with several values of eta.

    Returns
    -------
    DataFrame
        A row per (batch, eta, replica, epoch): cost, error (share of wrong answers), samples (images seen so far) and
        updates (steps so far). `best` marks the eta whose median cost at the end is lowest. Whole
        batches go on for ten times as many epochs.
    """
    with watched("descent", seed, threads) as settings:
        return _train(replicas, epochs, settings)


def _train(replicas: int, epochs: int, settings: Settings) -> pd.DataFrame:
    count = len(load_images().images)
    lengths = {batch: epochs * (LONGER if batch == count else 1) for batch in BATCHES}
    total, frames = replicas * sum(lengths[batch] * len(etas) for batch, etas in BATCHES.items()), []
    for batch, eta in [(batch, eta) for batch, etas in BATCHES.items() for eta in etas]:
        recipe = Recipe(
            hidden=(30,), epochs=lengths[batch], batch=batch, eta=eta, replicas=replicas, seed=settings.seed
        )
        trained = train(recipe, load_images(), threads=settings.threads, report=settings.epochs(total))
        frames.append(trained.history.assign(batch=batch, eta=eta))
    table = pd.concat(frames, ignore_index=True)
    table["samples"] = table["epoch"] * count
    table["updates"] = table["epoch"] * -(-count // table["batch"])
    last = table[table["epoch"] == table["batch"].map(lengths)].groupby(["batch", "eta"])["cost"].median().reset_index()
    best = last.loc[last.groupby("batch")["cost"].idxmin()].set_index("batch")["eta"]
    table["best"] = table["eta"] == table["batch"].map(best)
    return table


def noise(hidden: tuple[int, ...], replicas: int, draws: int, settings: Settings) -> pd.DataFrame:
    """Measure how far the gradient of a random batch lies from that of the whole set, layer by layer.

    The length of the difference over the length of the whole gradient, root mean square over batches drawn without
    replacement; `predicted` from the exact spread of single samples: sqrt((n - m) / (m (n - 1))) times it.
    """
    data, frames = load_images(), []
    recipe = Recipe(hidden=hidden, epochs=0, replicas=replicas, seed=settings.seed, dtype="float64")
    trainer = trainer_for(recipe, data)
    for replica, parameters in enumerate(draw_starts(recipe, data, trainer)):
        rng = np.random.default_rng([settings.seed, replica])

        def gradients(rows: np.ndarray, parameters: np.ndarray = parameters) -> list[np.ndarray]:
            flat = trainer.data(data.images[rows], data.targets[rows])
            return [weights.copy() for weights, _, _ in views(trainer.network, trainer.gradient(parameters, flat)[0])]

        count = len(data.images)
        whole, single = gradients(np.arange(count)), np.zeros(0)
        for batch in (1, 10, 100):
            batches = [np.array([k]) for k in range(count)] if batch == 1 else [
                rng.choice(count, batch, replace=False) for _ in range(draws)]  # fmt: skip
            squares = np.zeros(len(whole))
            for rows in batches:
                squares += [((g - w) ** 2).sum() / (w**2).sum() for g, w in zip(gradients(rows), whole, strict=True)]
            measured = np.sqrt(squares / len(batches))
            single = measured if batch == 1 else single
            predicted = single * np.sqrt((count - batch) / (batch * (count - 1)))
            columns = {"layer": np.arange(1, len(whole) + 1), "noise": measured, "predicted": predicted}
            frames.append(pd.DataFrame(columns).assign(hidden=len(hidden), replica=replica, batch=batch))
        settings.report(1 / replicas)
    return pd.concat(frames, ignore_index=True)


def _measure(settings: Settings) -> Tables:
    data = load_images()
    part = Data(data.images[:300], data.targets[:300])
    training = _train(settings.choose(16, 4), settings.choose(40, 10), settings.part(0.5))
    plane = Slice(part, settings.seed)
    tables = {"training": training, "surface": surface(plane, settings.choose(41, 15)), "paths": paths(plane),
              "directions": directions(plane), "steps": factors(plane)}  # fmt: skip
    settings.report(0.2)
    share, replicas, draws = settings.part(0.3 / len(NETWORKS)), settings.choose(8, 2), settings.choose(300, 60)
    frames = [noise(hidden, replicas, draws, share) for hidden in NETWORKS]
    return tables | {"noise": pd.concat(frames, ignore_index=True)}


def _find(tables: Tables) -> list[Finding]:
    table, steps, spread = tables["directions"], tables["steps"], tables["noise"]
    steepest = table["angle"].iloc[int(table["change"].argmin())]
    gap = (steepest - table["predicted_angle"].iloc[0] + 180) % 360 - 180
    worst = (steps["factor"] - steps["predicted"]).abs().max()
    beyond = steps[steps["step"] > 1]  # where the factor grows with the step
    limit = float(np.interp(1, beyond["factor"], beyond["step"]))
    ratio = (spread["noise"] / spread["predicted"])[spread["batch"] > 1]
    curves = tables["training"][tables["training"]["best"]]
    by_epoch, by_step = (curves.groupby(["batch", over])["cost"].median() for over in ("epoch", "updates"))
    last, steps_taken = curves[curves["batch"] == 10]["epoch"].max(), curves[curves["batch"] == 1000]["updates"].max()
    epochs = by_epoch[1000, last] / by_epoch[10, last]
    equal = by_step[1000, steps_taken] / by_step[10, steps_taken]
    return [
        within("steepest", "0°", gap, -2.6, 2.6, "{:.1f}°"),
        within("factor", "0", worst, -inf, 0.03, "{:.3f}"),
        within("diverges", "2", limit, 1.98, 2.02, "{:.3f}"),
        Finding(
            "noise", "1", f"{ratio.min():.2f} … {ratio.max():.2f}", bool(ratio.sub(1).abs().max() < 0.2), "0.80 … 1.20"
        ),
        Finding("epochs", "> 1", f"{epochs:.0f}", bool(epochs > 1)),
        Finding("steps", "< 1", f"{equal:.2f}", bool(equal < 1)),
    ]


def _draw(tables: Tables, words: Words) -> dict[str, Figure]:
    return {
        "slice": _slice(tables, words), "directions": _directions(tables["directions"], words),
        "steps": _steps(tables["steps"], words), "epochs": _curves(tables["training"], "epoch", words),
        "updates": _curves(tables["training"], "updates", words),
        **{f"noise_{hidden}": _noise(rows, words) for hidden, rows in tables["noise"].groupby("hidden")},
    }  # fmt: skip


def _slice(tables: Tables, words: Words) -> Figure:
    grid, panel = tables["surface"].pivot(index="y", columns="x", values="cost"), style.axes(4.2)
    levels = np.unique(np.quantile(grid.to_numpy(), np.linspace(0.01, 0.97, 14)))
    filled = panel.contourf(grid.columns, grid.index, grid, levels, cmap="Blues", extend="both", alpha=0.75)
    for number, name in enumerate(PATHS):
        path = tables["paths"][tables["paths"]["path"] == name]
        panel.plot(path["x"], path["y"], "o-", color=style.COLOURS[(0, 1, 3)[number]], markersize=3, linewidth=1.2,
                   label=words(name))  # fmt: skip
    panel.set(xlabel=words("first"), ylabel=words("second"), xlim=(grid.columns[0], grid.columns[-1]),
              ylim=(grid.index[0], grid.index[-1]))  # fmt: skip
    panel.grid(False)
    whole = style.figure_of(panel)
    whole.colorbar(filled, ax=panel, ticks=levels[::3], format="%.2f", label=words("cost"))
    whole.legend(*panel.get_legend_handles_labels(), ncols=3, loc="outside lower center")
    return whole


def _directions(table: pd.DataFrame, words: Words) -> Figure:
    panel = style.axes()
    panel.plot(table["angle"], table["predicted"], color=style.INK, linewidth=1, label=words("cosine"))
    panel.plot(table["angle"], table["change"], "o", color=style.COLOURS[0], markersize=3, label=words("measured"))
    panel.axvline(table["predicted_angle"].iloc[0], color=style.COLOURS[3], linestyle="--", label=words("against"))
    panel.set(xlabel=words("angle"), ylabel=words("change"), xticks=range(0, 361, 90))
    whole = style.figure_of(panel)
    whole.legend(*panel.get_legend_handles_labels(), ncols=2, loc="outside lower center")
    return whole


def _steps(table: pd.DataFrame, words: Words) -> Figure:
    panel = style.axes()
    panel.plot(table["step"], table["predicted"], color=style.INK, linewidth=1, label="|1 − ηλ|")
    panel.plot(table["step"], table["factor"], "o", color=style.COLOURS[0], markersize=4, label=words("measured"))
    panel.axhspan(1, 1.6, color=style.COLOURS[0], alpha=0.12, linewidth=0, label=words("diverging"))
    panel.set(xlabel=words("step"), ylabel=words("factor"), ylim=(0, 1.6), xlim=(0, 2.5))
    panel.legend(loc="upper left")
    return style.figure_of(panel)


def _curves(table: pd.DataFrame, over: str, words: Words) -> Figure:
    panel = style.axes()
    for number, batch in enumerate(BATCHES):
        chosen = table[(table["batch"] == batch) & table["best"]]
        label = words("batch", size=batch, eta=f"{chosen['eta'].iloc[0]:g}")
        band = style.bands(chosen[chosen[over] > 0], over, "cost")
        style.curve(panel, band, style.COLOURS[number], label)
    panel.set(xlabel=words(over), ylabel=words("cost"), yscale="log", xscale="log")
    whole = style.figure_of(panel)
    whole.legend(*panel.get_legend_handles_labels(), ncols=2, loc="outside lower center")
    return whole


def _noise(table: pd.DataFrame, words: Words) -> Figure:
    panel = style.axes()
    for layer, rows in table.groupby("layer"):
        number = int(str(layer)) - 1
        middle = rows.groupby("batch")[["noise", "predicted"]].median()
        panel.plot(middle.index, middle["predicted"], color=style.COLOURS[number], linewidth=1)
        panel.plot(middle.index, middle["noise"], "o", color=style.COLOURS[number], label=words("layer", number=layer))
    panel.set(xlabel=words("size"), ylabel=words("noise"), xscale="log", yscale="log", ylim=(0.03, 3))
    panel.set_title(words("hidden", count=table["hidden"].iloc[0]))
    panel.legend()
    return style.figure_of(panel)


def _show(tables: Tables, words: Words) -> Tables:
    wide = tables["noise"].groupby(["hidden", "layer", "batch"])["noise"].median().unstack().reset_index()
    sizes = [words("batch_size", size=size) for size in wide.columns[2:]]
    wide.columns = pd.Index([words("layers"), words("which"), *sizes])
    return {"noise": wide}


LESSON = Lesson("descent", _measure, _draw, _find, TEXTS, _show)
