"""Training of many replicas of a fully connected network, for the lessons: `train`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, field_validator

from gradsim.cells import canonical_json
from gradsim.errors import SweepError, suggestion
from gradsim.theory import boundary
from gradsim.threads import resolve_threads
from gradsim.words import Words
from gradsim_core.activations import resolve_activation
from gradsim_core.laws import resolve_law
from gradsim_core.names import parse
from gradsim_core.training.costs import COSTS, resolve_cost
from gradsim_core.training.descent import FIRST_LENGTH, Replica, Rule
from gradsim_core.training.layout import views
from gradsim_core.training.normalisation import NORMALISATIONS
from gradsim_core.training.start import draw_start, shuffled
from gradsim_core.training.trainer import Trainer

Array = NDArray[np.float64]
CALL_SAMPLES = 200_000
"""Samples of one call of the kernel: about 0.3 s of one core."""


class Start(NamedTuple):
    """A row of the table of starts: weight law, and (sigma_w, sigma_b) from (fan_in, fan_out, parameter).

    `takes` says whether the user may give the parameter, a number > 0.
    """

    law: str
    sigmas: Callable[[int, int, float], tuple[float, float]]
    formula: str
    takes: bool = False


STARTS: dict[str, Start] = {
    "normal": Start("gaussian", lambda i, o, s: (s * i**-0.5, 1.0), "W ~ N(0, s²/fan_in), b ~ N(0, 1); s = 1", True),
    "default": Start("uniform", lambda i, o, s: ((3 * i) ** -0.5,) * 2, "W, b uniform on ±1/sqrt(fan_in), as PyTorch"),
    "xavier": Start("gaussian", lambda i, o, s: ((2 / (i + o)) ** 0.5, 0.0), "W ~ N(0, 2/(fan_in + fan_out)), b = 0"),
    "he": Start("gaussian", lambda i, o, s: ((2 / i) ** 0.5, 0.0), "W ~ N(0, 2/fan_in), b = 0"),
    "critical": Start("gaussian", lambda i, o, s: (s * i**-0.5, 0.0), "W ~ N(0, s²/fan_in), b = 0; s from theory"),
}
"""How parameters are drawn; ``"normal(4)"`` gives the parameter s."""


class Recipe(Words):
    """What is trained, and how; every network ends in as many sigmoid or softmax outputs as there are classes."""

    hidden: tuple[int, ...] = Field((30, 30), description="widths of the hidden layers, whole numbers >= 1")
    activation: str = Field("sigmoid", description="an activation of the table", examples=["tanh"])
    cost: str = Field("cross_entropy", description=f"one of {', '.join(COSTS)}", examples=["quadratic"])
    start: str = Field("normal", description=f"one of {', '.join(STARTS)}", examples=["he"])
    normalisation: str = Field("none", description=f"one of {', '.join(NORMALISATIONS)}", examples=["layer"])
    residual: bool = Field(False, description="true or false", examples=["true"])
    epochs: int = Field(100, ge=0, le=10**6, description="a whole number from 0 to 1000000", examples=[100])
    batch: int | None = Field(None, ge=1, description="a whole number >= 1, or None for all samples", examples=[10])
    eta: float = Field(0.1, ge=0, allow_inf_nan=False, description="a finite number >= 0", examples=[0.1])
    l2: float = Field(0.0, ge=0, allow_inf_nan=False, description="a finite number >= 0", examples=[5.0])
    momentum: float = Field(0.0, ge=0, lt=1, description="a number from 0 to below 1", examples=[0.9])
    clip: float = Field(np.inf, gt=0, description="a number > 0; inf clips nothing", examples=[1.0])
    replicas: int = Field(16, ge=1, le=10**6, description="a whole number from 1 to 1000000", examples=[16])
    seed: int = Field(1, ge=0, lt=2**63, description="a whole number from 0 to 2^63 - 1", examples=[1])
    dtype: str = Field("float32", pattern="^float(32|64)$", description="float32 or float64", examples=["float32"])

    @field_validator("hidden")
    @classmethod
    def _widths(cls, hidden: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 1 <= width <= 4096 for width in hidden):
            raise SweepError("hidden", hidden, "widths from 1 to 4096", "Write for example hidden = (30, 30)")
        return hidden

    @field_validator("activation", "cost", "start", "normalisation")
    @classmethod
    def _named(cls, name: str, info: object) -> str:
        field = str(getattr(info, "field_name", ""))
        table: dict[str, Sequence[str]] = {"cost": list(COSTS), "normalisation": NORMALISATIONS, "start": list(STARTS)}
        try:
            if field == "activation":
                return resolve_activation(name).name
            word, value = parse(name, table[field], field)
            takes = field == "start" and STARTS[word].takes
            if value is not None and not (takes and value > 0):
                raise ValueError(f"{word} takes {'a number > 0' if takes else 'no parameter'}")
        except ValueError as error:
            choices = table.get(field, [])
            known = name.split("(")[0] in choices
            remedy = suggestion(name, choices) if choices and not known else str(error)
            raise SweepError(field, name, str(cls.model_fields[field].description), remedy) from None
        return name

    @property
    def key(self) -> int:
        """The 64-bit key of the random numbers: of the seed and the shape, so that variants start alike."""
        text = canonical_json({"training": list(self.hidden), "seed": self.seed})
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")

    def spreads(self, inputs: int, outputs: int) -> Array:
        """Standard deviation of weights and biases of each layer at the start: (L, 2)."""
        name, value = parse(self.start, STARTS, "start")
        if name == "critical":
            value = boundary(self.activation, depth=max(len(self.hidden), 2))
        widths = (inputs, *self.hidden, outputs)
        return np.array([STARTS[name].sigmas(i, o, 1.0 if value is None else value) for i, o in pairwise(widths)])


class Data(NamedTuple):
    """A training set: images (samples, inputs), one-hot targets (samples, outputs)."""

    images: NDArray[np.float32]
    targets: NDArray[np.float32]


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


def starts(recipe: Recipe, data: Data, machine: Trainer) -> list[NDArray[np.floating]]:
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
    replicas = [machine.replica(parameters) for parameters in starts(recipe, data, machine)]
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
