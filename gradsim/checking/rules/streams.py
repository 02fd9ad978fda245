"""Rules on residual streams: what is added to them, how often, and how large."""

from __future__ import annotations

from math import exp, log, sqrt

import numpy as np

from gradsim.checking.facts import Facts, surely_above, typical
from gradsim.checking.rules.finding import Finding, listed, times_exp
from gradsim.checking.scales import Scale
from gradsim.checking.streams import StreamFacts

_FEWEST = 8  # sums below which a scale 1/sqrt(sums) changes little
_GROWTH = 2.5  # of the root mean square of a stream
_DROWNED = 0.01  # of the mean square: what branches add at least
_DIRECT = 1e-4  # of the mean square: what a post-norm stream keeps of its begin at least
_EXPLODING = 100.0  # of the mean square, from the first sum to the last
_FEWEST_EXPLODING = 4  # sums
_LEFT = 10.0  # of the mean square: growth that a remedy leaves at most
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


def _misses_scale(one: StreamFacts) -> bool:
    if one.sums < _FEWEST or not _writers(one, 0.0) or one.stream.normalised or _misplaced(one):
        return False
    if not surely_above(one.log_growth, 2.0 * log(_GROWTH)) or _gradient_explodes(one):
        return False
    # Branches that keep the sign of the stream, as those behind relu, need more than 1/sqrt(sums).
    return not _explodes(one) or one.log_growth_with(1.0 / sqrt(one.sums)) <= log(_LEFT)


def _explodes(one: StreamFacts) -> bool:
    """Whether the stream and all its branches grow together."""
    together = np.minimum(one.log_growth_between, one.log_growth_of_branches)
    return one.sums >= _FEWEST_EXPLODING and not one.stream.normalised and surely_above(together, log(_EXPLODING))


def _gradient_explodes(one: StreamFacts) -> bool:
    """Whether the gradient grows more than the stream does: behind norms it grows alike."""
    more = np.minimum(one.log_gradient, one.log_gradient - one.log_growth_between)
    return one.sums >= _FEWEST_EXPLODING and not one.stream.normalised and surely_above(more, log(_EXPLODING))


def scale_missing(facts: Facts) -> list[Finding]:
    """A stream that is not normalised grows, and the matrices that write to it have the std of the others."""
    found = []
    for one in facts.streams:
        writers = _writers(one, 0.0)
        if not _misses_scale(one):
            continue
        root = sqrt(one.sums)
        after = 0.5 * one.log_growth_with(1.0 / root, [writer.family for writer in writers])
        stds = listed([f"{writer.family} to {writer.std / root:.2g}" for writer in writers])
        found.append(
            Finding(
                tuple(writer.family for writer in writers),
                f"The std of {listed([writer.family for writer in writers])} does not fall with depth, though "
                f"{'its' if len(writers) == 1 else 'their'} output is added to the stream {one.sums} times: divide it "
                f"by sqrt({one.sums}) ({stds}), or the stream grows by a factor "
                f"{times_exp(0.5 * typical(one.log_growth))} over the model; with it, by about {times_exp(after)}.",
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
        found.append(
            Finding(
                one.writers or (facts.stream_name(one),),
                f"The stream is normalised after each of its {one.sums} sums, and a branch adds {100.0 * ratio:.0f} % "
                f"to the mean square each time: {times_exp(typical(one.log_direct))} of the begin reaches the "
                f"end, and the mean square of the gradient changes by a factor "
                f"{times_exp(typical(one.log_gradient))} back to the first sum. Normalise before the branches, "
                f"or scale as DeepNorm does: the stream by {(one.sums) ** 0.25:.3g}, the branches' matrices by "
                f"{(4.0 * one.sums) ** -0.25:.3g}.",
            )
        )
    return found


def explodes(facts: Facts) -> list[Finding]:
    """Branches are proportional to a stream that nothing normalises: it grows by a factor with every sum."""
    found = []
    for one in facts.streams:
        if not (_explodes(one) or _gradient_explodes(one)) or _misses_scale(one) or _misplaced(one):
            continue
        growth, gradient = typical(one.log_growth), typical(one.log_gradient)
        per_sum = exp(min(max(gradient, 0.0) / (one.sums - 1), 50.0)) - 1.0
        scale = min(one.times_for(1.0), 1.0 / sqrt(one.sums * max(per_sum, 1.0)))
        names = listed(one.writers) if one.writers else "the last matrix of each"
        found.append(
            Finding(
                one.writers or (facts.stream_name(one),),
                f"Nothing normalises the stream before its branches, which grow with it: over {one.sums} sums its mean "
                f"square changes by a factor {times_exp(growth)}, and that of the gradient by {times_exp(gradient)} "
                f"back to the first sum. Multiply the branches by about {scale:.2g}, as by scaling the std of {names} "
                f"(the mean square then grows by {times_exp(one.log_growth_with(scale))} at most), begin them at zero "
                f"as Fixup does, or normalise before each branch.",
            )
        )
    return found
