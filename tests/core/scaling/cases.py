"""What tests of range share: precisions, schedules without their range-safe steps, what deep values may be."""

from __future__ import annotations

import numpy as np
import pytest

from gradsim_core.schedules import along_neurons, narrow
from tests.core import exact

DTYPES = ("float32", "float64")
MOSTLY_SINGLE = ("float32", pytest.param("float64", marks=pytest.mark.verify))
# Activations whose derivative is exactly zero on an interval: their layers can die, and do.
CAN_DIE = ("relu", "relu2", "relu6", "hard_tanh", "hard_sigmoid", "hard_swish")
# Unbounded on the right and flat on the left: a layer far to the left leaves what a logarithm can say.
ONE_SIDED = ("softplus", "elu", "selu", "celu", "gelu", "gelu_tanh", "silu", "mish")
PLAIN = {
    along_neurons: {
        "settle": lambda values, start, stop, exponent, size: exponent,
        "bring_in_reach": lambda h, start, stop, exponent: 0,
        "rescue": lambda tail, h, values, factor, out: 0,
    },
    narrow: {
        "settle": lambda delta, square, unit: (square, unit),
        "shift_of": lambda cell, h, unit, exponent_b: unit * 0,
        "is_extreme": lambda square, has_tail: False,
    },
}


def make_plain(monkeypatch):
    for module, functions in PLAIN.items():
        for name, function in functions.items():
            monkeypatch.setattr(module, name, function)


def check_deep_values(activation, values):
    """Nothing false: zeros only where a layer is dead, NaN only where a logarithm is not represented."""
    log_delta, log_weight_grad, log_q, log_gain = values
    assert not np.isposinf(values).any()
    if activation not in CAN_DIE:
        assert not np.isneginf(values).any()
    elif np.isneginf(log_delta).any():
        last = np.flatnonzero(np.isneginf(log_delta)).max()
        assert np.isneginf(log_delta[: last + 1]).all()
        if activation == "relu" and last + 1 < len(log_delta):
            assert log_weight_grad[last + 1] == -np.inf  # x^l = 0, and so delta^l = 0
    if not np.isnan(values).any():
        return
    if activation in exact.WITHOUT_SLOPES:  # NaN where h has left the range of `reach`, or the phase is not known
        start = np.flatnonzero(np.isnan(log_q)).min(initial=len(log_q))
        assert np.abs(log_q[:start]).max() > 30
        return
    assert activation in ONE_SIDED
    # |h| before its e^-h^2 leaves the logarithms: 2^20; of e^(-0.07 |h|^3): 2^14
    far = 19 if activation == "gelu_tanh" else 30
    last = np.flatnonzero(np.isnan(log_delta)).max(initial=-1)
    assert last < 0 or log_q[last] > far
    for layer in np.flatnonzero(np.isnan(log_q)):
        assert np.isnan(log_q[layer - 1]) or log_q[layer - 1] > far
    assert np.isnan(log_gain).any() == np.isnan(log_delta).any()
