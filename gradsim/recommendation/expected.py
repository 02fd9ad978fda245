"""What theory says of the sigma_w for a network."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gradsim import theory
from gradsim.analysis.mean_field import axes_of_theory, biases_of_theory, mean_field
from gradsim.errors import SweepError
from gradsim.recommendation.samples import Networks
from gradsim.theory.architectures.boundary import stream_boundary
from gradsim.theory.typical import gains
from gradsim_core.architectures import PLAIN

_EXACT, _FIRST_ORDER, _INFINITE = "exact", "first order in 1/width", "infinite width"
_SAME, _PER_LAYER = 0.01, 1e-4  # share of ln gain, and ln gain of a layer, that are due to epsilon


class Expected(NamedTuple):
    """The sigma_w that theory gives.

    Attributes
    ----------
    sigma_w
        NaN where theory gives none.
    source
        "exact", "first order in 1/width", "infinite width"; None where theory gives none.
    guess
        Where a search begins.
    free
        Whether every sigma_w gives the same gain, since a norm divides it out.
    """

    sigma_w: float
    source: str | None
    guess: float
    free: bool = False

    @property
    def exact(self) -> bool:
        """Whether the law of the gain is known at this width."""
        return self.source == _EXACT


def expected(networks: Networks) -> Expected:
    """Return the sigma_w at which the typical gain is 1, by the best theory that there is.

    The laws at finite width are those of Gaussian weights; at infinite width all laws of finite variance agree, and
    orthogonal weights with them.
    """
    if networks.network != PLAIN:
        return _of_others(networks)
    cell = networks.activation, networks.depth, networks.width, networks.sigma_b
    for source in (_EXACT, _FIRST_ORDER, _INFINITE):
        if (source != _INFINITE and networks.law != "gaussian") or (source == _EXACT and networks.sigma_b):
            continue
        try:
            sigma_w = _root(source, *cell)
        except (theory.NoCriticalPoint, SweepError):
            continue
        return Expected(sigma_w, source, sigma_w)
    return Expected(float("nan"), None, _guess(networks))


def _of_others(networks: Networks) -> Expected:
    """Of networks without branches that are not plain ones of one input: infinite width."""
    network = networks.network._asdict()
    known = axes_of_theory(network)
    if not isinstance(known, str):
        architecture, options = known
        sigma_b = biases_of_theory(network, networks.sigma_b)
        try:
            sigma_w = stream_boundary(architecture, networks.activation, networks.depth, sigma_b, **options)
        except (theory.NoCriticalPoint, theory.NoMeanField, SweepError):
            return Expected(float("nan"), None, _guess(networks), _free(networks))
        return Expected(sigma_w, _INFINITE, sigma_w)
    return Expected(float("nan"), None, _guess(networks))


def _free(networks: Networks) -> bool:
    """Whether three values of sigma_w have one gain in mean field, but for the epsilon of the norm."""
    if networks.network.normalisation == "none":
        return False
    cell: dict[str, Any] = {"depth": networks.depth, "width": networks.width, "sigma_b": networks.sigma_b}
    cell |= networks.network._asdict()
    found = [mean_field(cell | {"sigma_w": sigma_w}, networks.activation).log_gain for sigma_w in (0.5, 1.0, 2.0)]
    return float(np.ptp(found)) <= _SAME * max(map(abs, found)) + _PER_LAYER * networks.depth


def _guess(networks: Networks) -> float:
    try:
        return gains(networks.activation, 2).backward
    except SweepError:  # a user's own activation without an average
        return 1.0


def _root(source: str, activation: object, depth: int, width: int, sigma_b: float) -> float:
    if source == _EXACT:
        return float(theory.median_sigma_w(activation, depth, width))
    return float(theory.typical_sigma_w(activation, depth, sigma_b, width if source == _FIRST_ORDER else None))
