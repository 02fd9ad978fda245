"""Instructions that touch memory or other threads: moves, loads, stores, atomics, votes, shuffles, barriers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from tests.core.cuda.control_flow import Instruction
from tests.core.cuda.instructions import TYPES
from tests.core.cuda.launch import GROUP, WARP, Launch, read, write

if TYPE_CHECKING:
    from tests.core.cuda.interpreter import Program


def _move(program: Program, launch: Launch, instruction: Instruction, active: np.ndarray) -> None:
    target, source = instruction.operands
    if target.startswith("{"):  # into two halves
        value = read(launch, source, np.uint64)
        for half, shift in zip(target.strip("{}").split(","), (0, 32), strict=True):
            if half.strip() != "_":
                write(launch, half.strip(), (value >> np.uint64(shift)).astype(np.uint32), active)
    elif source.startswith("{"):
        low, high = (read(launch, half.strip(), np.uint32).astype(np.uint64) for half in source.strip("{}").split(","))
        write(launch, target, low | high << np.uint64(32), active)
    else:
        kind = TYPES[instruction.parts[-1]]
        write(launch, target, read(launch, source, kind), active)


def _address(launch: Launch, text: str) -> np.ndarray:
    base, offset = re.fullmatch(r"\[(%?\w+)(?:\+(-?\d+))?\]", text).groups()
    return read(launch, base, np.uint64) + np.uint64(int(offset or 0) % 2**64)


def _raced(launch: Launch, kind: str, places: np.ndarray, threads: np.ndarray, *values: np.ndarray) -> None:
    """Note an access in the memory that it is to."""
    far = places >= launch.shared.first
    for races, here, first in ((launch.races, ~far, 0), (launch.shared.races, far, launch.shared.first)):
        if here.any():
            getattr(races, kind)((places[here] - first).astype(np.int64), threads[here], *(v[here] for v in values))


def _load(program: Program, launch: Launch, instruction: Instruction, active: np.ndarray) -> None:
    target, source = instruction.operands
    dtype = TYPES[instruction.parts[-1]]
    if instruction.parts[0] == "param":
        name = source.strip("[]")
        value = np.array([launch.parameters[name]]).astype(TYPES[program.parameters[name]])
        write(launch, target, np.broadcast_to(value.view(dtype), launch.threads), active)
        return
    places = _address(launch, source)[active] // np.dtype(dtype).itemsize
    _raced(launch, "load", places * np.dtype(dtype).itemsize, np.flatnonzero(active))
    value = np.zeros(launch.threads, dtype)
    value[active] = _seen_as(launch.memory, dtype)[places]
    write(launch, target, value, active)


def _store(program: Program, launch: Launch, instruction: Instruction, active: np.ndarray) -> None:
    target, source = instruction.operands
    dtype = TYPES[instruction.parts[-1]]
    size = np.dtype(dtype).itemsize
    places, memory = _address(launch, target)[active] // size, _seen_as(launch.memory, dtype)
    values = read(launch, source, dtype)[active]
    bits = f"u{size}"
    _raced(launch, "store", places * size, np.flatnonzero(active), values.view(bits), memory[places].view(bits))
    memory[places] = values


ATOMIC = {"add": np.add, "min": np.minimum, "max": np.maximum}


def _atomic(program: Program, launch: Launch, instruction: Instruction, active: np.ndarray) -> None:
    """Change places in memory, one thread after the other; the old number is not delivered."""
    _, target, source = instruction.operands
    operation, dtype = instruction.parts[-2], TYPES[instruction.parts[-1]]
    size = np.dtype(dtype).itemsize
    places = _address(launch, target)[active] // size
    _raced(launch, "atomic", places * size, np.flatnonzero(active))
    ATOMIC[operation].at(_seen_as(launch.memory, dtype), places.astype(np.int64), read(launch, source, dtype)[active])


def _seen_as(memory: np.ndarray, dtype: type) -> np.ndarray:
    size = np.dtype(dtype).itemsize
    return memory[: len(memory) // size * size].view(dtype)


def _whole_groups(launch: Launch, active: np.ndarray, mask: str) -> np.ndarray:
    """Each thread's group; all threads of a group must take part, and must say so."""
    thread = np.arange(launch.threads)
    together = active.reshape(-1, GROUP)
    assert (together.all(axis=1) == together.any(axis=1)).all(), "a group has diverged"
    expected = np.uint32(0xFFFF) << (thread % WARP // GROUP * GROUP).astype(np.uint32)
    assert (read(launch, mask, np.uint32) == expected)[active].all(), "the mask names other threads"
    return thread // GROUP


def _vote(program: Program, launch: Launch, instruction: Instruction, active: np.ndarray) -> None:
    assert instruction.parts[:2] == ["sync", "any"], instruction
    target, condition, mask = instruction.operands
    group = _whole_groups(launch, active, mask)
    found = launch.registers[condition].reshape(-1, GROUP).any(axis=1)
    write(launch, target, found[group], active)


def _shuffle(program: Program, launch: Launch, instruction: Instruction, active: np.ndarray) -> None:
    targets, source, place, _, mask = instruction.operands
    target, _, found = targets.partition("|")
    _whole_groups(launch, active, mask)
    thread, place = np.arange(launch.threads), read(launch, place, np.int32)
    other = thread ^ place if instruction.parts[1] == "bfly" else thread // WARP * WARP + place
    assert instruction.parts[1] in ("bfly", "idx"), instruction
    assert (other // GROUP == thread // GROUP)[active].all(), "a shuffle leaves its group"
    write(launch, target, read(launch, source, np.uint32)[other], active)
    if found:
        write(launch, found, np.ones(launch.threads, bool), active)


def _barrier(program: Program, launch: Launch, instruction: Instruction, active: np.ndarray) -> None:
    if instruction.parts[0] == "sync":
        assert instruction.operands == ["0"], instruction
        together = active.reshape(-1, launch.shared.block)
        assert (together.all(axis=1) == together.any(axis=1)).all(), "a block has diverged"
        launch.races.barrier(active)
        launch.shared.races.barrier(active)
        return
    assert instruction.parts == ["warp", "sync"], instruction
    _whole_groups(launch, active, instruction.operands[0])
    launch.races.barrier(active)


SPECIAL = {
    "mov": _move, "cvta": _move, "ld": _load, "st": _store, "vote": _vote, "shfl": _shuffle, "bar": _barrier,
    "atom": _atomic,
}  # fmt: skip
