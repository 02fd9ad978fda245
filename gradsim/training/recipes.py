"""Recipes and data of training: which network, how it starts and how it is trained. Validated when made."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, field_validator

from gradsim.errors import SweepError, suggestion
from gradsim.sweep.axes import as_array
from gradsim.sweep.cells import canonical_json
from gradsim.sweep.validation import ValidatedModel
from gradsim.theory import boundary
from gradsim.training.starts import STARTS
from gradsim_core.activations import resolve_activation
from gradsim_core.names import parse
from gradsim_core.operations.standardise import NORMALISATIONS
from gradsim_core.training.costs import COSTS

Array = NDArray[np.float64]


class Recipe(ValidatedModel):
    """A fully connected network and its training; the output layer has a sigmoid or softmax unit for each class.

    Parameters
    ----------
    hidden
        Widths of the hidden layers.
    activation, cost, start, normalisation
        Names from the tables of the core and from `STARTS`; ``"normal(4)"`` gives a start its parameter.
    residual
        Whether hidden layers of equal width have a residual branch.
    epochs, batch
        Epochs of training; samples of a mini-batch, None for all.
    eta, l2, momentum, clip
        Learning rate; strength of the L2 penalty; momentum; largest norm of a gradient.
    replicas, seed, dtype
        Networks that differ in their random numbers only; root of these; precision.

    Raises
    ------
    SweepError
        For an unknown key or a value that is not allowed.
    """

    model_config = ConfigDict(strict=True)  # neither text nor True is a number

    hidden: tuple[int, ...] = Field((30, 30), description="widths from 1 to 4096", examples=[(30, 30)])
    activation: str = Field("sigmoid", description="an activation of the table", examples=["tanh"])
    cost: str = Field("cross_entropy", description=f"one of {', '.join(COSTS)}", examples=["quadratic"])
    start: str = Field("normal", description=f"one of {', '.join(STARTS)}", examples=["he"])
    normalisation: str = Field("none", description=f"one of {', '.join(NORMALISATIONS)}", examples=["layer"])
    residual: bool = Field(False, description="True or False", examples=[True])
    epochs: int = Field(100, ge=0, le=10**6, description="a whole number from 0 to 1000000", examples=[100])
    batch: int | None = Field(None, ge=1, description="a whole number >= 1, or None for all samples", examples=[10])
    eta: float = Field(0.1, ge=0, allow_inf_nan=False, description="a finite number >= 0", examples=[0.1])
    l2: float = Field(0.0, ge=0, allow_inf_nan=False, description="a finite number >= 0", examples=[5.0])
    momentum: float = Field(0.0, ge=0, lt=1, description="a number from 0 to below 1", examples=[0.9])
    clip: float = Field(np.inf, gt=0, description="a number > 0; inf clips nothing", examples=[1.0])
    replicas: int = Field(16, ge=1, le=10**6, description="a whole number from 1 to 1000000", examples=[16])
    seed: int = Field(1, ge=0, lt=2**63, description="a whole number from 0 to 2^63 - 1", examples=[1])
    dtype: str = Field("float32", pattern="^float(32|64)$", description="float32 or float64", examples=["float32"])

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, value: object) -> object:
        """Python's numbers for NumPy's, and a tuple for a list or an array."""
        value = value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value
        return tuple(map(cls._plain, value)) if isinstance(value, list) else value

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
        """The 64-bit key of the random numbers: made of seed and widths only, so that variants start alike."""
        text = canonical_json({"training": list(self.hidden), "seed": self.seed})
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")

    def spreads(self, inputs: int, outputs: int) -> Array:
        """Return the standard deviations of weights and biases of each layer at the start: shape (L, 2)."""
        name, value = parse(self.start, STARTS, "start")
        if name == "critical":
            value = boundary(self.activation, depth=max(len(self.hidden), 2))
        widths = (inputs, *self.hidden, outputs)
        return np.array([STARTS[name].sigmas(i, o, 1.0 if value is None else value) for i, o in pairwise(widths)])


class Data(NamedTuple):
    """A training set: images (samples, inputs), one-hot targets (samples, outputs)."""

    images: NDArray[np.floating]
    targets: NDArray[np.floating]

    def checked(self) -> Data:
        """Return it as two arrays of floats; raise :class:`SweepError` unless both have a row per sample."""
        allowed = "two tables of numbers with a row per sample: images (samples, inputs), targets (samples, outputs)"
        images, targets = (as_array(name, table, allowed) for name, table in self._asdict().items())
        for name, table in {"images": images, "targets": targets}.items():
            if table.ndim != 2 or not table.size or table.dtype.kind not in "biuf":
                found = f"{table.dtype} {table.shape}"
                raise SweepError(name, found, allowed, "Give each sample one row of real numbers")
        if len(images) != len(targets):
            raise SweepError(
                "targets", f"{len(targets)} rows", allowed, f"Give a target to each of {len(images)} images"
            )
        return Data(images, targets)
