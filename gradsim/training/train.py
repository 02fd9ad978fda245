"""Training of many replicas of a fully connected network, for the lessons: `train`."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradsim.system.threads import resolve_threads
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
"""Samples of one call of the kernel: about 0.3 s of one core."""


class Trained(NamedTuple):
    """What training recorded.

    Attributes
    ----------
    history
        A row per (replica, epoch): cost, error (share of wrong answers), of the whole training set before that
        epoch; the last row is of the end. Once numbers have overflowed the cost is inf and every answer wrong, so that
        no median or last value leaves such a replica out.
    layers
        A row per (replica, epoch, layer): delta = |dC/db|, weight_grad = |dC/dW|, moved = |W - W_0| / |W_0|.
    starts, ends
        Weights of every replica and layer, before and after: lists of arrays (fan_out, fan_in).
    """

    history: pd.DataFrame
    layers: pd.DataFrame
    starts: list[list[NDArray[np.floating]]]
    ends: list[list[NDArray[np.floating]]]


def trainer(recipe: Recipe, data: Data) -> Trainer:
    """Return the compiled trainer of a recipe."""
    widths = (data.images.shape[1], *recipe.hidden, data.targets.shape[1])
    return Trainer(
        widths,
        resolve_activation(recipe.activation),
        resolve_cost(recipe.cost),
        normalisation=recipe.normalisation,
        residual=recipe.residual,
        dtype=recipe.dtype,
    )


def draw_starts(recipe: Recipe, data: Data, machine: Trainer) -> list[NDArray[np.floating]]:
    """Return the parameters of every replica at the start, as the kernel takes them."""
    spreads = recipe.spreads(data.images.shape[1], data.targets.shape[1])
    law = resolve_law(STARTS[parse(recipe.start, STARTS, "start")[0]].law)
    drawn = [machine.parameters() for _ in range(recipe.replicas)]
    for replica, parameters in enumerate(drawn):
        draw_start(machine.network, law, spreads, recipe.key, replica, parameters)
    return drawn


def train(
    recipe: Recipe, data: Data, *, threads: int | None = None, report: Callable[[int], None] = lambda epochs: None
) -> Trained:
    """Train the replicas of a recipe, spread over threads; numbers depend on the recipe and the data alone.

    Parameters
    ----------
    report
        Called with the number of epochs (of one replica) that have just been done.
    """
    machine = trainer(recipe, data)
    flat = machine.data(data.images, data.targets)
    replicas = [machine.replica(parameters) for parameters in draw_starts(recipe, data, machine)]
    samples = len(data.images)
    batch = min(recipe.batch or samples, samples)
    rule = Rule(batch, recipe.eta, recipe.l2 / samples, recipe.momentum, recipe.clip)
    chunk = max(1, CALL_SAMPLES // samples)

    def run(number: int) -> Array:
        parts = []
        for first in [*range(0, recipe.epochs, chunk)] or [0]:
            epochs = range(first, min(first + chunk, recipe.epochs))
            order = np.zeros((len(epochs), 0 if batch == samples else samples), np.int64)
            for row, epoch in enumerate(epochs if batch < samples else ()):
                order[row] = shuffled(recipe.key, number, epoch, samples)
            rows = machine.descend(rule, replicas[number], flat, order)
            parts.append(rows[:-1] if first + chunk < recipe.epochs else rows)
            report(len(epochs))
        return np.concatenate(parts)

    with ThreadPoolExecutor(resolve_threads(threads)) as pool:
        records = np.stack(list(pool.map(run, range(recipe.replicas))))
    return _trained(machine, records, replicas)


def _trained(machine: Trainer, records: Array, replicas: list[Replica]) -> Trained:
    count, epochs, layers = len(records), records.shape[1], machine.layers
    begun, ended = (
        [[weights.copy() for weights, _, _ in views(machine.network, which)] for which in side]
        for side in zip(*((one.origin, one.parameters) for one in replicas), strict=True)
    )
    norms = np.array([[np.linalg.norm(weights.astype(np.float64)) for weights in one] for one in begun])
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
    named: dict[str, NDArray[np.generic]] = {"replica": index[0], "epoch": index[1], "layer": index[2] + 1}
    named |= dict(zip(("delta", "weight_grad", "moved"), columns, strict=True))
    return Trained(pd.DataFrame(history), pd.DataFrame(named), begun, ended)
