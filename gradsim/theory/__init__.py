"""Mean-field theory of back-propagated gradients, and exact laws at finite width.

Everything is computed in float64 by quadrature of the same pair (phi, phi') that the simulator runs, so the theory
covers every activation, a user's own included. Symbols (``sigma_w``, ``sigma_b``, ``q_star``, ``chi_1``) are those of
Poole et al. 2016 (arXiv:1606.05340) and Schoenholz et al. 2017 (arXiv:1611.01232).

Functions of an activation and numbers take arrays and lists too, of activations as well. Then they return a frame, a
row for each combination, with a column ``reason`` where there may be no result:

>>> critical_sigma_w(["tanh", "relu", "softplus"], sigma_b=0.0)[["activation", "sigma_w"]].round(6)
  activation   sigma_w
0       tanh  1.000000
1       relu  1.414214
2   softplus       NaN
"""

from gradsim.theory import boundaries, typical
from gradsim.theory.architectures import boundary as architecture_boundary
from gradsim.theory.architectures.arguments import DeepNorm, deepnorm
from gradsim.theory.architectures.presets import preset_sigmas
from gradsim.theory.architectures.stream import Stream, stream
from gradsim.theory.arrays import for_arrays
from gradsim.theory.errors import NoCriticalPoint, NoMeanField
from gradsim.theory.finite_width import first_order, roots
from gradsim.theory.finite_width.exact_law import GainLaw, gain_law
from gradsim.theory.finite_width.lyapunov import lyapunov_exponents
from gradsim.theory.infinite_width import fixed_point, maps, spectrum, stability
from gradsim.theory.infinite_width.density import jacobian_density
from gradsim.theory.infinite_width.finite_depth import Trajectory, trajectory
from gradsim.theory.infinite_width.fixed_point import MeanField
from gradsim.theory.infinite_width.maps import gaussian_mean
from gradsim.theory.infinite_width.planes import plane
from gradsim.theory.infinite_width.spectrum import JacobianSpectrum
from gradsim.theory.typical import Gains, GainSpread

mean_field = for_arrays(fixed_point.mean_field, *MeanField._fields)
chi_1 = for_arrays(fixed_point.chi_1, "chi_1")
chi_c = for_arrays(fixed_point.chi_c, "chi_c")
q_map = for_arrays(maps.q_map, "next_q")
c_map = for_arrays(maps.c_map, "next_c")
fixed_points = for_arrays(stability.fixed_points)
half_stable_points = for_arrays(stability.half_stable_points)
critical_sigma_w = for_arrays(fixed_point.critical_sigma_w, "sigma_w")
boundary = for_arrays(boundaries.boundary, "sigma_w")
stream_boundary = for_arrays(architecture_boundary.stream_boundary, "sigma_w")
quenched_sigma_w = for_arrays(roots.quenched_sigma_w, "sigma_w")
moment_sigma_w = for_arrays(roots.moment_sigma_w, "sigma_w")
median_sigma_w = for_arrays(typical.median_sigma_w, "sigma_w")
typical_sigma_w = for_arrays(typical.typical_sigma_w, "sigma_w")
log_factor_mean = for_arrays(roots.log_factor_mean, "log_factor_mean")
width_correction = for_arrays(first_order.width_correction)
gains = for_arrays(typical.gains, *Gains._fields)
jacobian_spectrum = for_arrays(spectrum.jacobian_spectrum, *JacobianSpectrum._fields)
gain_spread = for_arrays(typical.gain_spread, *GainSpread._fields)

__all__ = [
    "DeepNorm",
    "GainLaw",
    "GainSpread",
    "Gains",
    "JacobianSpectrum",
    "MeanField",
    "NoCriticalPoint",
    "NoMeanField",
    "Stream",
    "Trajectory",
    "boundary",
    "c_map",
    "chi_1",
    "chi_c",
    "critical_sigma_w",
    "deepnorm",
    "fixed_points",
    "gain_law",
    "gain_spread",
    "gains",
    "gaussian_mean",
    "half_stable_points",
    "jacobian_density",
    "jacobian_spectrum",
    "log_factor_mean",
    "lyapunov_exponents",
    "mean_field",
    "median_sigma_w",
    "moment_sigma_w",
    "plane",
    "preset_sigmas",
    "q_map",
    "quenched_sigma_w",
    "stream",
    "stream_boundary",
    "trajectory",
    "typical_sigma_w",
    "width_correction",
]


def __dir__() -> list[str]:
    return sorted(__all__)
