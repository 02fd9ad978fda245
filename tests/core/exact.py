"""Back-propagation step by step in 40 digits, from formulas independent of the core, to decide what is really zero."""

from __future__ import annotations

import mpmath as mp
import numpy as np

from gradsim_core.lanes import LANES
from gradsim_core.parameters import SUM_DELTA, SUM_H, SUM_X
from gradsim_core.scaling import per_element
from gradsim_core.scaling.per_vector import LOG_LIMIT
from gradsim_core.schedules import explicit, narrow

mp.mp.dps = 40
SELU_SCALE, SELU_ALPHA = mp.mpf("1.0507009873554804934193349852946"), mp.mpf("1.6732632423543772848170429916717")
ROOT = mp.sqrt(2 / mp.pi)
FAR = mp.mpf(2) ** 64
# What stands for a size whose logarithm is beyond what is represented.
NOTHING = mp.ldexp(1, -int(LOG_LIMIT) * 8)


def sigmoid(h):
    return 1 / (1 + mp.exp(-h))


def softplus(h):
    return max(h, 0) + mp.log1p(mp.exp(-abs(h)))


def cdf(h):
    return mp.erfc(-h / mp.sqrt(2)) / 2


def tanh_softplus(h):
    e = mp.exp(min(h, 100))
    return mp.mpf(1) if h > 100 else e * (e + 2) / (e * (e + 2) + 2)


def mish_derivative(h):
    t = tanh_softplus(h)
    return t + h * (1 - t * t) * sigmoid(h)


def sech_squared(h):
    e = mp.exp(-2 * abs(h))
    return 4 * e / (1 + e) ** 2


def gelu_tanh_parts(h):
    u = 2 * ROOT * (h + mp.mpf("0.044715") * h**3)
    return sigmoid(u), sigmoid(-u), 2 * ROOT * (1 + 3 * mp.mpf("0.044715") * h**2)


def gelu_tanh_derivative(h):
    s, c, slope = gelu_tanh_parts(h)
    return s * (1 + h * slope * c)


def elu(h):
    return h if h > 0 else mp.expm1(h)


def relu6(h):
    return min(max(h, mp.mpf(0)), mp.mpf(6))


# name: phi, dphi, and their values far left and far right of FAR ("h" = itself), which mpmath need not evaluate
FORMULAS = {
    "linear": (lambda h: h, lambda h: mp.mpf(1)),
    "relu": (lambda h: max(h, 0), lambda h: mp.mpf(h > 0)),
    "leaky_relu": (lambda h: h if h > 0 else h * mp.mpf(0.01), lambda h: mp.mpf(1 if h > 0 else 0.01)),
    "tanh": (mp.tanh, sech_squared),
    "sigmoid": (sigmoid, lambda h: sigmoid(abs(h)) * mp.exp(-abs(h)) / (1 + mp.exp(-abs(h)))),
    "erf": (mp.erf, lambda h: 2 / mp.sqrt(mp.pi) * mp.exp(-h * h)),
    "hard_tanh": (lambda h: min(max(h, -1), 1), lambda h: mp.mpf(abs(h) < 1)),
    "softplus": (softplus, sigmoid),
    "softsign": (lambda h: h / (1 + abs(h)), lambda h: (1 + abs(h)) ** -2),
    "elu": (elu, lambda h: mp.mpf(1) if h > 0 else mp.exp(h)),
    "selu": (
        lambda h: SELU_SCALE * (h if h > 0 else SELU_ALPHA * mp.expm1(h)),
        lambda h: SELU_SCALE * (1 if h > 0 else SELU_ALPHA * mp.exp(h)),
    ),
    "gelu": (lambda h: h * cdf(h), lambda h: cdf(h) + h * mp.npdf(h)),
    "gelu_tanh": (lambda h: h * gelu_tanh_parts(h)[0], gelu_tanh_derivative),
    "silu": (lambda h: h * sigmoid(h), lambda h: sigmoid(h) * (1 + h * sigmoid(-h))),
    "mish": (lambda h: h * tanh_softplus(h), mish_derivative),
    "sin": (mp.sin, mp.cos),
    "sin(2)": (lambda h: mp.sin(2 * h), lambda h: 2 * mp.cos(2 * h)),
    "celu(0.5)": (
        lambda h: h if h > 0 else mp.expm1(2 * h) / 2,
        lambda h: mp.mpf(1) if h > 0 else mp.exp(2 * h),
    ),
    "celu(0.001)": (
        lambda h: h if h > 0 else mp.expm1(h / mp.mpf(0.001)) * mp.mpf(0.001),
        lambda h: mp.mpf(1) if h > 0 else mp.exp(h / mp.mpf(0.001)),
    ),
    "relu6": (relu6, lambda h: mp.mpf(0 < h < 6)),
    "abs": (abs, lambda h: mp.mpf(1 if h > 0 else -1)),
    "hard_sigmoid": (lambda h: relu6(h + 3) / 6, lambda h: mp.mpf(abs(h) < 3) / 6),
    "hard_swish": (lambda h: h * relu6(h + 3) / 6, lambda h: h / 3 + 0.5 if abs(h) < 3 else mp.mpf(h > 0)),
}
# Linear neither at 0 nor at infinity: beyond the reach of the kernels they are NaN.
WITHOUT_SLOPES = {
    "relu2": (lambda h: max(h, 0) ** 2, lambda h: 2 * max(h, mp.mpf(0))),
    "snake": (lambda h: h + mp.sin(h) ** 2, lambda h: 1 + mp.sin(2 * h)),
}
RECTIFIERS = ("softplus", "gelu", "gelu_tanh", "silu", "mish")
BELL = ("tanh", "sigmoid", "erf")
PIECEWISE = ("linear", "relu", "leaky_relu", "abs", "hard_tanh", "relu6", "hard_sigmoid", "hard_swish", "softsign")


def phi(name, h):
    if name in WITHOUT_SLOPES:
        return WITHOUT_SLOPES[name][0](h)
    if abs(h) < FAR or name in PIECEWISE:
        return FORMULAS[name][0](h)
    if name in RECTIFIERS or name == "sigmoid":
        return (h if name in RECTIFIERS else mp.mpf(1)) if h > 0 else NOTHING
    return (
        FORMULAS[name][0](h)
        if h > 0 and name.startswith(("elu", "selu", "celu"))
        else FORMULAS[name][0](mp.sign(h) * FAR)
    )


def dphi(name, h):
    if name in WITHOUT_SLOPES:
        return WITHOUT_SLOPES[name][1](h)
    if abs(h) < FAR or name in PIECEWISE:
        return FORMULAS[name][1](h)
    return NOTHING if name in BELL or h < 0 else FORMULAS[name][1](FAR)


def slope_terms(name, h, slope):
    """Sum of the absolute terms of phi'; where phi = h g(h), phi' = g + h g' has a zero at which they cancel.

    In e^(h / alpha) of celu the rounding of h / alpha adds |h / alpha| ulps to the 24 that are allowed.
    """
    if name.startswith("celu(") and h < 0:
        return abs(slope) * (1 + abs(h) / float(name[5:-1]) / 24)
    if name not in RECTIFIERS or name == "softplus" or h == 0:
        return abs(slope)
    g = phi(name, h) / h
    return abs(g) + abs(slope - g)


def keep_steps(patch, width, network):
    """A list that grows by every vector of a network on its way: x and h of each layer, then delta from the last."""
    vectors, original_record = [], narrow.record
    preactivate, multiply_by_slope = explicit.preactivate, explicit.multiply_by_slope

    def keep_forward(cell, network, layer, work, start, exponent):
        vectors.append(work.x[:width].copy())
        result = preactivate(cell, network, layer, work, start, exponent)
        vectors.append(work.h[start : start + width].copy())
        return result

    def keep_backward(neuron, work, start, exponent):
        result = multiply_by_slope(neuron, work, start, exponent)
        vectors.append(work.delta[:width].copy())
        return result

    def keep_narrow(work, which, layer, total, exponent):
        values, start = (work.x, (layer - 1) * len(work.h)) if which == SUM_X else (work.h, 0)
        lanes = values[start : start + width * LANES].reshape(width, LANES)
        vectors.append(lanes[:, network % LANES].copy())
        return original_record(work, which, layer, total, exponent)

    patch.setattr(explicit, "preactivate", keep_forward)
    patch.setattr(explicit, "multiply_by_slope", keep_backward)
    patch.setattr(narrow, "record", keep_narrow)
    return vectors


def keep_elements(patch, width):
    """The same for a network that is run again element by element, in mpf; stays empty where none is."""
    vectors, sum_of_squares = [], per_element.scaled_sum_of_squares

    def keep(v, start, stop):
        elements = zip(v.sign[start : start + width], v.log[start : start + width], strict=True)
        vectors.append([mp.mpf(0) if g == -np.inf else mp.mpf(s) * mp.exp(mp.mpf(g)) for s, g in elements])
        return sum_of_squares(v, start, stop)

    patch.setattr(per_element, "scaled_sum_of_squares", keep)
    return vectors


class Recorded:
    """One interpreted network with every vector on its way: x, h, delta as L lists of N mpf; W, b, v as simulated.

    Where the network was run again element by element, those are its vectors.
    """

    def __init__(self, cell, monkeypatch, network=0):
        machine, p = cell.machine, cell.params
        _, self.W, self.b, self.v = machine.weights(p, network)
        sums, exponents = np.zeros((3, 1, p.depth)), np.zeros((3, 1, p.depth))
        with monkeypatch.context() as patch:
            vectors, again = keep_steps(patch, p.width, network), keep_elements(patch, p.width)
            machine._run(p, network, machine._work(p), sums, exponents)
        if again:
            vectors, exponents = again, np.zeros_like(exponents)
        rows = [vectors[0 : 2 * p.depth : 2], vectors[1 : 2 * p.depth : 2], vectors[: 2 * p.depth - 1 : -1]]
        units = exponents[[SUM_X, SUM_H, SUM_DELTA], 0]
        self.x, self.h, self.delta = (
            [[mp.ldexp(v if again else mp.mpf(float(v)), int(e)) for v in row] for row, e in zip(r, u, strict=True)]
            for r, u in zip(rows, units, strict=True)
        )
        self.name, self.p, self.dtype = machine.activation.name, p, machine.dtype

    def errors(self):
        """(step, layer, error): of every step, in ulps of the largest sum of absolute terms that the step could give.

        Each step starts from the recorded vectors, so chaos magnifies nothing, however deep the network. In a tail of
        logarithm g there are 2^-52 |g| more to an ulp, since g is rounded in float64.
        """
        eps = float(np.finfo(self.dtype).eps)
        W = [[[mp.mpf(float(w)) for w in row] for row in layer] for layer in self.W]
        readout = [[mp.mpf(float(v))] for v in self.v]
        for layer in range(self.p.depth):
            h = self.h[layer]
            terms = [
                [*products(row, self.x[layer]), mp.mpf(float(b))]
                for row, b in zip(W[layer], self.b[layer], strict=True)
            ]
            yield "h", layer, worst(h, [mp.fsum(t) for t in terms], max(map(total, terms)), eps)
            if layer + 1 < self.p.depth:
                exact = [phi(self.name, value) for value in h]
                yield "x", layer, worst(self.x[layer + 1], exact, self.scale(exact, h, 1), eps)
                back = [products(column, self.delta[layer + 1]) for column in zip(*W[layer + 1], strict=True)]
            else:
                back = readout
            slopes = [dphi(self.name, value) for value in h]
            exact = [s * mp.fsum(t) for s, t in zip(slopes, back, strict=True)]
            sizes = list(map(total, back))
            steep = [slope_terms(self.name, value, slope) for value, slope in zip(h, slopes, strict=True)]
            scale = self.scale([s * t for s, t in zip(steep, sizes, strict=True)], h, max(sizes))
            yield "delta", layer, worst(self.delta[layer], exact, scale, eps)

    def scale(self, values, h, amplitude):
        """The size of a vector; for sin more, since the interpreter, which rounds twice in fma, loses |h| ulps of 1."""
        largest = max(map(abs, h))
        waves = self.p.alpha**2 if self.name.startswith("sin") else 0
        return max(map(abs, values)) + waves * amplitude * largest * min(1, largest)

    def logarithms(self):
        """log_delta, log_weight_grad, log_q, log_gain of the recorded vectors; NaN beyond what is represented."""
        return four_logarithms(self.delta, self.x, self.h)


def products(a, b):
    return [x * y for x, y in zip(a, b, strict=True)]


def total(terms):
    return mp.fsum(map(abs, terms))


def logarithm(value):
    if value == 0:
        return -np.inf
    log = float(mp.log(value))
    return log if abs(log) < LOG_LIMIT else np.nan


def worst(got, exact, scale, eps):
    """max |got - exact| / scale in ulps, and in units of a tail's logarithm; 0 where both are beyond representation."""
    largest = max(map(abs, got))
    if scale == 0:
        return 0.0 if largest == 0 else np.inf
    size = float(mp.log(scale))
    if size < -LOG_LIMIT / 2:
        small = largest > 0 and float(mp.log(largest)) < -LOG_LIMIT / 2
        return 0.0 if small or (largest == 0 and not any(exact)) else np.inf
    gap = max(abs(g - e) for g, e in zip(got, exact, strict=True)) / scale
    return float(gap / (eps + abs(size) * 2.0**-52))


def backprop(name, weights):
    """log_delta, log_weight_grad, log_q, log_gain of a whole network from its weights, as `logarithms` gives them."""
    x, xs, hs, deltas = [mp.mpf(float(v)) for v in weights.x0], [], [], []
    matrices = [[[mp.mpf(float(w)) for w in row] for row in layer] for layer in weights.W]
    for layer, b in zip(matrices, weights.b, strict=True):
        xs.append(x)
        hs.append([mp.fsum(products(row, x)) + mp.mpf(float(v)) for row, v in zip(layer, b, strict=True)])
        x = [phi(name, value) for value in hs[-1]]
    y = [mp.mpf(float(v)) for v in weights.v]
    for layer, h in zip(matrices[::-1], hs[::-1], strict=True):
        deltas.insert(0, [dphi(name, value) * v for value, v in zip(h, y, strict=True)])
        y = [mp.fsum(products(column, deltas[0])) for column in zip(*layer, strict=True)]
    return four_logarithms(deltas, xs, hs)


def four_logarithms(deltas, xs, hs):
    delta, x, h = ([logarithm(mp.fsum(v * v for v in row)) for row in rows] for rows in (deltas, xs, hs))
    both = zip(delta, x, strict=True)
    size = logarithm(mp.mpf(len(hs[0])))
    return np.array(
        [
            [d / 2 for d in delta], [(d + y) / 2 for d, y in both], [q - size for q in h],
            [d if d == -np.inf else d - delta[-1] for d in delta],
        ]
    )  # fmt: skip
