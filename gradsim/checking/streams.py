"""Numbers of residual streams: what branches add, how a stream grows, and how it would with smaller branches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from math import exp, isfinite, log, log1p, sqrt

import numpy as np

from gradsim.checking.blocks import FEWEST
from gradsim.checking.measurements import Array, Measurements
from gradsim.checking.scales import Scale
from gradsim.checking.structure import Stream


@dataclass(frozen=True)
class StreamFacts:
    """Numbers of one residual stream; arrays have an entry per network.

    Attributes
    ----------
    stream
        Its structure.
    log_branch, log_skip, log_result
        (networks, sums) ln mean square of both summands and of the sum.
    log_gradient
        ln mean square of the gradient at the first sum over that at the last.
    scales
        Of the families of matrices in its branches.
    writers
        Families, or names, of the matrices whose products are added; in the order of the sums.
    kinds
        Of each branch its writer among `writers`; "" without.
    """

    stream: Stream
    log_branch: Array
    log_skip: Array
    log_result: Array
    log_gradient: Array
    scales: tuple[Scale, ...]
    writers: tuple[str, ...]
    kinds: tuple[str, ...]

    @property
    def sums(self) -> int:
        """How many branches are added."""
        return len(self.stream.branches)

    @property
    def log_share(self) -> Array:
        """ln of the mean squares of all branches together over that of the stream's begin."""
        return np.asarray(np.logaddexp.reduce(self.log_branch, axis=1) - self.log_skip[:, 0])

    @property
    def log_growth(self) -> Array:
        """ln mean square of the stream at its end over its begin."""
        return np.asarray(self.log_result[:, -1] - self.log_skip[:, 0])

    @property
    def log_direct(self) -> Array:
        """ln of the part of the mean square that no branch has replaced, as a product over sums.

        It is what is left of the begin where every sum is normalised.
        """
        return np.asarray(-np.logaddexp(0.0, self.log_branch - self.log_skip).sum(axis=1))

    @property
    def log_growth_between(self) -> Array:
        """ln mean square at the last sum over the first."""
        return self.log_result[:, -1] - self.log_result[:, 0]

    @property
    def log_growth_of_branches(self) -> Array:
        """ln mean square of the last branch over the first, of the kind of branches that grows least.

        Branches that read a normalised stream do not grow with it.
        """
        growths = [self.log_branch[:, order[-1]] - self.log_branch[:, order[0]] for order in self._orders()]
        return np.asarray(np.stack(growths).min(axis=0))

    def log_growth_with(self, times: float, only: Collection[str] | None = None) -> float:
        """Return what `log_growth` would be if branches were multiplied by a number: all, or those of some writers.

        Branches of a kind that grows as the stream does are taken as proportional to it, others as fixed in size. The
        correlation of each branch with the stream is taken as measured.
        """
        branch, skip, result = (_means(one) for one in (self.log_branch, self.log_skip, self.log_result))
        follows = self._follows(branch, skip)
        now = 0.0  # ln mean square over that of the begin
        for index in range(self.sums):
            if index:
                now += skip[index] - result[index - 1]
            fixed = branch[index] - skip[0] - now
            scaled = only is None or self.kinds[index] in only
            ratio = (times if scaled else 1.0) * exp(0.5 * (branch[index] - skip[index] if follows[index] else fixed))
            now += log1p(max(ratio * ratio + 2.0 * self._correlation(branch, skip, result, index) * ratio, -1.0 + 1e-9))
        return now

    def times_for(self, log_growth: float) -> float:
        """Return the number, at most 1, by which branches would be multiplied for a growth; 1 if it cannot be known."""
        low, high = 1e-12, 1.0
        if not isfinite(self.log_growth_with(high)):
            return high
        if self.log_growth_with(high) <= log_growth:
            return high
        for _ in range(50):
            middle = sqrt(low * high)
            low, high = (middle, high) if self.log_growth_with(middle) <= log_growth else (low, middle)
        return low

    def _orders(self) -> list[list[int]]:
        """Numbers of the branches of each kind; of all where no kind has three."""
        found: dict[str, list[int]] = defaultdict(list)
        for index, kind in enumerate(self.kinds):
            found[kind].append(index)
        return [order for order in found.values() if len(order) >= FEWEST] or [list(range(self.sums))]

    def _follows(self, branch: Array, skip: Array) -> list[bool]:
        """Whether each branch grows at least half as fast as the stream."""
        found = [False] * self.sums
        for order in self._orders():
            growth = skip[order[-1]] - skip[order[0]]
            ends = branch[order[0]], branch[order[-1]]
            if growth > log(2.0) and np.isfinite(ends).all() and ends[1] - ends[0] > 0.5 * growth:
                for index in order:
                    found[index] = True
        return found

    def _correlation(self, branch: Array, skip: Array, result: Array, index: int) -> float:
        ratio = exp(0.5 * (branch[index] - skip[index]))
        if ratio == 0.0:
            return 0.0
        return min(max((exp(result[index] - skip[index]) - 1.0 - ratio * ratio) / (2.0 * ratio), -1.0), 1.0)


def _means(values: Array) -> Array:
    """Means over networks, by column: of finite numbers, -inf where there are none but that, as of a zeroed branch."""
    finite = np.isfinite(values)
    found = np.where(finite, values, 0.0).sum(axis=0) / np.maximum(finite.sum(axis=0), 1)
    none = np.where(np.isneginf(values).all(axis=0), -np.inf, np.nan)
    return np.where(finite.any(axis=0), found, none)


def stream_facts(measured: Measurements, stream: Stream, scales: tuple[Scale, ...]) -> StreamFacts:
    """Return the numbers of a stream."""
    sums = measured.sums
    order = [branch.number for branch in stream.branches]
    is_left = np.array([branch.is_left for branch in stream.branches])
    places = measured.parameter_places
    writers = [places[branch.writer].family if branch.writer else "" for branch in stream.branches]
    gradient = sums[:, order, 3]
    return StreamFacts(
        stream,
        np.where(is_left, sums[:, order, 0], sums[:, order, 1]),
        np.where(is_left, sums[:, order, 1], sums[:, order, 0]),
        sums[:, order, 2],
        gradient[:, 0] - gradient[:, -1],
        scales,
        tuple(dict.fromkeys(family for family in writers if family)),
        tuple(writers),
    )
