"""How far our number may lie from a claimed one: fixed in the claim before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gradsim.errors import SweepError, suggestion

KINDS = ("units", "absolute", "relative", "standard_errors")
_WIDEST = {"units": 1e6, "absolute": 1e300, "relative": 0.02, "standard_errors": 6.0}
_ALLOWED = (
    "one of { units = u }, units in the last printed place; { absolute = a }; { relative = r }, r < 0.02, since an "
    "error of 2 % must be caught; { standard_errors = z }, z <= 6"
)


class Margin(NamedTuple):
    """A margin.

    Attributes
    ----------
    kind
        "units" in the last printed place, "absolute", "relative" to the claimed number, or "standard_errors".
    size
        How many of them.
    """

    kind: str
    size: float

    def allowed(self, claimed: float, unit: float | None, error: float) -> float:
        """Return the largest deviation that is agreement.

        Parameters
        ----------
        claimed
            The claimed number.
        unit
            One unit in its last printed place; None for a formula, which is not rounded.
        error
            Standard error of the difference; 0 for a number that is not simulated.
        """
        if self.kind == "units":
            return self.size * (unit or 0.0) * (1.0 + 1e-6)  # a tie is agreement, whatever float64 makes of it
        if self.kind == "standard_errors":
            return self.size * error + 0.5 * (unit or 0.0)
        return self.size * (abs(claimed) if self.kind == "relative" else 1.0)

    def __str__(self) -> str:
        match self.kind:
            case "units":
                return "as printed" if self.size == 0.5 else f"{self.size:g} units in the last place"
            case "standard_errors":
                return f"{self.size:g} s.e."
            case "relative":
                return f"{100 * self.size:g} %" if self.size >= 1e-4 else f"{self.size:g} relative"
        return f"{self.size:g}"


def parse(value: object) -> Margin:
    """Return the margin that a claim file gives as a table of one entry.

    Raises
    ------
    SweepError
        If it is no such table; offers the nearest kind.
    """
    if isinstance(value, Margin):
        return value
    if not isinstance(value, Mapping) or len(value) != 1:
        raise SweepError("margin", value, _ALLOWED, "Write for example margin = { units = 0.5 }")
    ((kind, size),) = value.items()
    if kind not in KINDS:
        raise SweepError("margin", value, _ALLOWED, suggestion(kind, KINDS))
    number = isinstance(size, (int, float)) and not isinstance(size, bool)
    if not number or not 0.0 < size <= _WIDEST[kind] or (kind == "relative" and size >= _WIDEST[kind]):
        raise SweepError(f"margin.{kind}", size, _ALLOWED, "Give a smaller positive number")
    return Margin(kind, float(size))
