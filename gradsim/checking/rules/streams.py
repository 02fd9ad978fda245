"""Rules on residual streams: what is added to them, how often, and how large."""

from __future__ import annotations

from math import exp, log, sqrt

import numpy as np

from gradsim.checking.facts import Facts, Scale, StreamFacts, surely_above, typical
from gradsim.checking.rules.finding import Finding, listed, times, times_exp

_FEWEST = 8  # sums below which a scale 1/sqrt(sums) changes little
_GROWTH = 2.5  # of the root mean square of a stream
_DROWNED = 0.01  # of the mean square: what branches add at least
_DIRECT = 1e-4  # of the mean square: what a post-norm stream keeps of its begin at least
_NEAR = 0.1  # in the exponent of a scale


def _has_scale(one: Scale, exponent: float) -> bool:
    return abs(one.exponent - exponent) < _NEAR


def _writers(facts: StreamFacts, exponent: float) -> list[Scale]:
    return [one for one in facts.scales if one.writes and _has_scale(one, exponent)]


def _misplaced(facts: StreamFacts) -> list[Scale]:
    """Families that carry the scale of branches though their products are not added to the stream."""
    if facts.sums < _FEWEST or not _writers(facts, 0.0):
        return []
    return [one for one in facts.scales if not one.writes and _has_scale(one, 0.5)]


def scale_missing(facts: Facts) -> list[Finding]:
    """A stream that is not normalised grows, and the matrices that write to it have the std of the others."""
    found = []
    for one in facts.streams:
        writers = _writers(one, 0.0)
        unscaled = one.sums >= _FEWEST and bool(writers) and not one.stream.normalised
        if not unscaled or _misplaced(one) or not surely_above(one.log_growth, 2.0 * log(_GROWTH)):
            continue
        root = sqrt(one.sums)
        after = exp(0.5 * np.log1p(np.expm1(typical(one.log_growth)) / one.sums))
        stds = listed([f"{writer.family} to {writer.std / root:.2g}" for writer in writers])
        found.append(
            Finding(
                tuple(writer.family for writer in writers),
                f"The std of {listed([writer.family for writer in writers])} does not fall with depth, though "
                f"{'its' if len(writers) == 1 else 'their'} output is added to the stream {one.sums} times: divide it "
                f"by sqrt({one.sums}) ({stds}), or the stream grows by a factor "
                f"{times_exp(0.5 * typical(one.log_growth))} over the model; with it, by about {times(after)}.",
            )
        )
    return found


def scale_misplaced(facts: Facts) -> list[Finding]:
    """A matrix inside a branch has the std over sqrt(sums), and the matrices that write to the stream have not."""
    found = []
    for one in facts.streams:
        misplaced, writers = _misplaced(one), _writers(one, 0.0)
        for wrong in misplaced:
            found.append(
                Finding(
                    (wrong.family,),
                    f"{wrong.family} has std {wrong.std:.3g}, the {wrong.base:.3g} of its block over sqrt({one.sums}), "
                    f"but its output is not added to the stream; that of {listed([w.family for w in writers])} is, "
                    f"{one.sums} times, at full std: move the factor there. The stream grows by a factor "
                    f"{times_exp(0.5 * typical(one.log_growth))} over the model.",
                )
            )
    return found


def scale_twice(facts: Facts) -> list[Finding]:
    """The matrices that write to a stream have the std over the number of sums instead of its root."""
    found = []
    for one in facts.streams:
        writers = _writers(one, 1.0) if one.sums >= _FEWEST else []
        if not writers:
            continue
        stds = [f"{writer.family} ({writer.std:.3g}, to {writer.base / sqrt(one.sums):.3g})" for writer in writers]
        found.append(
            Finding(
                tuple(writer.family for writer in writers),
                f"The std of {listed([writer.family for writer in writers])} is that of the other matrices over "
                f"{one.sums} = sqrt({one.sums})^2: the scale of branches was applied twice. Divide by sqrt({one.sums}) "
                f"once: {listed(stds)}. All {one.sums} branches together add "
                f"{100.0 * exp(typical(one.log_share)):.2g} % to the mean square of the stream.",
            )
        )
    return found


def branches_drowned(facts: Facts) -> list[Finding]:
    """Embeddings so large that all branches together change the stream by less than a hundredth."""
    found = []
    for one in facts.streams:
        tables = one.stream.tables
        deliberate = any(branch.scaled for branch in one.stream.branches) or _writers(one, 1.0)
        if not tables or deliberate or one.stream.normalised or not surely_above(-one.log_share, -log(_DROWNED)):
            continue
        largest = max(tables, key=lambda name: facts.measured.moments[name].std)
        std, share = facts.measured.moments[largest].std, exp(typical(one.log_share))
        found.append(
            Finding(
                (largest,),
                f"{largest} has std {std:.3g}: all {one.sums} branches together add {100.0 * share:.2g} % to the mean "
                f"square of the stream that begins with it, so that the blocks hardly change the output and learn "
                f"slowly. At std {std * sqrt(share):.2g} they would add as much as it has.",
            )
        )
    return found


def post_norm_too_deep(facts: Facts) -> list[Finding]:
    """Normalised sums whose branches replace the stream: almost nothing of its begin reaches its end."""
    found = []
    for one in facts.streams:
        if not one.stream.normalised or not surely_above(-one.log_direct, -log(_DIRECT)):
            continue
        ratio = exp(-typical(one.log_direct) / one.sums) - 1.0
        writers = [writer.family for writer in one.scales if writer.writes]
        found.append(
            Finding(
                tuple(writers),
                f"The stream is normalised after each of its {one.sums} sums, and a branch adds {100.0 * ratio:.0f} % "
                f"to the mean square each time: {times_exp(typical(one.log_direct))} of the begin reaches the "
                f"end, and the mean square of the gradient changes by a factor "
                f"{times_exp(typical(one.log_gradient))} back to the first sum. Normalise before the branches, "
                f"or scale as DeepNorm does: the stream by {(one.sums) ** 0.25:.3g}, the branches' matrices by "
                f"{(4.0 * one.sums) ** -0.25:.3g}.",
            )
        )
    return found
