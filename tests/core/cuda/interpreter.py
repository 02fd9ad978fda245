"""A PTX interpreter in NumPy: all threads of a launch at once, a stand-in for the GPU in tests.

Threads that take different branches meet again where all paths do (at the branch's post-dominator), as on the chip. It
runs them in lockstep, and looks for races, which lockstep would hide (`races`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from tests.core.cuda.control_flow import Instruction, post_dominators
from tests.core.cuda.instructions import meaning
from tests.core.cuda.launch import GROUP, Launch, Shared, read, write
from tests.core.cuda.races import Races
from tests.core.cuda.special import SPECIAL

REGISTERS = {"pred": np.bool_, "b16": np.uint16, "b32": np.uint32, "b64": np.uint64, "f32": np.uint32, "f64": np.uint64}


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
        self.shared = {name: int(size) for name, size in re.findall(r"\.shared .*? (\w+)\[(\d+)\]", text)}
        self.code, self.labels = self._parse(body)
        self._meet = post_dominators(self.code, self.labels)

    @staticmethod
    def _parse(body: str) -> tuple[list[Instruction], dict[str, int]]:
        code, labels = [], {}
        for line in (each.split("//")[0].strip() for each in body.splitlines()):
            if scope := re.match(r"\{ \.reg \.b32 (\w+); (.*;) \}", line):  # of LLVM 20, for half a register
                line = scope[2].replace(scope[1], "_")
            if label := re.match(r"(\$\w+):", line):
                labels[label[1]] = len(code)
            elif found := re.match(r"(?:@(!?)(%p\d+)\s+)?([a-z][\w.:]*)\s*(.*?);", line):
                negation, guard, operation, rest = found.groups()
                name, *parts = operation.split(".")
                operands = [o.strip() for o in re.split(r",(?![^{\[]*[}\]])", rest)] if rest else []
                code.append(Instruction(guard, negation == "!", name, parts, operands))
            else:
                assert not line or line[0] in ".{})" or line.startswith("ret"), f"not understood: {line}"
        return code, labels

    def run(self, parameters: Sequence[object], memory: np.ndarray, threads: int, block: int | None = None) -> Launch:
        """Run all threads to their end; the memory's bytes are changed, and its offsets are the addresses."""
        thread, block = np.arange(threads), block or threads
        special = {
            "%tid.x": (thread % block).astype(np.uint32),
            "%ctaid.x": (thread // block).astype(np.uint32),
            "%ntid.x": np.full(threads, block, np.uint32),
        }
        everything, first, last = self._extended(memory, thread // block, special)
        registers = {name: np.zeros(threads, dtype) for name, dtype in self.registers}
        named = dict(zip(self.parameters, parameters, strict=True))
        executed, races = np.zeros(threads, np.int64), Races(first, threads, GROUP)
        shared = Shared(first, Races(last - first, threads, block), block)
        launch = Launch(registers, special, everything, named, threads, races, shared, executed=executed)
        with np.errstate(all="ignore"):
            for instruction, active in self._lines(launch):
                execute(self, launch, instruction, active)
        memory[:] = everything[: len(memory)]
        return launch

    def _extended(self, memory: np.ndarray, block: np.ndarray, special: dict) -> tuple[np.ndarray, int, int]:
        """The memory with the text's constants and each block's shared memory behind it, and where that lies.

        Their names become special registers, with an address for each thread, whose block is given.
        """
        parts, top, blocks = [memory], len(memory), int(block[-1]) + 1
        for name, array in self.constants.items():
            gap = -top % 16
            parts += [np.zeros(gap, np.uint8), array]
            special[name] = np.full(len(block), top + gap, np.uint64)
            top += gap + len(array)
        parts.append(np.zeros(-top % 16, np.uint8))
        first = top = top + -top % 16
        for name, size in self.shared.items():
            special[name] = (top + block * size).astype(np.uint64)
            top += size * blocks
        return np.concatenate([*parts, np.full(top - first, 0xA5, np.uint8)]), first, top

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
