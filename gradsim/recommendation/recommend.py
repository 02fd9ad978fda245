"""`recommend`: the sigma_w for a network or the std of its matrices, and what to do where there is none."""

from __future__ import annotations

from dataclasses import replace
from math import nan
from typing import Unpack, overload

import numpy as np

from gradsim.analysis.crossings import Crossing, no_crossing
from gradsim.analysis.summaries import DECADE
from gradsim.errors import SweepError
from gradsim.recommendation.asked import has_branches, networks_of
from gradsim.recommendation.branches import BranchRecommendation, compare_branches
from gradsim.recommendation.expected import Expected, expected
from gradsim.recommendation.result import LEVEL, TYPICAL, Recommendation
from gradsim.recommendation.samples import Networks, Sample
from gradsim.recommendation.search import find_boundary
from gradsim.sweep.networks import NetworkOptions
from gradsim.theory.infinite_width.stability import half_stable_points
from gradsim_core.activations import Activation, resolve_activation
from gradsim_core.architectures import PLAIN

_BIASES = (0.1, 0.3, 1.0)  # sigma_b that are tried where there is no recommendation without biases
_ENOUGH = 24  # neurons N, of which one alone is live with probability N 2^-N
_NEARLY_LINEAR = 0.4  # root mean square of preactivations of x that a norm has made 1
_TOLERABLE = 0.5  # decades of a gain that no sigma_w changes
_WIDEST_SPREAD = DECADE / 0.6745  # standard deviation of a normal log gain of which half is within a decade


@overload
def recommend(
    activation: str | Activation, depth: int, width: int, sigma_b: float = 0.0, *,
    law: str = "gaussian", seed: int = 1, threads: int | None = None,
) -> Recommendation: ...  # fmt: skip


@overload
def recommend(
    activation: str | Activation, depth: int, width: int, sigma_b: float = 0.0, *,
    law: str = "gaussian", seed: int = 1, threads: int | None = None, **network: Unpack[NetworkOptions],
) -> Recommendation | BranchRecommendation: ...  # fmt: skip


def recommend(
    activation: str | Activation,
    depth: int,
    width: int,
    sigma_b: float = 0.0,
    *,
    law: str = "gaussian",
    seed: int = 1,
    threads: int | None = None,
    **network: Unpack[NetworkOptions],
) -> Recommendation | BranchRecommendation:
    """Return the standard deviations that keep typical gradients level in a network, by theory and simulation.

    A network without branches (plain, convolution, recurrent) has one sigma_w. Where branches are added to a stream
    (residual, residual2, transformer), gradients grow at every sigma_w: there each initialisation that fits is
    measured, and the one to take is named, with the std of every matrix.

    Parameters
    ----------
    activation : str or Activation
        A name from the table, such as "gelu", or a user's own pair.
    depth : int
        Number of weight matrices, or of blocks or time steps, from 2.
    width : int
        Number of neurons in each layer; of the stream.
    sigma_b : float
        Standard deviation of the biases, >= 0; of networks without branches.
    law : str
        Law of the weights, such as "gaussian" or "orthogonal". Where such weights would take too long to draw,
        Gaussian ones of the same standard deviation are simulated, and ``advice`` says so.
    seed : int
        Seed of the simulated networks; the same call gives the same numbers.
    threads : int, optional
        Number of threads; the numbers do not depend on it. Default: as many as this process may use.
    **network
        The kind of network, as a `Sweep` takes it: ``architecture="transformer"``, ``normalisation="layer"``,
        ``placement="pre"``, ``branch_scale="1/sqrt(L)"`` …, but no preset. Unless it is given, a transformer has 8
        tokens and heads of 64 numbers, a convolution 8 positions, and batch norm 32 inputs.

    Returns
    -------
    Recommendation or BranchRecommendation
        Without branches: ``sigma_w`` and ``std``, or the ``reason`` why there is none, with an ``alternative``;
        ``presets()``, ``snippet()``. With branches: ``best``, ``stds()``, ``initialisations``, ``verdict``,
        ``snippet()``. Printing it shows all.

    Raises
    ------
    SweepError
        If a value is not allowed; says which are.

    Notes
    -----
    It takes seconds: at most about 10^5 networks are sampled without their weights. Large networks with a norm, or with
    several inputs, are simulated at a smaller width, and large transformers not at all; ``advice`` says so.

    Examples
    --------
    >>> found = recommend("relu", depth=64, width=64)
    >>> round(found.sigma_w, 4), round(found.std, 4)
    (1.4427, 0.1803)
    >>> found = recommend("relu", depth=64, width=64, architecture="residual2")
    >>> found.best, found.stds().round(4)["block_1"].to_dict()
    ('depth_scaled', {'up': 0.1768, 'down': 0.0156})
    """
    asked = networks_of(activation, (depth, width), sigma_b, law, network, seed=seed, threads=threads)
    if has_branches(asked):
        return compare_branches(asked)
    found = _found(asked)
    if found.reason is None:
        return replace(found, advice=tuple(_remarks(found)))
    others = map(_found, (replace(asked, sigma_b=other) for other in _other_biases(found)))
    alternative = next((other for other in others if other.reason is None), None)
    return replace(found, alternative=alternative, advice=tuple(_remarks(found) + _remedies(found, alternative)))


def _found(networks: Networks) -> Recommendation:
    """The recommendation for these networks alone."""
    theory = expected(networks)
    if theory.free:
        return _whatever_sigma_w(networks, theory)
    crossing = find_boundary(networks, theory.guess)
    if crossing.reason is not None:
        return Recommendation(networks, nan, crossing.reason, crossing, theory, None)
    exact = theory.exact and networks.drawn_law == networks.law
    trusted = exact or (networks.drawn_width < networks.width and theory.source is not None)
    sigma_w = float(f"{theory.sigma_w if trusted else crossing.sigma_w:.6g}")
    sample = networks.sample(sigma_w, networks.most)
    reason = _why_not(sample, crossing)
    return Recommendation(networks, nan if reason else sigma_w, reason, crossing, theory, sample)


def _whatever_sigma_w(networks: Networks, theory: Expected) -> Recommendation:
    """Of networks whose norm divides sigma_w out: 1 where gradients are level, and else none."""
    sample = networks.sample(1.0, networks.most)
    low, high = (end / DECADE for end in sample.median_interval())
    reason = None
    if low > _TOLERABLE or high < -_TOLERABLE or sample.live_share < TYPICAL:
        reason = (
            "The norm divides sigma_w out: at every sigma_w the typical gradient changes by "
            f"{sample.decades:+.2f} decades from the last layer to the first."
        )
    crossing = no_crossing("The norm divides sigma_w out: every sigma_w gives the same gain.")
    return Recommendation(networks, nan if reason else 1.0, reason, crossing, theory, sample)


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
    networks = found.networks
    if networks.network != PLAIN:
        larger = (sigma_b for sigma_b in _BIASES if sigma_b > networks.sigma_b)
        return [sigma_b for sigma_b in larger if expected(replace(networks, sigma_b=sigma_b)).source]
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


def _may_leave_one_neuron(networks: Networks) -> bool:
    """Whether norms of relu networks meet one live neuron in more than about one layer of a million."""
    slopes = resolve_activation(networks.activation).slope_zero
    dies = slopes is not None and 0.0 in slopes
    return dies and networks.network.normalisation in ("layer", "rms") and networks.width < _ENOUGH


def _remarks(found: Recommendation) -> list[str]:
    """What a user should know of the numbers."""
    networks, remarks = found.networks, list[str]()
    if found.expected.free and found.reason is None:
        remarks.append("The norm divides sigma_w out: every other value gives the same gradients.")
    elif found.reason is None and not found.level and networks.drawn_width == networks.width:
        remarks.append(
            f"The typical gain is not certain to lie within {LEVEL:g} decades of 1: gains are widely spread, or few "
            "networks of this size can be simulated in seconds. Take more with gradsim.simulate."
        )
    if networks.network.placement == "post" and found.sigma_w < _NEARLY_LINEAR:
        remarks.append(
            "Preactivations of so small a sigma_w reach the activation only where it is nearly a line: gradients are "
            "level, and the network is nearly linear."
        )
    if _may_leave_one_neuron(networks):
        remarks.append(
            f"Of {networks.width} neurons often one alone is live: a norm then lets only epsilon's share of the "
            f"gradient through, which is lost to rounding in training. Take {_ENOUGH} neurons or more."
        )
    if networks.drawn_law != networks.law:
        remarks.append(
            f"Simulated with Gaussian weights of the same standard deviation: {networks.law} weights of this size take "
            "too long to draw. At large width the two agree."
        )
    if networks.drawn_width != networks.width:
        given = "theory of infinite width" if found.expected.source else "narrower networks"
        remarks.append(
            f"Simulated at width {networks.drawn_width:,}: networks of width {networks.width:,} take too long. The "
            f"answer is that of {given}."
        )
    return remarks


def _remedies(found: Recommendation, alternative: Recommendation | None) -> list[str]:
    """What to do where there is no recommendation."""
    remedies, plain = [], found.networks.network == PLAIN
    if alternative is not None:
        remedies.append(
            f"Draw biases with sigma_b = {alternative.networks.sigma_b:g}: then sigma_w = {alternative.sigma_w:g} "
            "keeps typical gradients level."
        )
    spread = found.sample.spread if found.sample else nan
    if plain and spread > _WIDEST_SPREAD and found.sample and found.sample.dead_fraction < TYPICAL:
        needed = found.networks.width * (spread / _WIDEST_SPREAD) ** 2
        remedies.append(f"Widen the layers: the spread falls as 1/sqrt(width), to about {needed:.2g} neurons.")
    if not remedies:
        remedies.append(
            "Use fewer layers, wider layers, another activation, or an architecture that keeps gradients level by "
            + ("itself: residual branches or normalisation." if plain else "itself: residual branches.")
        )
    return remedies
