"""A PTX interpreter in NumPy: all threads of a launch at once, a stand-in for the GPU in tests.

Threads that take different branches meet again where all paths do (at the branch's post-dominator), as on the chip. It
runs them in lockstep, and looks for races, which lockstep would hide (`races`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from tests.core.cuda.control_flow import Instruction, post_dominators
from tests.core.cuda.instructions import TYPES, meaning
from tests.core.cuda.races import Races

REGISTERS = {"pred": np.bool_, "b16": np.uint16, "b32": np.uint32, "b64": np.uint64, "f32": np.uint32, "f64": np.uint64}
GROUP = 16
WARP = 32


@dataclass
class Launch:
    """The state of all threads."""

    registers: dict[str, np.ndarray]
    special: dict[str, np.ndarray]
    memory: np.ndarray
    parameters: dict[str, object]
    threads: int
    races: Races
    steps: int = 0
    executed: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    constants: dict[str, int] = field(default_factory=dict)


class Program:
    """The entry of a PTX text."""

    def __init__(self, text: str) -> None:
        start = text.index(".entry")
        head, body = text[start : text.index("{", start)], text[text.index("{", start) :]
        pattern = r"\.param \.(\w+) (?:\.ptr (?:\.\w+ )?\.align \d+ )?(\w+)"
        self.parameters = {name: kind for kind, name in re.findall(pattern, head)}
        self.registers = [
            (f"{prefix}{i}", REGISTERS[kind])
            for kind, prefix, count in re.findall(r"\.reg \.(\w+)\s+(%\w+)<(\d+)>", body)
            for i in range(int(count))
        ]
        arrays = re.findall(r"\.global \.align \d+ \.b8 (\S+?)\[\d+\] = \{(.*?)\};", text[:start])
        self.constants = {name: np.array(numbers.split(","), np.uint8) for name, numbers in arrays}
        self.stack = sum(int(size) for size in re.findall(r"\.local .*?\[(\d+)\]", body))
        self.code, self.labels = self._parse(body)
        self._meet = post_dominators(self.code, self.labels)

    @staticmethod
    def _parse(body: str) -> tuple[list[Instruction], dict[str, int]]:
        code, labels = [], {}
        for line in (each.split("//")[0].strip() for each in body.splitlines()):
            if label := re.match(r"(\$\w+):", line):
                labels[label[1]] = len(code)
            elif found := re.match(r"(?:@(!?)(%p\d+)\s+)?([a-z][\w.:]*)\s*(.*?);", line):
                negation, guard, operation, rest = found.groups()
                name, *parts = operation.split(".")
                operands = [o.strip() for o in re.split(r",(?![^{\[]*[}\]])", rest)] if rest else []
                code.append(Instruction(guard, negation == "!", name, parts, operands))
        return code, labels

    def run(self, parameters: Sequence[object], memory: np.ndarray, threads: int, block: int | None = None) -> Launch:
        """Run all threads to their end; the memory's bytes are changed, and its offsets are the addresses."""
        thread, block = np.arange(threads), block or threads
        special = {
            "%tid.x": (thread % block).astype(np.uint32),
            "%ctaid.x": (thread // block).astype(np.uint32),
            "%ntid.x": np.full(threads, block, np.uint32),
        }
        registers = {name: np.zeros(threads, dtype) for name, dtype in self.registers}
        named = dict(zip(self.parameters, parameters, strict=True))
        executed = np.zeros(threads, np.int64)
        whole, constants = self._behind(memory)
        races = Races(len(whole), threads)
        launch = Launch(registers, special, whole, named, threads, races, executed=executed, constants=constants)
        with np.errstate(all="ignore"):
            for instruction, active in self._lines(launch):
                execute(self, launch, instruction, active)
        memory[:] = whole[: len(memory)]
        return launch

    def _behind(self, memory: np.ndarray) -> tuple[np.ndarray, dict[str, int]]:
        """The memory with the text's constants behind it, and their addresses."""
        parts, addresses, top = [memory], {}, len(memory)
        for name, array in self.constants.items():
            gap = -top % 16
            parts += [np.zeros(gap, np.uint8), array]
            addresses[name] = top + gap
            top += gap + len(array)
        return np.concatenate(parts), addresses

    def _lines(self, launch: Launch) -> Iterator[tuple[Instruction, np.ndarray]]:
        """The instructions in order, with the threads that take part: a stack of (line, threads, where they end)."""
        end = len(self.code)
        stack = [(0, np.ones(launch.threads, bool), end)]
        while stack:
            line, active, stop = stack.pop()
            while line not in (stop, end):
                instruction = self.code[line]
                launch.steps += 1
                launch.executed += active
                if instruction.name == "ret":
                    break
                if instruction.name == "bra":
                    line = self._branch(launch, instruction, line, active, stack, stop)
                    continue
                yield instruction, active
                line += 1

    def _branch(self, launch: Launch, instruction: Instruction, line: int, active: np.ndarray, stack: list, stop: int):
        """The line to go on at; threads that go elsewhere, and the place where all meet, wait on the stack."""
        target = self.labels[instruction.target]
        if instruction.guard is None:
            return target
        jumps = (launch.registers[instruction.guard] ^ instruction.negated) & active
        stays = active & ~jumps
        if not stays.any():
            return target
        if not jumps.any():
            return line + 1
        meet = self._meet[line]
        if meet not in (stop, len(self.code)):
            stack.append((meet, active, stop))
        ends = meet if meet != len(self.code) else stop
        stack.append((target, jumps, ends))
        stack.append((line + 1, stays, ends))
        return len(self.code)


def execute(program: Program, launch: Launch, instruction: Instruction, active: np.ndarray) -> None:
    """Run one instruction in the threads that take part."""
    assert instruction.guard is None, instruction
    name, parts, operands = instruction.name, instruction.parts, instruction.operands
    if name in SPECIAL:
        SPECIAL[name](program, launch, instruction, active)
        return
    found = meaning(name, parts)
    if found is None:
        raise NotImplementedError(f"{name}.{'.'.join(parts)}")
    function, kinds, result = found
    values = [read(launch, text, kind) for text, kind in zip(operands[1:], kinds, strict=True)]
    write(launch, operands[0], np.asarray(function(*values)).astype(result, copy=False), active)


def read(launch: Launch, text: str, dtype: type) -> np.ndarray:
    """An operand as an array of this type: a register, a special one, or a number."""
    if text.startswith("%"):
        value = launch.special[text] if text in launch.special else launch.registers[text]
        if value.dtype.itemsize > np.dtype(dtype).itemsize:
            value = value.astype(f"u{np.dtype(dtype).itemsize}")
        return value.view(dtype)
    if text in launch.constants:
        return np.full(launch.threads, launch.constants[text], dtype)
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
    register, offset = re.fullmatch(r"\[(%\w+)(?:\+(-?\d+))?\]", text).groups()
    return launch.registers[register] + np.uint64(int(offset or 0) % 2**64)


def _load(program: Program, launch: Launch, instruction: Instruction, active: np.ndarray) -> None:
    target, source = instruction.operands
    dtype = TYPES[instruction.parts[-1]]
    if instruction.parts[0] == "param":
        name = source.strip("[]")
        value = np.array([launch.parameters[name]]).astype(TYPES[program.parameters[name]])
        write(launch, target, np.broadcast_to(value.view(dtype), launch.threads), active)
        return
    places = _address(launch, source)[active] // np.dtype(dtype).itemsize
    launch.races.load(places * np.dtype(dtype).itemsize, np.flatnonzero(active))
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
    launch.races.store(places * size, np.flatnonzero(active), values.view(bits), memory[places].view(bits))
    memory[places] = values


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
    assert instruction.parts == ["warp", "sync"], instruction
    _whole_groups(launch, active, instruction.operands[0])
    launch.races.barrier(active)


SPECIAL = {
    "mov": _move, "cvta": _move, "ld": _load, "st": _store, "vote": _vote, "shfl": _shuffle, "bar": _barrier,
}  # fmt: skip
