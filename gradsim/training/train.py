"""Training of many replicas of a fully connected network, for the lessons: `train`."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradsim.simulation.devices import check_device
from gradsim.system.threads import ThreadPool, resolve_threads
from gradsim.training.recipes import Data, Recipe
from gradsim.training.starts import STARTS
from gradsim_core.activations import resolve_activation
from gradsim_core.laws import resolve_law
from gradsim_core.names import parse
from gradsim_core.training.costs import resolve_cost
from gradsim_core.training.descent import FIRST_LENGTH, Replica, Rule
from gradsim_core.training.layout import views
from gradsim_core.training.start import draw_start, shuffled
from gradsim_core.training.trainer import Trainer

Array = NDArray[np.float64]
CALL_SAMPLES = 200_000
"""Samples of one call of the kernel, about 0.3 s of one core: progress is reported between calls."""


class Trained(NamedTuple):
    """What was recorded during training.

    Attributes
    ----------
    history
        A row per (replica, epoch): cost and error (share of wrong answers) on the whole training set before that epoch,
        and a last row after the final epoch. After an overflow the cost is inf and every answer counts as wrong, so
        that medians and last values include such a replica.
    layers
        A row per (replica, epoch, layer): delta = |dC/db|, weight_grad = |dC/dW|, moved = |W - W_0| / |W_0|.
    starts, ends
        Weights of every replica and layer, before and after: lists of arrays (fan_out, fan_in).
    """

    history: pd.DataFrame
    layers: pd.DataFrame
    starts: list[list[NDArray[np.floating]]]
    ends: list[list[NDArray[np.floating]]]


def trainer_for(recipe: Recipe, data: Data) -> Trainer:
    """Return the compiled trainer of a recipe."""
    check_device("cpu")
    widths = (data.images.shape[1], *recipe.hidden, data.targets.shape[1])
    return Trainer(
        widths,
        resolve_activation(recipe.activation),
        resolve_cost(recipe.cost),
        normalisation=recipe.normalisation,
        residual=recipe.residual,
        dtype=recipe.dtype,
    )


def draw_starts(recipe: Recipe, data: Data, compiled: Trainer) -> list[NDArray[np.floating]]:
    """Return the initial parameters of each replica, in the kernel's layout."""
    spreads = recipe.spreads(data.images.shape[1], data.targets.shape[1])
    law = resolve_law(STARTS[parse(recipe.start, STARTS, "start")[0]].law)
    drawn = [compiled.parameters() for _ in range(recipe.replicas)]
    for replica, parameters in enumerate(drawn):
        draw_start(compiled.network, law, spreads, recipe.key, replica, parameters)
    return drawn


def train(
    recipe: Recipe, data: Data, *, threads: int | None = None, report: Callable[[int], None] = lambda epochs: None
) -> Trained:
    """Train the replicas of a recipe, one on each thread at a time; Ctrl-C stops it within about a second.

    The numbers depend on the recipe and the data alone.

    Parameters
    ----------
    recipe, data
        What is trained and how, and the training set.
    threads
        Number of threads; as many as this process may use if None.
    report
        Called with the number of epochs of one replica that have just been done.
    """
    data = data.checked()
    compiled = trainer_for(recipe, data)
    flat = compiled.data(data.images, data.targets)
    replicas = [compiled.replica(parameters) for parameters in draw_starts(recipe, data, compiled)]
    samples = len(data.images)
    batch, chunk = min(recipe.batch or samples, samples), max(1, CALL_SAMPLES // samples)
    rule = Rule(batch, recipe.eta, recipe.l2 / samples, recipe.momentum, recipe.clip)

    def run(number: int) -> Array:
        parts = []
        for first in [*range(0, recipe.epochs, chunk)] or [0]:
            pool.check()
            epochs = range(first, min(first + chunk, recipe.epochs))
            order = np.zeros((len(epochs), 0 if batch == samples else samples), np.int64)
            for row, epoch in enumerate(epochs if batch < samples else ()):
                order[row] = shuffled(recipe.key, number, epoch, samples)
            rows = compiled.descend(rule, replicas[number], flat, order)
            parts.append(rows[:-1] if first + chunk < recipe.epochs else rows)
            report(len(epochs))
        return np.concatenate(parts)

    with ThreadPool(resolve_threads(threads)) as pool:
        records = np.stack(list(pool.map(run, range(recipe.replicas))))
    return _trained(compiled, records, replicas)


def _trained(compiled: Trainer, records: Array, replicas: list[Replica]) -> Trained:
    count, epochs, layers = len(records), records.shape[1], compiled.layers

    def matrices(parameters: NDArray[np.floating]) -> list[NDArray[np.floating]]:
        return [weights.copy() for weights, _, _ in views(compiled.network, parameters)]

    starts = [matrices(replica.origin) for replica in replicas]
    ends = [matrices(replica.parameters) for replica in replicas]
    norms = np.array([[np.linalg.norm(weights.astype(np.float64)) for weights in start] for start in starts])
    by_layer = records[:, :, FIRST_LENGTH:].reshape(count, epochs, 3, layers).copy()
    by_layer[:, :, 2] /= norms[:, None]
    index = np.indices((count, epochs, layers)).reshape(3, -1)
    columns = np.moveaxis(by_layer, 2, 0).reshape(3, -1)
    history: dict[str, NDArray[np.generic]] = {
        "replica": np.repeat(np.arange(count), epochs),
        "epoch": np.tile(np.arange(epochs), count),
    }
    cost = records[:, :, 0].ravel()
    history |= {"cost": np.where(np.isfinite(cost), cost, np.inf), "error": records[:, :, 1].ravel()}
    by_row: dict[str, NDArray[np.generic]] = {"replica": index[0], "epoch": index[1], "layer": index[2] + 1}
    by_row |= dict(zip(("delta", "weight_grad", "moved"), columns, strict=True))
    return Trained(pd.DataFrame(history), pd.DataFrame(by_row), starts, ends)
