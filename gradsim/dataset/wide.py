"""Whole numbers of more than 64 bits as arrays of limbs, so that NumPy adds millions of them at once, exactly.

A column of n numbers is an int64 array (n, 4): number = sum of limb_k 2^(32 k). Limbs may exceed 32 bits until
`carried` normalises them: up to 2^30 rows can be added before.
"""

from __future__ import annotations

import numpy as np

_BITS, _LIMBS = 32, 4
_MASK = 2**_BITS - 1


def of_int64(numbers: np.ndarray) -> np.ndarray:
    """Return int64 numbers as limbs."""
    limbs = np.zeros((len(numbers), _LIMBS), np.int64)
    limbs[:, 0], limbs[:, 1] = numbers & _MASK, numbers >> _BITS
    return limbs


def of_pairs(high: np.ndarray, low: np.ndarray, shift: int) -> np.ndarray:
    """Return high 2^shift + low as limbs; 32 < shift < 64."""
    limbs, left = of_int64(low), shift - _BITS
    for first, part in ((1, high & _MASK), (2, high >> _BITS)):
        limbs[:, first] += part << left & _MASK
        limbs[:, first + 1] += part >> (_BITS - left)
    return carried(limbs)


def carried(limbs: np.ndarray) -> np.ndarray:
    """Return the same numbers with limbs from 0 to 2^32 - 1, but for the last, which has the sign."""
    limbs = limbs.copy()
    for k in range(_LIMBS - 1):
        limbs[:, k + 1] += limbs[:, k] >> _BITS
        limbs[:, k] &= _MASK
    return limbs


def to_pairs(limbs: np.ndarray, shift: int) -> tuple[np.ndarray, np.ndarray]:
    """Return high and low, int64, of number = high 2^shift + low with 0 <= low < 2^shift; 32 <= shift < 64.

    Raises
    ------
    OverflowError
        If a high part does not fit in 64 bits.
    """
    first, second, third, last = carried(limbs).T
    left = shift - _BITS
    high = (second >> left) + (third << (_BITS - left)) + (last << (2 * _BITS - left))
    if (last >> (left - 1) != last >> 63).any():  # the bits that the shift pushes out are no copies of the sign
        raise OverflowError("a sum does not fit in 64 bits")
    return high, first + ((second & (2**left - 1)) << _BITS)


def to_int64(limbs: np.ndarray) -> np.ndarray:
    """Return the numbers as int64; OverflowError if one does not fit."""
    first, second, third, last = carried(limbs).T
    numbers: np.ndarray = (second << _BITS) + first
    sign = numbers >> 63
    if (((third | (last << _BITS)) != sign) | (last >> _BITS != sign)).any():
        raise OverflowError("a sum does not fit in 64 bits")
    return numbers


def to_ints(limbs: np.ndarray) -> np.ndarray:
    """Return the numbers as Python's whole numbers."""
    numbers = limbs[:, _LIMBS - 1].astype(object)
    for k in reversed(range(_LIMBS - 1)):
        numbers = numbers * 2**_BITS + limbs[:, k].astype(object)
    return numbers


def words(limbs: np.ndarray) -> list[np.ndarray]:
    """Return the numbers modulo 2^192 as three uint64 words, the lowest first."""
    first, second, third, last = carried(limbs).T
    pieces = first | second << _BITS, third | last << _BITS, last >> _BITS
    return [piece.astype(np.int64).view(np.uint64) for piece in pieces]
