"""What `simulate_training` returns: values of every network, step and layer, and their statistics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradsim.errors import SweepError
from gradsim.notebook import facts_html
from gradsim.steps.observables import QUANTITIES, layers_of
from gradsim.steps.problem import Problem

Array = NDArray[np.float64]

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, repr=False)
class TrainingSteps:
    """Networks 0 .. n - 1 after each step of training.

    Attributes
    ----------
    problem
        What was trained, and how: the options of `simulate_training`.
    values
        float64 array (networks, steps + 1, depth + 1) of each quantity, by name: layer 1 first, the readout last; NaN
        where a layer has no such quantity, and where a network has diverged. The names are also attributes.
    status
        int8 (networks,): 0 finite at every step, 2 diverged: some value is not finite.
    """

    problem: Problem
    values: dict[str, Array]
    status: NDArray[np.int8]

    def __getattr__(self, name: str) -> Array:
        if name.startswith("__") or name not in QUANTITIES:
            raise AttributeError(f"TrainingSteps has no attribute {name!r}")
        return self.values[name]

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *QUANTITIES]

    def __repr__(self) -> str:
        return f"TrainingSteps({', '.join(f'{name}={value}' for name, value in self._facts().items())})"

    def _repr_html_(self) -> str:
        return facts_html("TrainingSteps", self._facts() | {"quantities": ", ".join(QUANTITIES)})

    def _facts(self) -> dict[str, object]:
        shown = ("width", "depth", "steps", "parametrisation")
        facts: dict[str, object] = {"networks": len(self.status)}
        facts |= {name: getattr(self.problem, name) for name in shown}
        return facts | {"diverged": int((self.status == 2).sum())}

    def table(self, quantities: Sequence[str] | None = None) -> pd.DataFrame:
        """Return a row per step, layer and quantity.

        Parameters
        ----------
        quantities
            Some names; all by default.

        Returns
        -------
        DataFrame
            step, layer (1 .. depth, then the readout), quantity; networks, and of these dead (exactly zero) and
            nonfinite (diverged at this step). ``quenched`` is the mean of the natural logarithm of live finite values,
            ``mean`` that of finite ones; both are NaN if there are none, and cosines have no logarithm. Quantiles q05,
            q25, median, q75, q95 are over all networks, diverged ones as +inf; of cosines, over finite ones.

        Raises
        ------
        SweepError
            For an unknown quantity.

        Examples
        --------
        >>> from gradsim.steps import simulate_training
        >>> found = simulate_training(width=256, depth=2, sigma_w=1.5, learning_rate=0.1, steps=1, networks=4)
        >>> found.table(["h_change"])[["step", "layer", "networks"]].tail(1).values.tolist()
        [[1, 3, 4]]
        """
        names = list(QUANTITIES) if quantities is None else [quantities] if isinstance(quantities, str) else quantities
        for name in names:
            if name not in QUANTITIES:
                allowed = f"some of {', '.join(QUANTITIES)}"
                raise SweepError("quantities", name, allowed, "Leave it out to get all")
        rows = [
            {"step": step, "layer": layer, "quantity": name, **statistics(name, self.values[name][:, step, layer - 1])}
            for step in range(self.problem.steps + 1)
            for name in names
            for layer in layers_of(name, self.problem.depth)
        ]
        return pd.DataFrame(rows)


def statistics(quantity: str, values: Array) -> dict[str, Any]:
    """Return the statistics of one quantity over networks."""
    finite = np.isfinite(values)
    known, signed = values[finite], quantity.endswith("cosine")
    live = known[known > 0.0]
    bounded = known if signed else np.where(finite, values, np.inf)
    with np.errstate(invalid="ignore"):  # inf - inf, between quantiles of diverged networks
        quantiles = np.quantile(bounded, QUANTILES, method="inverted_cdf") if len(bounded) else [np.nan] * 5
    return {
        "networks": len(values),
        "dead": int((known == 0.0).sum()),
        "nonfinite": int((~finite).sum()),
        "quenched": np.log(live).mean() if len(live) and not signed else np.nan,
        "mean": known.mean() if len(known) else np.nan,
        **dict(zip(("q05", "q25", "median", "q75", "q95"), map(float, quantiles), strict=True)),
    }
