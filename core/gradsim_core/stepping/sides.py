"""What is known of lazy square matrices, of many networks: two sides, which blocks of rows extend."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import aligned
from gradsim_core.linear.rows import stored
from gradsim_core.parameters import Params
from gradsim_core.rng.draws import Source

from . import blocks
from .blocks import BlockWork


@jit.once
def _kernel(function: Any) -> Any:
    return jit.compile_kernel(function)


class Side:
    """What is known of square matrices from one side.

    Attributes
    ----------
    rows, images
        (networks, room, n): orthonormal or zero rows, and what the matrices make of them; `count` are in use.
    """

    def __init__(self, networks: int, room: int, n: int, dtype: np.dtype) -> None:
        width = stored(n)
        self.n, self.room, self.count, self.networks = n, room, 0, networks
        self._stored = tuple(blocks.Rows(aligned(networks * room * width, dtype), room, width) for _ in range(2))
        shown = (each.array.reshape(networks, room, width)[:, :, :n] for each in self._stored)
        self.rows, self.images = shown

    @property
    def _known(self) -> blocks.Known:
        return blocks.Known(*self._stored, self.count)

    @property
    def known(self) -> tuple[np.ndarray, np.ndarray]:
        """The rows in use, and their images."""
        return self.rows[:, : self.count], self.images[:, : self.count]

    def split(self, x: np.ndarray, masked: float, work: BlockWork) -> np.ndarray:
        """Write what rows x add to the basis after the rows in use; `count` does not change.

        Parameters
        ----------
        x : array (networks, B, n)
            Contiguous.
        masked : float
            A row is masked, zero in the basis, if what it adds is at most this part of its length.
        work : BlockWork

        Returns
        -------
        float64 array (networks, B, room)
            Coordinates: x = coordinates rows.
        """
        count = x.shape[1]
        coordinates = np.empty((self.networks, count, self.room))
        flat = x.reshape(-1), coordinates.reshape(-1)
        _kernel(blocks.split)(blocks.Block(self.networks, count, self.n), self._known, masked, *flat, work)
        return coordinates

    def draw_images(self, source: tuple, count: int, other: Side, deviation: float, work: BlockWork) -> None:
        """Draw the images of `count` rows after those in use, given what the other side knows.

        `source` is (key, number of the first network, layer, role).
        """
        key, network, layer, role = source
        cell = Source(Params(np.uint64(key), 0, self.n, 1.0, 0.0), network, layer, role)
        block = blocks.Block(self.networks, count, self.n)
        _kernel(blocks.images)(cell, block, self._known, other._known, deviation, work)

    def combine(self, first: np.ndarray, other: Side, second: np.ndarray, work: BlockWork) -> np.ndarray:
        """Return first images + second other.rows.

        Parameters
        ----------
        first, second : float64 arrays (networks, B, rows in use) of this side, and of the other
            The second may have no columns, if there is nothing to add.
        other : Side
        work : BlockWork

        Returns
        -------
        array (networks, B, n)
        """
        networks, count, terms = first.shape
        out = np.empty((networks, count, self.n), self.rows.dtype)
        a, b = (np.ascontiguousarray(each).reshape(-1) for each in (first, second))
        own, others = blocks.Terms(a, self._stored[1], terms), blocks.Terms(b, other._stored[0], second.shape[2])
        _kernel(blocks.combine)(blocks.Block(networks, count, self.n), own, others, out.reshape(-1), work)
        return out
