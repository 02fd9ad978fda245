"""The table of estimators: what recomputes a claimed number. Each is a function, and a row of its family's table."""

from __future__ import annotations

from collections.abc import Mapping

from gradsim.validation.estimators import averages, finite_width, independent, matrices, mean_field, simulated, streams
from gradsim.validation.estimators.table import Estimate, Estimator, Function

FAMILIES: dict[str, Mapping[str, Function]] = {
    "mean field": mean_field.ROWS,
    "streams": streams.ROWS,
    "averages": averages.ROWS,
    "finite width": finite_width.ROWS,
    "simulated": simulated.ROWS,
    "matrices": matrices.ROWS,
    "independent": independent.ROWS,
}

ESTIMATORS: dict[str, Estimator] = {
    name: Estimator(name, family, function) for family, rows in FAMILIES.items() for name, function in rows.items()
}

__all__ = ["ESTIMATORS", "FAMILIES", "Estimate", "Estimator"]
