"""Rules on numbers themselves: what is not finite, and gradients that are exactly zero."""

from __future__ import annotations

import numpy as np

from gradsim.checking.facts import Facts
from gradsim.checking.rules.finding import Finding
from gradsim.checking.rules.matrices import constant_names
from gradsim.checking.weights import Moments

_DEAD = 0.1  # share of networks


def not_finite(facts: Facts) -> list[Finding]:
    """Outputs, or gradients at them, that are not finite in some network: the first module in the order of calls."""
    measured = facts.measured
    for what, values in (("output", measured.outputs), ("gradient at the output", measured.gradients)):
        order = list(values) if what == "output" else list(values)[::-1]
        for name in order:
            lost = int((np.isnan(values[name]) | np.isposinf(values[name])).sum())
            if lost:
                place = name or "the model"
                return [
                    Finding(
                        (place,),
                        f"The {what} of {place} is not finite in {lost} of {measured.networks} networks, before any "
                        f"step of training. Look at what it computes, and at the std of its parameters.",
                    )
                ]
    return []


def dead(facts: Facts) -> list[Finding]:
    """Random matrices that get no gradient in many networks, since all units behind them are off."""
    measured = facts.measured
    shares = {
        name: float((np.isneginf(grads) & np.isneginf(measured.gradients[measured.parameters[name].module])).mean())
        for name, grads in measured.weight_grads.items()
        if measured.parameters[name].module in measured.gradients  # and not inputs of zero, as a first hidden state
        and measured.parameters[name].fan_in
        and _is_random(measured.moments[name])
    }
    zeros = any(measured.moments[name].largest == 0.0 for name in measured.parameters if not _is_bias(name))
    worst = max(shares, key=lambda name: shares[name], default=None)
    if worst is None or zeros or constant_names(facts) or shares[worst] <= _DEAD:  # behind these it is no wonder
        return []
    return [
        Finding(
            (worst,),
            f"The gradient of {worst} is exactly zero in {100.0 * shares[worst]:.0f} % of {measured.networks} "
            f"networks: in a later layer every unit is off, for every sample, or attention sees one token alone. "
            f"Widen the layers, take an activation that is not flat, or a longer batch.",
        )
    ]


def _is_bias(name: str) -> bool:
    return "bias" in name.rpartition(".")[2]


def _is_random(moments: Moments) -> bool:
    return moments.largest > 0.0 and not moments.is_constant
