"""The state of a launch in the interpreter: registers, memory, and how operands are read and results written."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tests.core.cuda.races import Races

GROUP = 16
WARP = 32


@dataclass
class Shared:
    """Where shared memory begins, and the races in it, of all threads of a block."""

    first: int
    races: Races
    block: int


@dataclass
class Launch:
    """The state of all threads."""

    registers: dict[str, np.ndarray]
    special: dict[str, np.ndarray]
    memory: np.ndarray
    parameters: dict[str, object]
    threads: int
    races: Races
    shared: Shared
    steps: int = 0
    executed: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))


def read(launch: Launch, text: str, dtype: type) -> np.ndarray:
    """An operand as an array of this type: a register, a special one, or a number."""
    if text.startswith("%") or text in launch.special:
        value = launch.special[text] if text in launch.special else launch.registers[text]
        if value.dtype.itemsize > np.dtype(dtype).itemsize:
            value = value.astype(f"u{np.dtype(dtype).itemsize}")
        return value.view(dtype)
    return np.full(launch.threads, number(text, dtype))


def number(text: str, dtype: type) -> np.generic:
    """A number that stands in the text."""
    if text[:2] in ("0f", "0d"):
        bits = np.uint32 if text[1] == "f" else np.uint64
        return np.array([int(text[2:], 16)], bits).view(np.float32 if text[1] == "f" else np.float64)[0]
    if dtype is np.bool_:
        return np.bool_(int(text, 0))
    size = np.dtype(dtype).itemsize
    return np.array([int(text, 0) % 2 ** (8 * size)], f"u{size}").view(dtype)[0]


def write(launch: Launch, name: str, value: np.ndarray, active: np.ndarray) -> None:
    """Put a result into a register, its bits extended by its type."""
    register = launch.registers[name]
    size = register.dtype.itemsize
    if value.dtype.itemsize != size:
        value = value.astype(f"{'i' if value.dtype.kind == 'i' else 'u'}{size}")
    np.copyto(register, np.broadcast_to(value.view(register.dtype), register.shape), where=active)
