"""What is trained, and how: the options of `simulate_training`, validated."""

from __future__ import annotations

import hashlib
from typing import Any, TypedDict

import numpy as np
from pydantic import ConfigDict, Field, field_validator, model_validator

from gradsim.activations import as_own, check_activation, check_simulable, find_activation
from gradsim.errors import SweepError, suggestion
from gradsim.steps.costs import COSTS, Cost
from gradsim.steps.parametrisations import PARAMETRISATIONS, Parametrisation
from gradsim.sweep.cells import canonical_json
from gradsim.sweep.validation import ValidatedModel
from gradsim_core.activations import Activation

METHODS = ("conditional", "explicit")
SHARE = 3
"""Lazy matrices meet no more rows, from both sides together, than their width over this."""

_TABLES: dict[str, Any] = {"parametrisation": PARAMETRISATIONS, "cost": COSTS, "method": METHODS}


def _positive(example: float) -> Any:
    return Field(gt=0, allow_inf_nan=False, description="a finite number > 0", examples=[example])


def _share(words: str, **limits: Any) -> Any:
    return Field(0.0, allow_inf_nan=False, description=words, examples=[0.0], **limits)


def _whole(default: Any, least: int, most: int, example: int) -> Any:
    words = f"a whole number from {least:,} to {most:,}"
    return Field(default, ge=least, le=most, description=words, examples=[example])


class TrainingOptions(TypedDict, total=False):
    """The keywords of `simulate_training` that say what is trained, and how."""

    width: int
    depth: int
    sigma_w: float
    sigma_b: float
    inputs: int
    outputs: int | None
    steps: int
    learning_rate: float
    momentum: float
    weight_decay: float
    clip: float | None
    cost: str
    parametrisation: str
    method: str
    dtype: str
    seed: int


class Problem(ValidatedModel):
    """Random dense networks and their training; see `simulate_training` for the fields.

    Raises
    ------
    SweepError
        For an unknown key or a value that is not allowed.
    """

    model_config = ConfigDict(strict=True)  # neither text nor True is a number

    activation: Any = Field("tanh", description="an activation of the table", examples=["tanh"])
    width: int = _whole(..., 1, 2**31 - 1, 4096)
    depth: int = _whole(..., 1, 10_000, 3)
    sigma_w: float = _positive(1.5)
    sigma_b: float = _share("a finite number >= 0", ge=0)
    inputs: int = _whole(8, 1, 4096, 8)
    outputs: int | None = Field(
        None, ge=1, le=4096, description="a whole number from 1 to 4,096, or None", examples=[1]
    )
    steps: int = _whole(5, 0, 10_000, 5)
    learning_rate: float = _positive(0.1)
    momentum: float = _share("a number from 0 to below 1", ge=0, lt=1)
    weight_decay: float = _share("a finite number >= 0", ge=0)
    clip: float | None = Field(None, gt=0, description="a number > 0, or None", examples=[1.0])
    cost: str = Field("quadratic", description=f"one of {', '.join(COSTS)}", examples=["quadratic"])
    parametrisation: str = Field("standard", description=f"one of {', '.join(PARAMETRISATIONS)}", examples=["mup"])
    method: str = Field("conditional", description=f"one of {', '.join(METHODS)}", examples=["conditional"])
    dtype: str = Field("float64", pattern="^float(32|64)$", description="float32 or float64", examples=["float64"])
    seed: int = Field(1, ge=0, lt=2**63, description="a whole number from 0 to 2^63 - 1", examples=[1])

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, value: object) -> object:
        """Python's numbers for NumPy's."""
        return value.item() if isinstance(value, np.generic) else value

    @field_validator("activation")
    @classmethod
    def _known_activation(cls, value: Any) -> Any:
        known = check_activation("activation", value)
        if isinstance(known, Activation):
            check_simulable(known)
            as_own(known)  # refuses functions that have no digest, by which kernels are kept
        return known

    @field_validator(*_TABLES)
    @classmethod
    def _named(cls, name: str, info: Any) -> str:
        choices = list(_TABLES[info.field_name])
        if name not in choices:
            raise SweepError(info.field_name, name, f"one of {', '.join(choices)}", suggestion(name, choices))
        return name

    @model_validator(mode="after")
    def _fits(self) -> Problem:
        if self.outputs is not None and self.outputs < self.of_cost.least:
            allowed = f"a whole number from {self.of_cost.least} for the cost {self.cost}"
            raise SweepError("outputs", self.outputs, allowed, "Leave it out, or take another cost")
        if self.learning_rate * self.weight_decay > 1.0:
            allowed = f"a number from 0 to 1 / learning_rate = {1.0 / self.learning_rate:.6g}"
            remedy = "Each step multiplies parameters by 1 - learning_rate weight_decay: take a smaller one"
            raise SweepError("weight_decay", self.weight_decay, allowed, remedy)
        return self

    @property
    def of_cost(self) -> Cost:
        """Row of the table of costs."""
        return COSTS[self.cost]

    @property
    def of_parametrisation(self) -> Parametrisation:
        """Row of the table of parametrisations."""
        return PARAMETRISATIONS[self.parametrisation]

    @property
    def of_activation(self) -> Activation:
        """The activation as functions."""
        return find_activation(self.activation)

    @property
    def readouts(self) -> int:
        """How many outputs a network has."""
        return self.outputs or self.of_cost.outputs

    @property
    def rows(self) -> int:
        """How many rows a matrix meets from each side."""
        return self.inputs * (self.steps + 1)

    @property
    def lazy(self) -> bool:
        """Whether matrices stay lazy: below that width drawing them takes less time and memory."""
        return self.method == "conditional" and 2 * self.rows * SHARE <= self.width

    @property
    def key(self) -> int:
        """The 64-bit key of the random numbers: of seed and sizes only, so that variants of training start alike."""
        sizes = {"width": self.width, "depth": self.depth, "inputs": self.inputs, "outputs": self.readouts}
        text = canonical_json({"steps": sizes, "seed": self.seed})
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")

    @property
    def numbers(self) -> int:
        """About how many numbers of the precision a network keeps in memory."""
        rows, n = self.inputs, self.width
        vectors = (9 * self.depth + 12) * rows * n + 4 * self.readouts * n
        if self.lazy:
            return vectors + (self.depth - 1) * (4 * self.rows * n + 5 * self.rows**2)
        return vectors + (5 * self.depth + 1) * n * n
