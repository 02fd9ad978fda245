"""How the parameters and the activations of a network are laid out in memory.

The parameters of one replica are one flat array. For each layer it holds the transposed weights (fan_in rows of
padded(fan_out) numbers), then the biases, then the gains, which only a normalised layer uses. Numbers beyond a width
are zero, stay zero, and contribute to no sum.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gradsim_core.lanes import aligned
from gradsim_core.linear.products import Matrix, padded


class Network(NamedTuple):
    """A fully connected network as kernels take it: numbers only."""

    widths: np.ndarray  # int64 (L + 1,): inputs, hidden layers, outputs
    first: np.ndarray  # int64 (L + 2,): where the parameters of layer l begin; the last is the number of parameters
    column: np.ndarray  # int64 (L + 2,): sum of the padded widths of layers 1 .. l - 1
    alpha: float  # parameter of the activation
    normalisation: int  # NONE, BATCH or LAYER, of every hidden layer
    residual: int  # 1: x^l = x^(l-1) + phi(h^l) in hidden layers as wide as the one before


class Work(NamedTuple):
    """Arrays of one thread, flat, in the precision of the run; a row is a sample."""

    inputs: np.ndarray  # (samples, inputs) of a mini-batch
    targets: np.ndarray  # (samples, padded outputs) of a mini-batch
    z: np.ndarray  # per layer (samples, padded width): W x, standardised where the layer is normalised
    x: np.ndarray  # the same: activations
    slope: np.ndarray  # the same: phi'(h)
    inverse: np.ndarray  # per layer: 1 / sqrt(variance + epsilon) of each sample or of each neuron
    live: np.ndarray  # per layer (padded width): 1 at neurons, 0 beyond
    delta: np.ndarray  # (samples, padded width) of one layer: dC/dh
    y: np.ndarray  # the same: dC/dx
    below: np.ndarray  # the same: dC/dx of the layer below
    transposed: np.ndarray  # weights of one layer, a row per neuron
    gradient: np.ndarray  # of the mean cost, laid out as the parameters


class TrainingSet(NamedTuple):
    """All samples, in flat arrays, a row per sample, in the precision of the run."""

    images: np.ndarray  # (samples, inputs)
    targets: np.ndarray  # (samples, padded outputs)


class Batch(NamedTuple):
    """The samples of one step of descent."""

    inputs: Matrix  # (samples, inputs)
    targets: Matrix  # (samples, padded outputs)
    samples: int


class Block(NamedTuple):
    """The position of one layer in an array of all layers, with a row per sample."""

    start: int  # index of the first number
    samples: int
    width: int  # neurons of a row
    size: int  # numbers in a row: padded(width)


def network(widths: Sequence[int], alpha: float = 0.0, normalisation: int = 0, residual: bool = False) -> Network:
    """The `Network` of some widths.

    Parameters
    ----------
    widths : sequence of int
        Inputs, hidden layers, outputs.
    alpha : float
        Parameter of the activation.
    normalisation : int
        NONE, BATCH or LAYER of `normalisation`.
    residual : bool
    """
    first, column = [0, 0], [0, 0]
    for fan_in, fan_out in itertools.pairwise(widths):
        first.append(first[-1] + (fan_in + 2) * padded(fan_out))
        column.append(column[-1] + padded(fan_out))
    offsets = np.array(first, np.int64), np.array(column, np.int64)
    return Network(np.array(widths, np.int64), *offsets, float(alpha), normalisation, int(residual))


def allocate(net: Network, samples: int, dtype: np.dtype) -> Work:
    """Arrays for batches of up to `samples` samples."""
    widths = [int(width) for width in net.widths]
    widest = max(padded(width) for width in widths[1:])
    per_layer, per_batch = samples * int(net.column[-1]), samples * widest
    live = aligned(int(net.column[-1]), dtype)
    for layer, width in enumerate(widths[1:], start=1):
        live[net.column[layer] : net.column[layer] + width] = 1
    return Work(
        inputs=aligned(samples * widths[0], dtype),
        targets=aligned(samples * padded(widths[-1]), dtype),
        z=aligned(per_layer, dtype),
        x=aligned(per_layer, dtype),
        slope=aligned(per_layer, dtype),
        inverse=aligned(len(widths) * max(samples, widest), dtype),
        live=live,
        delta=aligned(per_batch, dtype),
        y=aligned(per_batch, dtype),
        below=aligned(per_batch, dtype),
        transposed=aligned(widest * widest, dtype),
        gradient=aligned(int(net.first[-1]), dtype),
    )


def views(net: Network, parameters: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """For each layer, weights (fan_out, fan_in), biases and gains (fan_out,): writable views of flat parameters."""
    result = []
    for layer in range(1, len(net.widths)):
        fan_in, fan_out = int(net.widths[layer - 1]), int(net.widths[layer])
        start, size = int(net.first[layer]), padded(fan_out)
        rows = parameters[start : start + (fan_in + 2) * size].reshape(fan_in + 2, size)[:, :fan_out]
        result.append((rows[:fan_in].T, rows[fan_in], rows[fan_in + 1]))
    return result
