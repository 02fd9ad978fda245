"""The sigma_w at which the median gain of simulated networks is 1."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from gradsim.activations import name_of
from gradsim.analysis.crossings import Crossing, find_crossing, no_crossing
from gradsim.analysis.summaries import DECADE
from gradsim.errors import why_not_finite
from gradsim.recommendation.samples import NETWORKS, Array, Networks, Sample

_SCOUTS = 64  # networks of a sample that only shows on which side of the boundary it lies
_MOST_SCOUTS, _TRIES = 4096, 12  # networks of one that must show it for certain, and how often one is replaced
_MARGIN = 0.25  # of the distance of the ends, by which the first round reaches beyond them: the boundary may be close
_COARSE = 512  # networks of a sample in the first of two rounds
_NEAR, _FLAT = 8.0, 0.05  # half the range of the second round's medians: standard errors, each at least this
_POINTS = 5  # samples that locate the boundary
_SMALLEST, _LARGEST = 1e-2, 1e2  # range of sigma_w
_FIRST_STEP, _LONGEST_STEP = 0.02, 0.7  # in ln sigma_w


def find_boundary(networks: Networks, guess: float, level: float = 0.95) -> Crossing:
    """Return the sigma_w at which the median gain is 1, with an interval.

    Parameters
    ----------
    networks
        Which networks.
    guess
        Where the search begins.
    level
        Probability that the interval covers it.

    Returns
    -------
    Crossing
        With a reason, and NaN, where there is none.
    """
    bracket = _bracket(networks, float(np.clip(guess, _SMALLEST, _LARGEST)))
    if isinstance(bracket, str):
        return no_crossing(bracket)
    narrowed = _narrowed(networks, *bracket)
    if isinstance(narrowed, str):
        return no_crossing(narrowed)
    low, high = narrowed
    count = _needed(networks, max(low.spread, high.spread))
    margin = (high.sigma_w / low.sigma_w) ** _MARGIN
    for size in (min(_COARSE, count), count):
        samples = _samples(networks, low.sigma_w / margin, high.sigma_w * margin, size)
        first = _crossing(samples, level)
        if first.reason is None:
            reach = _reach(samples, first, count)
            ends = first.sigma_w * np.exp(-reach), first.sigma_w * np.exp(reach)
            return _on_a_line(_samples(networks, *ends, count), level) or first
    nearest = min(samples, key=lambda sample: abs(sample.median))
    return no_crossing(
        f"The median of the gain does not clearly cross 1: near sigma_w = {nearest.sigma_w:.5g}, "
        f"{nearest.live_share:.0%} of the networks have a gradient norm within a decade."
    )


def _samples(networks: Networks, low: float, high: float, count: int) -> list[Sample]:
    return [networks.sample(float(sigma_w), count) for sigma_w in np.geomspace(low, high, _POINTS)]


def _crossing(samples: list[Sample], level: float) -> Crossing:
    """The crossing of the medians of samples."""
    return find_crossing(*_curve(samples, level), level, key="recommendation")


def _curve(samples: list[Sample], level: float) -> tuple[Array, Array, Array]:
    """sigma_w, medians and their standard errors."""
    ends = np.array([sample.median_interval(level) for sample in samples])
    with np.errstate(invalid="ignore"):  # where most gains are 0, or not finite: left out
        se = (ends[:, 1] - ends[:, 0]) / (2.0 * ndtri(0.5 + level / 2))
    grid, medians = np.array([(sample.sigma_w, sample.median) for sample in samples]).T
    return grid, medians, se


def _on_a_line(samples: list[Sample], level: float) -> Crossing | None:
    """The root of the line through medians over ln sigma_w, close to the crossing; None where none lies between them.

    Least squares use all samples, so the root is known twice as well as by interpolation. Its error is that of the
    standard errors, or of the distances from the line if they are larger.
    """
    sigma_w, medians, se = _curve(samples, level)
    if not np.isfinite(medians).all() or not (se > 0.0).all():
        return None
    x, middle = np.log(sigma_w), float(np.log(sigma_w).mean())
    (slope, height), covariance = np.polyfit(x - middle, medians, 1, w=1.0 / se, cov="unscaled")
    offset = -height / slope
    if not (slope > 0.0 and x[0] - middle < offset < x[-1] - middle):
        return None
    misfit = float(np.mean(((medians - height - slope * (x - middle)) / se) ** 2)) * len(x) / (len(x) - 2)
    gradient = np.array([offset, 1.0]) / slope
    reach = ndtri(0.5 + level / 2) * float(np.sqrt(max(misfit, 1.0) * (gradient @ covariance @ gradient)))
    root, low, high = (float(np.exp(middle + offset + step)) for step in (0.0, -reach, reach))
    return Crossing(root, low, high, 1, "up", None)


def _reach(samples: list[Sample], first: Crossing, count: int) -> float:
    """Half the range of ln sigma_w for the second round: the error of the first, and clear gains at the ends."""
    above = next(k for k, sample in enumerate(samples) if sample.sigma_w > first.sigma_w)
    left, right = samples[max(above - 1, 0)], samples[above]
    slope = max(right.median - left.median, _FLAT) / np.log(right.sigma_w / left.sigma_w)
    error = 1.2533 * np.nanmax([left.spread, right.spread]) / count**0.5
    reach = np.log(first.ci_high / first.ci_low) + _NEAR * max(error, _FLAT) / slope
    return float(min(reach, np.log(samples[-1].sigma_w / samples[0].sigma_w)))


def _needed(networks: Networks, spread: float) -> int:
    """Networks of a sample whose median log gain is known to ±0.02 decades of the norm, as far as work allows."""
    needed = (ndtri(0.975) * 1.2533 * np.nan_to_num(spread, nan=np.inf) / (0.02 * DECADE)) ** 2
    return min(int(np.clip(needed, 1000, NETWORKS)), networks.most)


def _bracket(networks: Networks, guess: float) -> tuple[Sample, Sample] | str:
    """Samples on either side of the boundary, or the sentence that there is none."""
    count = min(_SCOUTS, networks.most)
    last = networks.sample(guess, count)
    side, step = last.side, _FIRST_STEP
    if np.isfinite(last.median):  # where phi is nearly linear, ln gain grows by 2 (depth - 1) with ln sigma_w
        step = max(step, 1.2 * abs(last.median) / (2.0 * (networks.depth - 1)))
    while True:
        if reason := _why_lost(networks, last):
            return reason
        step = min(step, _LONGEST_STEP)
        sigma_w = last.sigma_w * float(np.exp(-side * step))
        if not _SMALLEST <= sigma_w <= _LARGEST:
            word = "vanish" if side < 0.0 else "explode"
            return f"Typical gradients {word} at every sigma_w from {guess:.3g} to {last.sigma_w:.3g}."
        found = networks.sample(sigma_w, count)
        if found.side != side:
            return (last, found) if side < 0.0 else (found, last)
        last, step = found, 2.0 * step


def _why_lost(networks: Networks, sample: Sample) -> str | None:
    """The sentence about networks of which most are dead or not finite."""
    if sample.nonfinite_fraction >= 0.5:
        return why_not_finite(name_of(networks.activation), sample.nonfinite_fraction)
    if sample.dead_fraction >= 0.5:
        return f"Most networks are dead: {sample.dead_fraction:.0%} at sigma_w = {sample.sigma_w:.3g}."
    return None


def _narrowed(networks: Networks, low: Sample, high: Sample) -> tuple[Sample, Sample] | str:
    """Move the ends until the gain of each is clear of 1, but not by far: half a decade, or its spread.

    Returns the sentence that there is no such pair where the gain jumps.
    """
    count = min(_SCOUTS, networks.most)
    smallest = 0.1 / networks.depth  # in ln sigma_w, where the gain of linear networks changes by a tenth of a decade
    while True:
        reach = max(0.5 * DECADE, *(np.nan_to_num(end.spread) for end in (low, high)))
        if max(abs(low.median), abs(high.median)) < reach:
            break
        if np.log(high.sigma_w / low.sigma_w) < smallest:
            return (
                f"Typical gradients jump from {low.decades:.1f} to {high.decades:.1f} decades at sigma_w = "
                f"{(low.sigma_w * high.sigma_w) ** 0.5:.5g}: few networks lie between."
            )
        middle = networks.sample(float(np.sqrt(low.sigma_w * high.sigma_w)), count)
        low, high = (middle, high) if middle.side < 0.0 else (low, middle)
    step = float(np.log(high.sigma_w / low.sigma_w))
    return _cleared(networks, low, -1.0, step), _cleared(networks, high, 1.0, step)


def _cleared(networks: Networks, end: Sample, side: float, step: float) -> Sample:
    """Take more networks, then move outward, until the median is certain to lie on this side of 0."""
    for _ in range(_TRIES):
        if side * end.median > 3.0 * end.median_error:
            break
        if end.networks < min(_MOST_SCOUTS, networks.most):
            end = networks.sample(end.sigma_w, min(4 * end.networks, networks.most))
        else:
            sigma_w = float(np.clip(end.sigma_w * np.exp(side * step), _SMALLEST, _LARGEST))
            end, step = networks.sample(sigma_w, end.networks), 1.5 * step
    return end
