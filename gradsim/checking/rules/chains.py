"""Rules on chains of layers without sums or normalisation: gains, and fans."""

from __future__ import annotations

from math import log, sqrt

import numpy as np

from gradsim import theory
from gradsim.checking.facts import Facts, surely_above, typical
from gradsim.checking.measurements import Array, Measurements
from gradsim.checking.rules.finding import Finding, times_exp
from gradsim.checking.rules.matrices import constant_names, cut_names
from gradsim.checking.structure import Chain
from gradsim.errors import SweepError

_DECADE = log(10.0)  # of the mean square: gradsim's vanishing and exploding
_DRIFT = log(3.0)  # of the mean square of activations, for a cause that is known
_GAINS = {"linear or sigmoid": 1.0, "relu": sqrt(2.0), "tanh": 5.0 / 3.0, "selu": 0.75}
_BY_FAN_IN = {"he_normal", "he_uniform", "lecun", "xavier_normal", "xavier_uniform", "tanh_gain", "pytorch_linear"}
_BY_FAN_OUT = {"he_fan_out": "He", "lecun_fan_out": "LeCun"}


def fan_out(facts: Facts) -> list[Finding]:
    """The std goes with the number of outputs of a matrix, and activations drift with the widths."""
    found = []
    for chain in facts.chains:
        weights = [f"{name}.weight" for name in chain.modules]
        oblong = [name for name in weights if _fans(facts, name)[0] != _fans(facts, name)[1]]
        wrong = [name for name in oblong if _takes_fan_out(facts, name)]
        if not wrong or 2 * len(wrong) <= len(oblong):
            continue
        drift = _log_activation(facts.measured, chain)
        expected = sum(log(fan_in / outs) for fan_in, outs in (_fans(facts, name) for name in wrong))
        if abs(expected) < _DRIFT or not surely_above(drift * np.sign(expected), _DRIFT):
            continue
        name = max(wrong, key=lambda one: abs(log(_fans(facts, one)[0] / _fans(facts, one)[1])))
        preset = next(_BY_FAN_OUT[preset] for preset in facts.fitting(name) if preset in _BY_FAN_OUT)
        fan_in, outs = _fans(facts, name)
        std = facts.measured.moments[name].std
        found.append(
            Finding(
                tuple(wrong),
                f"{len(wrong)} matrices have the std of {preset} with fan_out for fan_in, as {name}: {std:.3g} for "
                f"{fan_in} inputs and {outs} outputs. The mean square of activations changes by a factor "
                f"{times_exp(typical(drift))} along the layers. Take fan_in: {std * sqrt(outs / fan_in):.3g} "
                f'there (mode="fan_in").',
            )
        )
    return found


def gain(facts: Facts) -> list[Finding]:
    """The gradient shrinks or grows tenfold in mean square, or activations grow so, for the size of the weights."""
    explained = {name for finding in fan_out(facts) for name in finding.places}
    explained |= {name for names in cut_names(facts).values() for name in names}
    explained |= set(constant_names(facts))
    return [
        Finding((f"{chain.modules[0]} … {chain.modules[-1]}",), _gain_sentence(facts, chain))
        for chain in facts.chains
        if not explained & {f"{name}.weight" for name in chain.modules}
        and _sigmas(facts, chain)
        and _drifts(facts.measured, chain)
    ]


def _sigmas(facts: Facts, chain: Chain) -> list[float]:
    """std * sqrt(fan_in) of the matrices that are not zero."""
    weights = [f"{name}.weight" for name in chain.modules]
    sigmas = [facts.measured.moments[name].std * sqrt(_fans(facts, name)[0]) for name in weights]
    return [sigma for sigma in sigmas if sigma > 0.0]


def _drifts(measured: Measurements, chain: Chain) -> bool:
    change, activation = _log_gradient(measured, chain), _log_activation(measured, chain)
    return any(surely_above(values, _DECADE) for values in (change, -change, activation))


def _gain_sentence(facts: Facts, chain: Chain) -> str:
    measured, depth = facts.measured, len(chain.modules)
    sigma_w, change = float(np.median(_sigmas(facts, chain))), typical(_log_gradient(measured, chain))
    owner = next((name for name, known in _GAINS.items() if abs(log(sigma_w / known)) < 0.01), None)
    fits = f", the gain of {owner}" if owner and chain.activation not in owner else ""
    verb = "grows" if change > 0 else "shrinks"
    better = _level_sigma_w(chain.activation, depth)
    remedy = f"Take sigma_w = {better:.4g}, gain={better:.4g} in torch.nn.init." if better else "See gradsim recommend."
    return (
        f"{chain.modules[0]} … {chain.modules[-1]}: std * sqrt(fan_in) is {sigma_w:.4g}{fits}, before "
        f"{chain.activation}. Back from the last of its {depth} matrices to the first, the mean square of the gradient "
        f"{verb} by a factor {times_exp(abs(change))}; that of activations changes by "
        f"{times_exp(typical(_log_activation(measured, chain)))}. {remedy}"
    )


def _level_sigma_w(activation: str, depth: int) -> float | None:
    """The sigma_w at which wide networks of this depth keep the gradient level; None where theory has none."""
    try:
        return float(theory.boundary(activation, depth=depth))
    except (theory.NoCriticalPoint, SweepError):
        return None


def _takes_fan_out(facts: Facts, name: str) -> bool:
    fitting = facts.fitting(name)
    return bool(fitting & set(_BY_FAN_OUT)) and not fitting & _BY_FAN_IN


def _fans(facts: Facts, name: str) -> tuple[int, int]:
    one = facts.measured.parameters[name]
    return one.fan_in, one.fan_out


def _log_activation(measured: Measurements, chain: Chain) -> Array:
    """Ln mean square of the last preactivation over the first."""
    return measured.outputs[chain.modules[-1]] - measured.outputs[chain.modules[0]]


def _log_gradient(measured: Measurements, chain: Chain) -> Array:
    """Ln of the squared norm of delta, first layer over last. Norms, since fan_in keeps those whatever the widths."""
    return 2.0 * (measured.norms[chain.modules[0]] - measured.norms[chain.modules[-1]])
