"""Rows of vectors as the core stores them, from NumPy arrays and back."""

from __future__ import annotations

import numpy as np

from gradsim_core import jit
from gradsim_core.linear.products import Matrix, padded


def stored(values, dtype=np.float64):
    """A `Matrix` with the rows of an array, padded with zeros."""
    values = np.asarray(values)
    array = np.zeros((len(values), padded(values.shape[1])), dtype)
    array[:, : values.shape[1]] = values
    return Matrix(array.reshape(-1), 0, array.shape[1], 1)


def values_of(matrix, count, width):
    """The array of a `Matrix`, in float64."""
    return matrix.array.reshape(count, -1)[:, :width].astype(np.float64)


def call(function, *arguments, interpret=False):
    """Call a function of the core, compiled or interpreted."""
    return (function if interpret else jit.compiled(function))(*arguments)
