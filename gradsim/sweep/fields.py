"""The types of a sweep's fields: axes of numbers and names, with what each value must be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from gradsim.activations import AxisActivation, check_activation, check_law
from gradsim.sweep.axes import expand, plain
from gradsim.sweep.cells import round12

_WHOLE_AXES = ("depth", "width")
SMALLEST_SIGMA, LARGEST_SIGMA = 1e-30, 1e30  # beyond, sigma_w / sqrt(width) could leave float32
DEPTH_CAP, WIDTH_CAP, NETWORKS_CAP = 2**20 - 2, 2**20, 2**48  # limits of the fields of the random numbers' counter


def _values(value: object, info: ValidationInfo) -> list[Any]:
    field = str(info.field_name)
    return expand(field, value, whole=field in _WHOLE_AXES)


def activations(values: list[object]) -> list[AxisActivation]:
    """Return activations as cells have them."""
    return [check_activation(place("activation", i, values), value) for i, value in enumerate(values)]


def laws(values: list[object]) -> list[str]:
    """Return weight laws by their names."""
    return [check_law(place("law", i, values), value) for i, value in enumerate(values)]


def place(axis: str, i: int, values: Sequence[object]) -> str:
    """Return how a message names value i of an axis."""
    return f"{axis}[{i}]" if len(values) > 1 else axis


Axis = BeforeValidator(_values)
Float = Annotated[float, Field(strict=True, allow_inf_nan=False), AfterValidator(round12)]
Int = Annotated[int, Field(strict=True), BeforeValidator(plain)]
