"""Networks of a block: their parameters, a pass forward and backward, and a step of gradient descent."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradsim.steps.draws import Draws
from gradsim.steps.matrices import DrawnMatrix, FirstMatrix, LazyMatrix, Trained
from gradsim.steps.problem import Problem
from gradsim_core.stepping.elementwise import activate
from gradsim_core.stepping.products import combinations, inner_products

Array = NDArray[np.floating]


class Pass(NamedTuple):
    """What one pass computes, arrays (networks, inputs, N) for each layer; the last layer is the readout.

    Attributes
    ----------
    h, delta
        Preactivations, the outputs last; errors dC/dh.
    x
        Activations, one fewer.
    cost
        float (networks,).
    """

    h: list[Array]
    x: list[Array]
    delta: list[Array]
    cost: Array


class Networks:
    """Some networks with all that is trained.

    Parameters
    ----------
    problem
        What is trained, and how.
    draws
        Random numbers, and which networks.
    lazy
        Whether matrices stay lazy; as the problem has it by default.
    """

    def __init__(self, problem: Problem, draws: Draws, lazy: bool | None = None) -> None:
        n, depth = problem.width, problem.depth
        self.problem, self._activation = problem, problem.of_activation
        self.inputs = draws.rows("input", 0, 0, problem.inputs, n)
        self.targets = draws.rows("target", 0, 0, problem.inputs, problem.readouts)
        deviation = problem.sigma_w * n**-0.5
        self.matrices: list[Any]  # the first one has no `backward`
        if problem.lazy if lazy is None else lazy:
            self.matrices = [FirstMatrix(draws, n, problem.inputs, deviation)]
            sizes = n, problem.inputs, problem.rows
            self.matrices += [LazyMatrix(draws, layer, *sizes, deviation) for layer in range(2, depth + 1)]
        else:
            self.matrices = [DrawnMatrix(draws, layer, n, deviation) for layer in range(1, depth + 1)]
        self.readout = Trained(
            _scaled(draws.rows("readout", 0, 0, problem.readouts, n), problem.of_parametrisation.readout(n))
        )
        self.biases = [
            Trained(_scaled(draws.rows("bias", layer, 0, 1, n), problem.sigma_b))
            for layer in range(1, depth + 1)
            if problem.sigma_b > 0.0
        ]

    def run(self) -> Pass:
        """Run all inputs forward and backward; every parameter then has its gradient."""
        hs, xs, slopes = self._forward()
        cost, error = self.problem.of_cost.evaluate(hs[-1], self.targets)
        self.readout.see(combinations(error, xs[-1], transposed=True))
        deltas, y = [error], combinations(error, self.readout.update)
        for i in range(self.problem.depth - 1, -1, -1):
            y *= slopes[i]
            deltas.append(y)
            self.matrices[i].meet(y)
            if self.biases:
                self.biases[i].see(y.sum(1, keepdims=True))
            if i > 0:
                y = self.matrices[i].backward()
        return Pass(hs, xs, deltas[::-1], cost)

    def _forward(self) -> tuple[list[Array], list[Array], list[Array]]:
        """Preactivations, activations and slopes of all layers."""
        x, hs, xs, slopes = self.inputs, [], [], []
        for i, matrix in enumerate(self.matrices):
            h = matrix.forward(x)
            if self.biases:
                h += self.biases[i].update
            x, slope = activate(self._activation, h)
            hs.append(h)
            xs.append(x)
            slopes.append(slope)
        hs.append(inner_products(x, self.readout.update))
        return hs, xs, slopes

    def step(self) -> None:
        """Make a step of gradient descent."""
        problem = self.problem
        n = problem.width
        weight, bias, readout = problem.of_parametrisation.factors(n, problem.sigma_w, problem.sigma_b)
        parts = [(each, weight) for each in self.matrices] + [(each, bias) for each in self.biases]
        parts += [(self.readout, readout)]
        norm = np.sqrt(sum(square * part.norm() ** 2 for part, square in parts))
        factor = np.ones_like(norm) if problem.clip is None else np.minimum(1.0, problem.clip / norm)
        factor[norm == 0.0] = 1.0
        decay = 1.0 - problem.learning_rate * problem.weight_decay
        for part, square in parts:
            part.step(factor, problem.momentum, problem.learning_rate * square, decay)


def _scaled(rows: Array, deviation: float) -> Array:
    rows *= rows.dtype.type(deviation)
    return rows
