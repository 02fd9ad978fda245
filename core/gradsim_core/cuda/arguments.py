"""Arguments of kernels: NamedTuples of numbers and arrays as Numba types, and as the parameters of a launch."""

from __future__ import annotations

from typing import Any

import numpy as np

from .interface import DeviceArray, Stream
from .kernels.slots import PerSlot


def placed(stream: Stream, value: Any) -> Any:
    """The same with every array, and every slot's, in the memory of the GPU."""
    if isinstance(value, PerSlot):
        shape = (value.slots, *value.part.shape) if value.part.ndim > 1 else (value.slots * value.part.size,)
        if not value.part.any():
            return stream.zeros(shape, value.part.dtype)
        return stream.upload(np.broadcast_to(value.part, (value.slots, *value.part.shape)).reshape(shape))
    if isinstance(value, np.ndarray):
        return stream.upload(value)
    if isinstance(value, tuple):
        return _like(value, [placed(stream, each) for each in value])
    return value


def _like(value: tuple[Any, ...], parts: list[Any]) -> tuple[Any, ...]:
    """A tuple, or NamedTuple, of the same type."""
    return type(value)._make(parts) if hasattr(value, "_make") else tuple(parts)  # type: ignore[attr-defined,no-any-return]


def types_of(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """The Numba types of arguments that `placed` returned."""
    from numba import typeof

    return tuple(typeof(_host(each)) for each in arguments)


def _host(value: Any) -> Any:
    if isinstance(value, DeviceArray):
        return np.zeros((0,) * len(value.shape), value.dtype)
    if isinstance(value, tuple):
        return _like(value, [_host(each) for each in value])
    return value


def parameters(value: Any) -> list[Any]:
    """The parameters of a launch for one argument, in Numba's order; numbers have the type of their parameter."""
    if isinstance(value, DeviceArray):
        size = value.dtype.itemsize
        strides = [size * int(np.prod(value.shape[i + 1 :], dtype=np.int64)) for i in range(len(value.shape))]
        count = value.nbytes // size
        return list(map(np.int64, (0, 0, count, size, value.address, *value.shape, *strides)))
    if isinstance(value, tuple):
        return [each for part in value for each in parameters(part)]
    if isinstance(value, bool | np.bool_):
        return [np.int8(value)]
    if isinstance(value, np.generic):
        return [value]
    return [np.int64(value) if isinstance(value, int) else np.float64(value)]
