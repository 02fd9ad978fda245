"""Mean-field theory of back-propagated gradients, and exact laws at finite width.

Everything is computed in float64 by quadrature of the same pair (phi, phi') that the simulator runs, so the theory
covers every activation, a user's own included. Symbols (``sigma_w``, ``sigma_b``, ``q_star``, ``chi_1``) are those of
Poole et al. 2016 (arXiv:1606.05340) and Schoenholz et al. 2017 (arXiv:1611.01232).
"""

from gradsim.theory.errors import NoCriticalPoint
from gradsim.theory.finite_depth import Trajectory, boundary, trajectory
from gradsim.theory.finite_width import log_factor_mean, quenched_sigma_w
from gradsim.theory.fixed_point import MeanField, chi_1, critical_sigma_w, mean_field

__all__ = [
    "MeanField",
    "NoCriticalPoint",
    "Trajectory",
    "boundary",
    "chi_1",
    "critical_sigma_w",
    "log_factor_mean",
    "mean_field",
    "quenched_sigma_w",
    "trajectory",
]


def __dir__() -> list[str]:
    return sorted(__all__)
