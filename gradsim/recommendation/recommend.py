"""`recommend`: the sigma_w for a network, and what to do where there is none."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import numpy as np

from gradsim.analysis.crossings import Crossing
from gradsim.analysis.summaries import DECADE
from gradsim.errors import SweepError
from gradsim.recommendation.expected import expected
from gradsim.recommendation.result import LEVEL, TYPICAL, Recommendation
from gradsim.recommendation.samples import Networks, Sample
from gradsim.recommendation.search import find_boundary
from gradsim.sweep import Sweep
from gradsim.theory.infinite_width.stability import half_stable_points
from gradsim_core.activations import Activation

_BIASES = (0.1, 0.3, 1.0)  # sigma_b that are tried where there is no recommendation without biases
_WIDEST_SPREAD = DECADE / 0.6745  # standard deviation of a normal log gain of which half is within a decade


def recommend(
    activation: str | Activation,
    depth: int,
    width: int,
    sigma_b: float = 0.0,
    *,
    law: str = "gaussian",
    seed: int = 1,
    threads: int | None = None,
) -> Recommendation:
    """Return the sigma_w that keeps the typical gradient level at a depth and width, by theory and simulation.

    Parameters
    ----------
    activation : str or Activation
        A name from the table, such as "gelu", or a user's own pair.
    depth : int
        Number of weight matrices, from 2.
    width : int
        Number of neurons in each layer.
    sigma_b : float
        Standard deviation of the biases, >= 0.
    law : str
        Law of the weights, such as "gaussian" or "orthogonal". Where such weights would take too long to draw,
        Gaussian ones of the same standard deviation are simulated, and ``advice`` says so.
    seed : int
        Seed of the simulated networks; the same call gives the same numbers.
    threads : int, optional
        Number of threads; the numbers do not depend on it. Default: as many as this process may use.

    Returns
    -------
    Recommendation
        ``sigma_w`` and ``std``, or the ``reason`` why there is none, with an ``alternative``; ``presets()``,
        ``snippet()``. Printing it shows all.

    Raises
    ------
    SweepError
        If a value is not allowed; says which are.

    Notes
    -----
    It takes seconds: at most about 10^5 networks are sampled without their weights.

    Examples
    --------
    >>> found = recommend("relu", depth=64, width=64)
    >>> round(found.sigma_w, 4), round(found.std, 4)
    (1.4427, 0.1803)
    """
    cell = Sweep(
        activation=activation, sigma_w=1.0, sigma_b=sigma_b, depth=depth, width=width, law=law, networks=1, seed=seed
    )
    if cell.cell_count != 1:
        raise SweepError("cells", cell.cell_count, "one network", "Give one value for each parameter")
    if cell.depth[0] == 1:
        raise SweepError("depth", 1, "a whole number >= 2", "A network of depth 1 has gain 1 whatever sigma_w is")
    asked = Networks(activation, cell.law[0], cell.sigma_b[0], cell.depth[0], cell.width[0], cell.seed, threads)
    found = _found(asked)
    if found.reason is None:
        return replace(found, advice=tuple(_remarks(found)))
    others = map(_found, (replace(asked, sigma_b=other) for other in _other_biases(found)))
    alternative = next((other for other in others if other.reason is None), None)
    return replace(found, alternative=alternative, advice=tuple(_remarks(found) + _remedies(found, alternative)))


def _found(networks: Networks) -> Recommendation:
    """The recommendation for these networks alone."""
    theory = expected(networks)
    crossing = find_boundary(networks, theory.guess)
    if crossing.reason is not None:
        return Recommendation(networks, nan, crossing.reason, crossing, theory, None)
    exact = theory.exact and networks.drawn_law == networks.law
    sigma_w = float(f"{theory.sigma_w if exact else crossing.sigma_w:.6g}")
    sample = networks.sample(sigma_w, networks.most)
    reason = _why_not(sample, crossing)
    return Recommendation(networks, nan if reason else sigma_w, reason, crossing, theory, sample)


def _why_not(sample: Sample, crossing: Crossing) -> str | None:
    """The sentence why a boundary is not recommended."""
    if crossing.direction == "down":
        return f"Gradients vanish above sigma_w = {sample.sigma_w:.5g} and explode below it: no stable choice."
    if sample.live_share < TYPICAL:
        return (
            f"At the boundary, sigma_w = {sample.sigma_w:.5g}, only {sample.live_share:.0%} of the networks have a "
            "gradient norm within a decade."
        )
    low, high = (end / DECADE for end in sample.median_interval())
    if low > LEVEL or high < -LEVEL:
        return f"The gain changes too fast near the boundary: its median is {sample.decades:+.2f} decades there."
    return None


def _other_biases(found: Recommendation) -> list[float]:
    """Values of sigma_b to try where there is no recommendation.

    From a half-stable point on, the fixed point of q is unique and stable on the critical line (gelu, silu): Roberts,
    Yaida and Hanin 2021 (arXiv:2106.10165), section 5.3.3. Other activations have a boundary with biases that they lack
    without; where they have one, biases do not narrow the spread.
    """
    try:
        points = half_stable_points(found.networks.activation)["sigma_b"].tolist()
    except SweepError:
        points = []
    tried = [float(np.ceil(100.0 * sigma_b) / 100.0) for sigma_b in points]
    if tried:
        tried.append(_BIASES[-1])
    elif found.sample is None:
        tried = list(_BIASES)
    return [sigma_b for sigma_b in tried if sigma_b > found.networks.sigma_b]


def _remarks(found: Recommendation) -> list[str]:
    """What a user should know of the numbers."""
    networks, remarks = found.networks, list[str]()
    if found.reason is None and not found.level:
        remarks.append(
            f"The typical gain is not certain to lie within {LEVEL:g} decades of 1: gains are widely spread, or few "
            "networks of this size can be simulated in seconds. Take more with gradsim.simulate."
        )
    if networks.drawn_law != networks.law:
        remarks.append(
            f"Simulated with Gaussian weights of the same standard deviation: {networks.law} weights of this size take "
            "too long to draw. At large width the two agree."
        )
    return remarks


def _remedies(found: Recommendation, alternative: Recommendation | None) -> list[str]:
    """What to do where there is no recommendation."""
    remedies = []
    if alternative is not None:
        remedies.append(
            f"Draw biases with sigma_b = {alternative.networks.sigma_b:g}: then sigma_w = {alternative.sigma_w:g} "
            "keeps typical gradients level."
        )
    spread = found.sample.spread if found.sample else nan
    if spread > _WIDEST_SPREAD and found.sample and found.sample.dead_fraction < TYPICAL:
        needed = found.networks.width * (spread / _WIDEST_SPREAD) ** 2
        remedies.append(f"Widen the layers: the spread falls as 1/sqrt(width), to about {needed:.2g} neurons.")
    if not remedies:
        remedies.append(
            "Use fewer layers, wider layers, another activation, or an architecture that keeps gradients level by "
            "itself: residual branches or normalisation."
        )
    return remedies
