"""A slice of the cost of a real network, in which two weights vary, and gradient descent on it."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradsim.training import Data, Recipe, draw_starts, trainer_for
from gradsim_core.training.layout import views

Array = NDArray[np.float64]

PATHS = ("descent", "ascent", "divergence")
STEPS = {"descent": 0.25, "ascent": -0.05, "divergence": 3.0}
"""Step sizes of the paths in units of 1 / lambda, the largest curvature: downhill, uphill, and beyond 2 / lambda."""
START = np.array([5.0, 3.5])
"""Where the paths begin: displacement from the minimum."""


class Slice:
    """Cost of 784-30-10 (tanh) as a function of two weights of its first output; convex, as the cross-entropy is there.

    Of the six weights with the largest gradients at a random start, the two whose slice is roundest; the origin is the
    minimum over both.
    """

    def __init__(self, data: Data, seed: int) -> None:
        recipe = Recipe(hidden=(30,), activation="tanh", start="he", epochs=0, replicas=1, seed=seed, dtype="float64")
        self._trainer = trainer_for(recipe, data)
        self._data = self._trainer.data(data.images, data.targets)
        self._parameters = draw_starts(recipe, data, self._trainer)[0]
        self._weights = views(self._trainer.network, self._parameters)[-1][0][0]
        gradient = views(self._trainer.network, self._trainer.gradient(self._parameters, self._data)[0])[-1][0][0]
        start: Array = self._weights.astype(np.float64)
        self._chosen, self._origin = np.zeros(2, np.int64), np.zeros(2)
        pairs = itertools.combinations(np.argsort(np.abs(gradient))[-6:], 2)
        self._choose(max(pairs, key=lambda pair: self._roundness(pair, start)), start)
        for _ in range(12):  # Newton's method
            place = np.zeros(2)
            self._origin = self._origin - np.linalg.solve(self.hessian(place), self.gradient(place))
        values, vectors = np.linalg.eigh(self.hessian(np.zeros(2)))
        self.curvature, self.stiffest = float(values[-1]), vectors[:, -1]

    def _choose(self, pair: tuple[int, ...], start: Array) -> None:
        self._weights[:] = start
        self._chosen = np.array(pair)
        self._origin = start[self._chosen]

    def _roundness(self, pair: tuple[int, ...], start: Array) -> float:
        """Ratio of the curvatures across and along the valley."""
        self._choose(pair, start)
        values = np.linalg.eigvalsh(self.hessian(np.zeros(2)))
        return float(values[0] / values[1])

    def cost(self, place: Array) -> float:
        """Return the cost at a displacement of the two weights from the minimum."""
        self._weights[self._chosen] = self._origin + place
        return self._trainer.gradient(self._parameters, self._data)[1]

    def gradient(self, place: Array) -> Array:
        """Return the back-propagated derivatives by the two weights."""
        self._weights[self._chosen] = self._origin + place
        gradient, _, _ = self._trainer.gradient(self._parameters, self._data)
        return np.asarray(views(self._trainer.network, gradient)[-1][0][0][self._chosen], np.float64)

    def hessian(self, place: Array, h: float = 1e-4) -> Array:
        """Return the second derivatives (2, 2), by central differences of the gradient."""
        columns = [(self.gradient(place + step) - self.gradient(place - step)) / (2 * h) for step in h * np.eye(2)]
        return np.stack(columns, axis=1)


def surface(plane: Slice, points: int) -> pd.DataFrame:
    """Return the cost on a grid: columns x, y, cost."""
    axis = np.linspace(-8, 8, points)
    rows = [(x, y, plane.cost(np.array([x, y]))) for x in axis for y in axis]
    return pd.DataFrame(rows, columns=["x", "y", "cost"])


def paths(plane: Slice, count: int = 30) -> pd.DataFrame:
    """Return the places of descent, ascent, and descent with a step that is too large: path, step, x, y.

    The last begins close to the minimum, along the stiffest direction.
    """
    frames = []
    for name in PATHS:
        place = 0.1 * plane.stiffest if name == "divergence" else START.copy()
        steps = 7 if name == "divergence" else count
        rows = [place]
        for _ in range(steps):
            place = place - STEPS[name] / plane.curvature * plane.gradient(place)
            rows.append(place)
        frames.append(pd.DataFrame(np.array(rows), columns=["x", "y"]).assign(path=name, step=range(steps + 1)))
    return pd.concat(frames, ignore_index=True)


def directions(plane: Slice, count: int = 72, length: float = 1e-5) -> pd.DataFrame:
    """Return the change of the cost per length along small steps in many directions, from where the paths begin.

    Columns: angle in degrees, change, predicted = |gradient| cos(angle to the gradient), predicted_angle of steepest
    descent.
    """
    gradient = plane.gradient(START)
    towards = np.degrees(np.arctan2(-gradient[1], -gradient[0])) % 360
    angles = np.arange(count) * 360 / count
    rows = []
    for angle in angles:
        step = length * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
        rows.append((plane.cost(START + step) - plane.cost(START - step)) / (2 * length))
    predicted = -np.linalg.norm(gradient) * np.cos(np.radians(angles - towards))
    return pd.DataFrame({"angle": angles, "change": rows, "predicted": predicted, "predicted_angle": towards})


def factors(plane: Slice, steps: int = 6) -> pd.DataFrame:
    """Return the factor by which a step changes a small distance from the minimum along the stiffest direction.

    Columns: step = eta lambda, factor, predicted = |1 - eta lambda|.
    """
    rows = []
    for step in np.arange(0.1, 2.5, 0.1):
        place = 1e-3 * plane.stiffest
        for _ in range(steps):
            place = place - step / plane.curvature * plane.gradient(place)
        along = abs(float(place @ plane.stiffest)) / 1e-3
        rows.append((step, along ** (1 / steps), abs(1 - step)))
    return pd.DataFrame(rows, columns=["step", "factor", "predicted"])
