"""Rules on single matrices: zeroed, copied, cut, tied."""

from __future__ import annotations

from collections import defaultdict
from math import exp, log, sqrt

import numpy as np

from gradsim.checking.facts import Facts, surely_above, typical
from gradsim.checking.presets import PRESETS, facts_of
from gradsim.checking.rules.finding import Finding, listed, times
from gradsim.checking.weights import LAWS, TRUNCATION, Moments

_LOGITS = 3.0  # standard deviation of the output of a tied matrix
_FEWEST = 3  # matrices that must be cut alike
_BY_FAN = {"xavier_normal", "he_normal", "he_fan_out", "lecun", "tanh_gain", "deepnorm"}


def zeroed(facts: Facts) -> list[Finding]:
    """A matrix is zero in every network, and those of the same place in other blocks are not."""
    found, moments = [], facts.measured.moments
    for family, names in facts.families().items():
        zeros = [name for name in names if moments[name].largest == 0.0]
        live = [moments[name].std for name in names if moments[name].largest > 0.0]
        if not zeros or len(zeros) >= len(live):
            continue  # zeros everywhere are a choice: Fixup, ReZero
        found.append(
            Finding(
                tuple(zeros),
                f"{listed(zeros)} is zero in all {facts.measured.networks} networks, and {family} of {len(live)} other "
                f"blocks is not (std {float(np.median(live)):.3g}): its branch adds nothing, and what feeds it gets no "
                f"gradient in the first step. Draw it like the others.",
            )
        )
    return found


def constant_names(facts: Facts) -> list[str]:
    """Return the matrices of several outputs whose entries are all the same number, and not 0."""
    measured, multiplied = facts.measured, facts.measured.structure.multiplied
    return [
        name
        for name, one in measured.parameters.items()
        # Kernels of one channel may be those of depthwise convolutions, whose units differ in what they see.
        if name in multiplied and measured.moments[name].is_constant and not (len(one.shape) > 2 and one.shape[1] == 1)
        if (one.shape[0] if one.table else one.fan_out) > 1
    ]


def constant(facts: Facts) -> list[Finding]:
    """All entries of a matrix are one number: the units of the layer are copies of one another, and remain so."""
    names, measured = constant_names(facts), facts.measured
    if not names:
        return []
    first = measured.parameters[names[0]]
    inputs = first.shape[1] if first.table else first.fan_in
    families = sorted({measured.parameter_places[name].family for name in names})
    values = sorted({f"{measured.moments[name].mean:.3g}" for name in names}, key=float)
    return [
        Finding(
            tuple(families),
            f"All entries of {listed(families)} are the same number ({listed(values)}): the units of such a layer "
            "compute the same, and while those behind weigh them alike they get the same gradient, so that training "
            f"keeps them equal and the layer works as if it had one unit. Draw the entries at random, with mean 0 and "
            f"std {1.0 / sqrt(inputs):.2g} (1/sqrt({inputs}), times the gain of the activation).",
        )
    ]


def copied(facts: Facts) -> list[Finding]:
    """Blocks begin with the same random matrices, as copies of one another."""
    groups: dict[str, list[str]] = defaultdict(list)
    places = facts.measured.parameter_places
    for name, first in facts.measured.copies.items():
        moments, together = facts.measured.moments[name], places[name].family == places[first].family
        # Identities are equal on purpose, and so are the matrices of a network and of its copy, as a target network is.
        if together and not (moments.is_constant or moments.same):
            groups[first].append(name)
    families = {places[first].family: len(names) + 1 for first, names in groups.items() if places[first].layer}
    if not families:
        return []
    most = max(families.values())
    return [
        Finding(
            tuple(families),
            f"{most} blocks begin with the same entries of {listed(list(families))}: the blocks are copies "
            "(torch.nn.TransformerEncoder copies its layer), and networks are drawn as one block repeated. Initialise "
            "each block anew: call reset_parameters or your own function on every one.",
        )
    ]


def tied_head(facts: Facts) -> list[Finding]:
    """The matrix that makes the output is the table of embeddings, and its products are far from size 1."""
    found = []
    for name in facts.measured.structure.tied:
        output = facts.measured.output
        if not surely_above(output, 2.0 * log(_LOGITS)):
            continue
        std, logits = facts.measured.moments[name].std, exp(0.5 * typical(output))
        width = facts.measured.parameters[name].shape[1]
        found.append(
            Finding(
                (name,),
                f"{name} (std {std:.3g}) is the table of embeddings and also makes the output, whose root mean square "
                f"is {times(logits)}: softmax is sure of wrong words, and the loss begins up to {times(logits**2 / 2)} "
                f"above ln(words). Divide the output by sqrt({width}), or take std {std / logits:.2g} and multiply the "
                f"embeddings by {times(logits)}.",
            )
        )
    return found


def truncated(facts: Facts) -> list[Finding]:
    """Normal laws cut at 2 standard deviations that were not widened for it: 0.8796 of the std that was meant."""
    found, loss = [], TRUNCATION**2
    for preset, names in cut_names(facts).items():
        places = facts.measured.parameter_places
        families = sorted({places[name].family for name in names})
        found.append(
            Finding(
                tuple(families),
                f"{listed(families)}: entries are cut at twice the std of {preset}, which leaves {TRUNCATION:.4f} of "
                f"it (measured kurtosis {facts.measured.moments[names[0]].kurtosis:.3f}; {LAWS[1].fourth:.3f} when "
                f"cut, 3 when not). Each layer passes {100.0 * loss:.0f} % of the mean square, {len(names)} layers "
                f"{times(loss ** len(names))} where nothing normalises. Divide the std by {TRUNCATION:.4f} before "
                f"drawing.",
            )
        )
    return found


def cut_names(facts: Facts) -> dict[str, list[str]]:
    """Return the matrices that were cut without correction, by the preset that was meant."""
    cut: dict[str, list[str]] = defaultdict(list)
    for name, moments in facts.measured.moments.items():
        meant = _meant(facts, name, moments)
        if meant is not None and not facts.fitting(name):
            cut[meant].append(name)
    return {preset: names for preset, names in cut.items() if len(names) >= _FEWEST}


def _meant(facts: Facts, name: str, moments: Moments) -> str | None:
    """The preset that a cut matrix fits once its std is divided by 0.8796."""
    one = facts.measured.parameters[name]
    if not one.fan_in or one.table or moments.law(1e-6) != "truncated_normal":
        return None
    matrix = facts_of(facts.measured, name)
    for preset in PRESETS:
        ratio = moments.std / TRUNCATION / preset.std(matrix) if preset.name in _BY_FAN else 0.0
        if ratio > 0.0 and abs(log(ratio)) < 5.0 * moments.relative_error():
            return preset.name
    return None


def no_gradient(facts: Facts) -> list[Finding]:
    """Matrices that are zero in every network, and whose gradient is zero too: they stay so."""
    stuck: dict[str, list[str]] = defaultdict(list)
    for name, grads in facts.measured.weight_grads.items():
        one, moments = facts.measured.parameters[name], facts.measured.moments[name]
        if one.fan_in and not one.table and moments.largest == 0.0 and np.isneginf(grads).all():
            stuck[facts.measured.parameter_places[name].family].append(name)
    if not stuck:
        return []
    first = facts.measured.parameters[next(iter(stuck.values()))[0]]
    return [
        Finding(
            tuple(stuck),
            f"{sum(map(len, stuck.values()))} matrices, {listed(list(stuck))}, are zero, and so is their gradient in "
            f"all {facts.measured.networks} networks: they stay zero. Draw the first of those that feed each other, as "
            f"with std {1.0 / sqrt(first.fan_in):.2g} for {first.fan_in} inputs.",
        )
    ]
