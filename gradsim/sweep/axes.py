"""Values of one axis of a sweep, from a scalar, a sequence, an array or a grid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from gradsim.errors import SweepError
from gradsim.sweep.cells import round12
from gradsim.sweep.validation import ValidatedModel

CELL_CAP = 10**6
"""Most cells of a sweep, and therefore most values of an axis."""

_FORMS = "a value, a list of values or {start, stop, num, spacing}"


def plain(value: object) -> object:
    """Return a NumPy scalar as the Python object, anything else unchanged."""
    return value.item() if isinstance(value, np.generic) else value


_End = Annotated[float, Field(strict=True, allow_inf_nan=False), BeforeValidator(plain)]


class Grid(ValidatedModel):
    """Values from ``start`` to ``stop``, both included exactly, at 12 significant digits.

    ``spacing`` is ``"linear"`` (equal steps) or ``"log"`` (equal ratios).
    """

    start: _End = Field(description="a finite number", examples=[0.5])
    stop: _End = Field(description="a finite number", examples=[3.0])
    num: Annotated[int, Field(strict=True, ge=1, le=CELL_CAP), BeforeValidator(plain)] = Field(
        description=f"a whole number from 1 to {CELL_CAP}", examples=[26]
    )
    spacing: Literal["linear", "log"] = Field(default="linear", description='"linear" or "log"', examples=["linear"])

    def values(self) -> list[float]:
        """Return the ``num`` values; only ``start`` if ``num`` is 1."""
        if self.spacing == "log" and min(self.start, self.stop) <= 0:
            raise SweepError(
                "start and stop",
                (self.start, self.stop),
                "numbers > 0 where spacing is log",
                "Use linear spacing, or ends above 0",
            )
        steps = max(self.num - 1, 1)
        weights = [k / steps for k in range(self.num)]
        if self.spacing == "log":  # a product of powers: exact at both ends, and no overflow between
            return [round12(self.start ** (1 - t) * self.stop**t) for t in weights]
        return [round12(self.start * (1 - t) + self.stop * t) for t in weights]


def expand(field: str, value: object, *, whole: bool = False) -> list[Any]:
    """Return the values of one axis as a list of Python objects, not yet checked one by one.

    Parameters
    ----------
    field
        The axis, for messages.
    value
        A scalar, a list, tuple, range or one-dimensional array, or a mapping with the keys of :class:`Grid`.
    whole
        The axis holds whole numbers: the values of a grid are rounded to the nearest one.

    Raises
    ------
    SweepError
        If the form is unknown, or there are more than ``CELL_CAP`` values (checked before they are made).
    """
    if isinstance(value, Mapping):
        return _grid(field, value, whole=whole)
    for item in value if isinstance(value, (list, tuple)) else [value]:
        if np.ma.is_masked(item):
            raise SweepError(
                field, np.ma.masked, "values without a mask", f"Leave masked ones out: {field}.compressed()"
            )
    if hasattr(value, "__array__"):
        array = as_array(field, value, _FORMS)
        if array.ndim > 1:
            raise SweepError(field, array.shape, f"{_FORMS}, not an array of {array.ndim} axes", "Flatten the array")
        value = np.atleast_1d(array[: CELL_CAP + 1] if array.ndim else array).tolist()
    if not isinstance(value, (list, tuple, range)):
        return [value]
    if value[CELL_CAP:]:
        raise SweepError(field, value, f"at most {CELL_CAP} values", "Take fewer values, or several sweeps")
    return [as_array(field, item, _FORMS).tolist() if hasattr(item, "__array__") else item for item in value]


def as_array(field: str, value: Any, allowed: str) -> NDArray[Any]:
    """Return an array or a tensor as an array, also a tensor that needs a gradient or has a type that NumPy lacks."""
    try:
        return np.asarray(value)
    except Exception as error:
        reason = str(error).partition("\n")[0].rstrip(".")
    try:
        return np.asarray(value.tolist())
    except Exception as error:
        raise SweepError(field, value, allowed, f"NumPy cannot read it: {reason}") from error


def _grid(field: str, table: Mapping[str, Any], *, whole: bool) -> list[Any]:
    try:
        grid = Grid(**{str(key): value for key, value in table.items()})
        values = grid.values()
    except SweepError as error:
        first, *others = [
            SweepError(f"{field}: {fault.field}", fault.value, fault.allowed, fault.remedy)
            for fault in (error, *error.others)
        ]
        raise first.joined(others) from None
    if not whole:
        return values
    for end, number in (("start", grid.start), ("stop", grid.stop)):
        if number % 1:
            raise SweepError(f"{field}: {end}", number, "a whole number", f"Write {end} = {round(number)}")
    return [round(number) for number in values]


def refuse_repeats(axis: str, values: list[object]) -> None:
    """Raise :class:`SweepError` if an axis has a value twice."""
    first: dict[object, int] = {}
    for i, value in enumerate(values):
        if first.setdefault(value, i) != i:
            raise SweepError(
                f"{axis}[{i}]",
                value,
                "each value once (floats are compared at 12 significant digits)",
                f"Remove it: it repeats {axis}[{first[value]}]",
            )
