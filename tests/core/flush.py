"""Digests of a few cells, with subnormals kept or (--flush) flushed to zero by the processor: run as a program."""

from __future__ import annotations

import hashlib
import sys

import numpy as np

from tests.core.conftest import Cell

FLUSH_TO_ZERO = 0x9FC0  # MXCSR of x86: FTZ and DAZ, all exceptions masked
CELLS = [
    ("tanh", 100.0, 16),
    ("sigmoid", 20.0, 16),
    ("erf", 0.01, 5),
    ("gelu", 5.0, 3),
    ("relu", 0.02, 33),
]


def flush_subnormals():
    """Let this thread's processor flush subnormals; x86 only."""
    import ctypes
    import mmap

    # ldmxcsr [rip + 1]; ret; the word
    code = bytes.fromhex("0fae1501000000c3") + FLUSH_TO_ZERO.to_bytes(4, "little")
    memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(code)
    ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))()


def main():
    cells = [
        (Cell(name, "gaussian", dtype, sigma_w=sigma_w, sigma_b=sigma_b, depth=60, width=width), name)
        for name, sigma_w, width in CELLS
        for dtype in (("float32", "float64") if name == "tanh" else ("float32",))
        for sigma_b in (0.0, 0.3)
    ]
    for one, _ in cells:
        one.block(1)  # compiled before the switch: LLVM itself may need subnormals
    if "--flush" in sys.argv:
        flush_subnormals()
    print("subnormals", "flushed" if np.float64(2.0**-1022) / 2 == 0 else "kept")
    for one, name in cells:
        values, status = one.block(40)
        print(name, one.machine.dtype, hashlib.sha256(values.tobytes() + status.tobytes()).hexdigest())


if __name__ == "__main__":
    main()
