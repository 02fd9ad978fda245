"""The spectrum of an ensemble of Jacobians: arrays by network, tables, moments and theory."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from gradsim.notebook import facts_html
from gradsim.spectra.moments import Moments, moments_of
from gradsim.theory.finite_width.lyapunov import lyapunov_exponents
from gradsim.theory.infinite_width.spectrum import DEEPEST, JacobianSpectrum, jacobian_spectrum

if TYPE_CHECKING:
    from gradsim_core.activations import Activation

Array = npt.NDArray[np.float64]

_QUANTILES = {"q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95}


@dataclass(frozen=True)
class Cell:
    """Which networks; `name` is that of the activation, and `output` is where J ends."""

    activation: Activation
    name: str
    width: int
    depth: int
    sigma_w: float
    sigma_b: float
    law: str
    method: str
    output: str
    seed: int


class Comparison(NamedTuple):
    """Theory beside the networks.

    Attributes
    ----------
    spectrum
        Mean, variance and edge of s^2 at infinite width; NaN beyond the depth to which they are computed.
    lyapunov
        Exact Lyapunov exponents (k,) of linear networks with Gaussian weights; None of others.
    """

    spectrum: JacobianSpectrum
    lyapunov: Array | None


@dataclass(frozen=True, repr=False)
class Jacobian:
    """Singular values and Lyapunov exponents of the Jacobians of networks 0 .. n-1.

    Attributes
    ----------
    cell
        Which networks.
    log_singular_values
        ln s, float64 (networks, k), falling; -inf for exactly 0. k is the width, or `top`. NaN if the network is not
        finite, where the slopes of a layer differ by more than float64 holds, and by the conditional method where s is
        below 10^-14 of the largest one.
    errors
        Estimated errors of these (networks, k): 0 for the explicit method, whose errors are those of rounding. For the
        conditional method s is at least the number given; it assumes that no singular value was missed, as may
        happen if several are equal.
    lyapunov
        (1/L) sum over layers of ln R_ii, float64 (networks, k), where R are the QR factors of the images of k
        orthonormal vectors; -inf for a vector whose image depends on those before it.
    rank
        Number of singular values that are not 0, int (networks,).
    steps
        Steps of Lanczos, int (networks,).
    status
        int8 (networks,): 0 alive, 1 dead (J = 0), 2 not finite.
    log_square, log_fourth
        ln of the mean of s^2 and of s^4 of each network (networks,); for the conditional method unbiased estimates of
        those from one random vector.
    """

    cell: Cell
    log_singular_values: Array
    errors: Array
    lyapunov: Array
    rank: npt.NDArray[np.int64]
    steps: npt.NDArray[np.int64]
    status: npt.NDArray[np.int8]
    log_square: Array
    log_fourth: Array

    @property
    def log_condition(self) -> Array:
        """ln of the largest singular value over the smallest (networks,); inf if J is singular.

        NaN where the smallest is not known, as by the conditional method below `top` = width.
        """
        logs = self.log_singular_values
        if logs.shape[1] < self.cell.width:
            return np.full(len(logs), np.nan)
        with np.errstate(invalid="ignore"):
            return np.where(np.isneginf(logs[:, -1]), np.inf, logs[:, 0] - logs[:, -1])

    @property
    def condition(self) -> Array:
        """Largest over smallest singular value (networks,); inf if J is singular, or beyond float64."""
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(self.log_condition))

    def moments(self) -> Moments:
        """Mean and variance of s^2 over all singular values and networks, with standard errors."""
        return moments_of(self.log_square, self.log_fourth)

    @cached_property
    def theory(self) -> Comparison:
        """Theory of these networks: s^2 at infinite width, and exact Lyapunov exponents where they are known."""
        cell = self.cell
        if cell.depth > DEEPEST:
            spectrum = JacobianSpectrum(np.nan, np.nan, np.nan)
        else:
            spectrum = jacobian_spectrum(
                cell.activation, cell.depth, cell.sigma_w, cell.sigma_b, cell.law, cell.output
            )  # fmt: skip
        known = cell.name == "linear" and cell.law == "gaussian"
        count = self.lyapunov.shape[1]
        return Comparison(spectrum, lyapunov_exponents(cell.width, cell.sigma_w)[:count] if known else None)

    def table(self) -> pd.DataFrame:
        """A row for each singular value, the largest first.

        Returns
        -------
        pandas.DataFrame
            `index` from 1; `networks` all, `live` those where it is not 0, `dead` where it is, `nonfinite`; `mean` and
            `se` of ln s over the live ones (quenched), quantiles with dead as -inf; `error`, the largest estimated
            error; `lyapunov` and `lyapunov_se`, mean of the exponents over the live; `lyapunov_theory` where known.
        """
        exact = self.theory.lyapunov
        rows = []
        for i, (logs, exponents) in enumerate(zip(self.log_singular_values.T, self.lyapunov.T, strict=True)):
            live, dead = logs[np.isfinite(logs)], int(np.isneginf(logs).sum())
            mean, se = _mean_and_error(live)
            rate, rate_se = _mean_and_error(exponents[np.isfinite(exponents)])
            known = np.concatenate([live, np.full(dead, -np.inf)])
            counts = {"networks": len(logs), "live": len(live), "dead": dead, "nonfinite": len(logs) - len(known)}
            rows.append(
                {"index": i + 1, **counts, "mean": mean, "se": se}
                | {name: _quantile(known, share) for name, share in _QUANTILES.items()}
                | {"error": float(np.max(self.errors[:, i], initial=0.0, where=~np.isnan(self.errors[:, i])))}
                | {"lyapunov": rate, "lyapunov_se": rate_se}
                | ({} if exact is None else {"lyapunov_theory": float(exact[i])})
            )
        return pd.DataFrame(rows)

    def summary(self) -> pd.DataFrame:
        """One row: the cell, moments of s^2 and ln of the largest one beside theory, and counts of networks."""
        found, theory = self.moments(), self.theory.spectrum
        top = 2.0 * self.log_singular_values[:, 0]
        mean, se = _mean_and_error(top[np.isfinite(top)])
        cell = {name: value for name, value in asdict(self.cell).items() if name not in ("activation", "name")}
        row: dict[str, Any] = {"activation": self.cell.name, **cell, "networks": len(self.rank)}
        row |= {"dead": int((self.status == 1).sum()), "nonfinite": int((self.status == 2).sum())}
        row |= {"mean_square": found.mean, "mean_square_se": found.mean_error, "mean_square_theory": theory.mean}
        row |= {"variance": found.variance, "variance_se": found.variance_error, "variance_theory": theory.variance}
        row |= {"log_largest_square": mean, "log_largest_square_se": se, "log_edge_theory": theory.log_edge}
        row |= {"median_log_condition": float(np.median(self.log_condition)), "mean_rank": float(self.rank.mean())}
        return pd.DataFrame([row])

    def __repr__(self) -> str:
        networks, count = self.log_singular_values.shape
        dead, lost = (int((self.status == code).sum()) for code in (1, 2))
        return f"Jacobian(networks={networks}, singular_values={count}, dead={dead}, nonfinite={lost})"

    def _repr_html_(self) -> str:
        row = self.summary().iloc[0]
        facts = {name: row[name] for name in ("networks", "dead", "nonfinite")}
        for name, title in (("mean_square", "mean of s²"), ("variance", "variance of s²")):
            facts[title] = f"{row[name]:.4g} ± {row[f'{name}_se']:.2g}; theory {row[f'{name}_theory']:.4g}"
        return facts_html("Jacobian", facts)


def _mean_and_error(values: Array) -> tuple[float, float]:
    """Mean and its standard error; NaN without values, or from one."""
    if not len(values):
        return np.nan, np.nan
    error = float(values.std(ddof=1)) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return float(values.mean()), float(error)


def _quantile(values: Array, share: float) -> float:
    """A quantile, one of the values, so that -inf stays what it is; NaN without values."""
    return float(np.quantile(values, share, method="inverted_cdf")) if len(values) else np.nan
