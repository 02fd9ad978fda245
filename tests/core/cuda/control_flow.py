"""Instructions, and where threads that took different branches meet again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from operator import and_


@dataclass
class Instruction:
    """One line of text: its guard, what comes between points, and its operands."""

    guard: str | None
    negated: bool
    name: str
    parts: list[str]
    operands: list[str]

    @property
    def target(self) -> str:
        return self.operands[0]


def post_dominators(code: list[Instruction], labels: dict[str, int]) -> dict[int, int]:
    """For each conditional branch the first line that all paths from it come to."""
    end = len(code)
    follows = [_followers(i, each, labels, end) for i, each in enumerate(code)]
    after = {i + 1 for i, each in enumerate(code) if each.name in ("bra", "ret")}
    leaders = sorted({0, end, *labels.values(), *after})  # of stretches without branches
    last = {start: stop - 1 for start, stop in pairwise(leaders)}
    number = {line: k for k, line in enumerate(leaders)}
    full = (1 << len(leaders)) - 1
    sets = dict.fromkeys(leaders, full) | {end: 1 << number[end]}  # as bits: all leaders that follow on every path
    changed = True
    while changed:
        changed = False
        for line in leaders[-2::-1]:
            common = reduce(and_, (sets[following] for following in follows[last[line]]), full)
            found = common | 1 << number[line]
            changed |= found != sets[line]
            sets[line] = found
    return {i: _nearest(follows[i], sets, leaders) for i, each in enumerate(code) if each.name == "bra" and each.guard}


def _followers(i: int, instruction: Instruction, labels: dict[str, int], end: int) -> list[int]:
    if instruction.name == "ret":
        return [end]
    if instruction.name != "bra":
        return [i + 1]
    return [labels[instruction.target], *([i + 1] if instruction.guard else [])]


def _nearest(follows: list[int], sets: dict[int, int], leaders: list[int]) -> int:
    """Of the lines that are on all paths the one that has all others after it."""
    common = sets[follows[0]] & sets[follows[1]]
    lines = [line for k, line in enumerate(leaders) if common >> k & 1]
    return max(lines, key=lambda line: (sets[line] & common).bit_count())
