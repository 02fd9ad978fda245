"""A chain of sigmoid neurons whose weights grow in training until the factor of a layer exceeds 1."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import special

from gradsim.lessons.experiments.single_neurons import slope
from gradsim.lessons.lesson import Settings
from gradsim.training import Data, Recipe, draw_starts, trainer_for
from gradsim_core.training.descent import Rule
from gradsim_core.training.layout import views

HIDDEN = (1, 1)
SAMPLES, ETA = 32, 2.0
CHECKPOINTS = (0, 10, 20, 50, 100, 150, 200, 300, 500, 700, 1000, 1500, 2000, 3000, 5000)
"""Epochs after which the factors are measured."""


def step_data() -> Data:
    """Return inputs spread evenly over 0 to 1, and as targets whether they exceed 1/2."""
    inputs = (np.arange(SAMPLES)[:, None] + 0.5) / SAMPLES
    return Data(inputs, (inputs > 0.5).astype(np.float64))


def factors_through_training(replicas: int, settings: Settings) -> pd.DataFrame:
    """Train chains of three neurons to tell inputs above 1/2 from those below, and follow the factors of their layers.

    Whole batches, cross-entropy, w, b ~ N(0, 1). The cost has no minimum: it falls as long as the weights grow.

    Returns
    -------
    DataFrame
        A row per (replica, epoch, layer) of the hidden layers: w, `largest` |w s'(z)| of all inputs, and `share` of the
        inputs at which it is at least 1.
    """
    data = step_data()
    recipe = Recipe(hidden=HIDDEN, epochs=0, eta=ETA, replicas=replicas, seed=settings.seed, dtype="float64")
    trainer, rule = trainer_for(recipe, data), Rule(SAMPLES, ETA, 0.0, 0.0, np.inf)
    flat, rows = trainer.data(data.images, data.targets), []
    for number, parameters in enumerate(draw_starts(recipe, data, trainer)):
        replica, epoch = trainer.replica(parameters), 0
        for checkpoint in CHECKPOINTS:
            if checkpoint > epoch:
                trainer.descend(rule, replica, flat, np.zeros((checkpoint - epoch, 0), np.int64))
                epoch = checkpoint
            a = data.images
            for layer, (weights, biases, _) in enumerate(views(trainer.network, replica.parameters)[:-1], start=1):
                z = a @ weights.T + biases
                factors, a = np.abs(weights[0, 0]) * slope(z), special.expit(z)
                rows.append((number, epoch, layer, weights[0, 0], factors.max(), (factors >= 1).mean()))
        settings.report(1 / replicas)
    return pd.DataFrame(rows, columns=["replica", "epoch", "layer", "w", "largest", "share"])
