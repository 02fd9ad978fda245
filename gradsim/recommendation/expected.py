"""What theory says of the sigma_w for a network."""

from __future__ import annotations

from typing import NamedTuple

from gradsim import theory
from gradsim.errors import SweepError
from gradsim.recommendation.samples import Networks
from gradsim.theory.typical import gains

_EXACT, _FIRST_ORDER, _INFINITE = "exact", "first order in 1/width", "infinite width"


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
    """

    sigma_w: float
    source: str | None
    guess: float

    @property
    def exact(self) -> bool:
        """Whether the law of the gain is known at this width."""
        return self.source == _EXACT


def expected(networks: Networks) -> Expected:
    """Return the sigma_w at which the typical gain is 1, by the best theory that there is.

    The laws at finite width are those of Gaussian weights; at infinite width all laws of finite variance agree, and
    orthogonal weights with them.
    """
    cell = networks.activation, networks.depth, networks.width, networks.sigma_b
    for source in (_EXACT, _FIRST_ORDER, _INFINITE):
        if (source != _INFINITE and networks.law != "gaussian") or (source == _EXACT and networks.sigma_b):
            continue
        try:
            sigma_w = _root(source, *cell)
        except (theory.NoCriticalPoint, SweepError):
            continue
        return Expected(sigma_w, source, sigma_w)
    try:
        guess = gains(networks.activation, 2).backward
    except SweepError:  # a user's own activation without an average
        guess = 1.0
    return Expected(float("nan"), None, guess)


def _root(source: str, activation: object, depth: int, width: int, sigma_b: float) -> float:
    if source == _EXACT:
        return float(theory.median_sigma_w(activation, depth, width))
    return float(theory.typical_sigma_w(activation, depth, sigma_b, width if source == _FIRST_ORDER else None))
