"""Back-propagation as the papers write it: one network, NumPy and SciPy in float64, no regard for range or speed."""

from __future__ import annotations

import numpy as np
from scipy import special

SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


def _mish_derivative(h):
    t = np.tanh(np.logaddexp(0, h))
    return t + h * (1 - t * t) * special.expit(h)


def _gelu_tanh(h):
    return 0.5 * h * (1 + np.tanh(np.sqrt(2 / np.pi) * (h + 0.044715 * h**3)))


def _gelu_tanh_derivative(h):
    u = np.sqrt(2 / np.pi) * (h + 0.044715 * h**3)
    du = np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * h**2)
    return 0.5 * (1 + np.tanh(u)) + 0.5 * h / np.cosh(u) ** 2 * du


def _density(h):
    return np.exp(-h * h / 2) / np.sqrt(2 * np.pi)


def _relu6(h):
    return np.clip(h, 0, 6)


PHI = {
    "linear": (lambda h: h, lambda h: np.ones_like(h)),
    "relu": (lambda h: np.maximum(h, 0), lambda h: (h > 0) * 1.0),
    "leaky_relu": (lambda h: np.where(h > 0, h, 0.01 * h), lambda h: np.where(h > 0, 1, 0.01)),
    "leaky_relu(0.2)": (lambda h: np.where(h > 0, h, 0.2 * h), lambda h: np.where(h > 0, 1, 0.2)),
    "abs": (np.abs, lambda h: np.where(h > 0, 1.0, -1.0)),
    "tanh": (np.tanh, lambda h: 1 / np.cosh(h) ** 2),
    "sigmoid": (special.expit, lambda h: special.expit(h) * special.expit(-h)),
    "erf": (special.erf, lambda h: 2 / np.sqrt(np.pi) * np.exp(-h * h)),
    "hard_tanh": (lambda h: np.clip(h, -1, 1), lambda h: (np.abs(h) < 1) * 1.0),
    "softplus": (lambda h: np.logaddexp(0, h), special.expit),
    "softsign": (lambda h: h / (1 + np.abs(h)), lambda h: 1 / (1 + np.abs(h)) ** 2),
    "elu": (lambda h: np.where(h > 0, h, np.expm1(h)), lambda h: np.where(h > 0, 1, np.exp(h))),
    "elu(0.5)": (lambda h: np.where(h > 0, h, 0.5 * np.expm1(h)), lambda h: np.where(h > 0, 1, 0.5 * np.exp(h))),
    "selu": (
        lambda h: SELU_SCALE * np.where(h > 0, h, SELU_ALPHA * np.expm1(h)),
        lambda h: SELU_SCALE * np.where(h > 0, 1, SELU_ALPHA * np.exp(h)),
    ),
    "gelu": (lambda h: h * special.ndtr(h), lambda h: special.ndtr(h) + h * _density(h)),
    "gelu_tanh": (_gelu_tanh, _gelu_tanh_derivative),
    "silu": (
        lambda h: h * special.expit(h),
        lambda h: special.expit(h) * (1 + h * special.expit(-h)),
    ),
    "mish": (lambda h: h * np.tanh(np.logaddexp(0, h)), _mish_derivative),
    "sin": (np.sin, np.cos),
    "sin(2)": (lambda h: np.sin(2 * h), lambda h: 2 * np.cos(2 * h)),
    "celu": (lambda h: np.where(h > 0, h, np.expm1(h)), lambda h: np.where(h > 0, 1, np.exp(h))),
    "celu(0.5)": (lambda h: np.where(h > 0, h, 0.5 * np.expm1(2 * h)), lambda h: np.where(h > 0, 1, np.exp(2 * h))),
    "relu6": (_relu6, lambda h: ((h > 0) & (h < 6)) * 1.0),
    "hard_swish": (lambda h: h * _relu6(h + 3) / 6, lambda h: np.where(np.abs(h) < 3, h / 3 + 0.5, h > 0)),
    "hard_sigmoid": (lambda h: _relu6(h + 3) / 6, lambda h: (np.abs(h) < 3) / 6),
    "relu2": (lambda h: np.maximum(h, 0) ** 2, lambda h: 2 * np.maximum(h, 0)),
    "snake": (lambda h: h + np.sin(h) ** 2, lambda h: 1 + np.sin(2 * h)),
    "snake(0.5)": (lambda h: h + 2 * np.sin(h / 2) ** 2, lambda h: 1 + np.sin(h)),
}


def backpropagate(activation, x0, W, b, v):
    """Preactivations h[l], activations x[l] (x[0] the input) and errors delta[l] of one network; C = v . x[L]."""
    phi, dphi = PHI[activation]
    depth = len(W)
    x, h = [x0.astype(np.float64)], [None]
    for layer in range(1, depth + 1):
        h.append(W[layer - 1].astype(np.float64) @ x[-1] + b[layer - 1])
        x.append(phi(h[-1]))
    delta = [None] * (depth + 1)
    delta[depth] = dphi(h[depth]) * v
    for layer in range(depth - 1, 0, -1):
        delta[layer] = dphi(h[layer]) * (W[layer].astype(np.float64).T @ delta[layer + 1])
    return h[1:], x, delta[1:]


def quantities(activation, x0, W, b, v):
    """log_delta, log_weight_grad, log_q, log_gain of one network, each (depth,)."""
    h, x, delta = backpropagate(activation, x0, W, b, v)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_delta = np.array([np.log(np.linalg.norm(d)) for d in delta])
        log_weight_grad = np.array([np.log(np.linalg.norm(np.outer(d, y))) for d, y in zip(delta, x, strict=False)])
        log_q = np.array([np.log(np.mean(z * z)) for z in h])
        log_gain = np.where(np.isneginf(log_delta), -np.inf, 2 * (log_delta - log_delta[-1]))
    return log_delta, log_weight_grad, log_q, log_gain


def cost_gradient(activation, cost, weights, biases, images, targets):
    """Mean cost of a training set and its gradient by every W and b, by the four equations of back-propagation."""
    phi, dphi = PHI[activation]
    x, h = [images], []
    for W, b in zip(weights, biases, strict=True):
        h.append(x[-1] @ W.T + b)
        x.append(phi(h[-1]))
    a = special.softmax(h[-1], axis=1) if cost == "softmax" else special.expit(h[-1])
    value, delta = {
        "quadratic": ((a - targets) ** 2 / 2, (a - targets) * a * (1 - a)),
        "cross_entropy": (-targets * special.log_expit(h[-1]) - (1 - targets) * special.log_expit(-h[-1]), a - targets),
        "softmax": (-targets * special.log_softmax(h[-1], axis=1), a - targets),
    }[cost]
    gradient = []
    for layer in range(len(weights) - 1, -1, -1):
        gradient.append((delta.T @ x[layer] / len(images), delta.mean(0)))
        if layer:
            delta = (delta @ weights[layer]) * dphi(h[layer - 1])
    return value.sum() / len(images), gradient[::-1]
