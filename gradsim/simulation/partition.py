"""Parts of a plan: which shards one of several jobs computes."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from gradsim.errors import SweepError

_FORM = re.compile(r"([0-9]{1,9})/([0-9]{1,9})")
_SLURM = "SLURM_ARRAY_TASK_"
_SLURM_NAMES = ("ID", "MIN", "MAX", "STEP", "COUNT")


@dataclass(frozen=True, slots=True)
class ShardPart:
    """Part ``index`` of ``count``, from 1: every count-th shard. Another count may be taken at any resume."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def shards(self, shard_count: int) -> range:
        """Return the numbers of the shards of this part, of a plan with so many."""
        return range(self.index - 1, shard_count, self.count)

    def has(self, shard: int) -> bool:
        """Whether a shard is of this part."""
        return shard % self.count == self.index - 1

    @classmethod
    def parse(cls, text: str, environment: Mapping[str, str] = os.environ) -> Self:
        """Return the part that ``"i/n"`` says, or ``"auto"`` in a Slurm array job.

        Raises
        ------
        SweepError
            If it is neither, or the job is no array or only some of its tasks.
        """
        if text == "auto":
            return cls._of_slurm(environment)
        match = _FORM.fullmatch(text)
        index, count = map(int, match.groups()) if match else (0, 0)
        if not 1 <= index <= count:
            remedy = "Write for example 1/16 for the first of 16 jobs"
            raise SweepError("shard", text, "i/n with 1 <= i <= n, or auto in a Slurm array job", remedy)
        return cls(index, count)

    @classmethod
    def _of_slurm(cls, environment: Mapping[str, str]) -> Self:
        found = {name: environment.get(_SLURM + name, "") for name in _SLURM_NAMES}
        task, least, most, step, count = (
            int(value) if value.isascii() and value.isdigit() and len(value) < 10 else -1 for value in found.values()
        )
        known = ", ".join(f"{_SLURM}{name}={value}" for name, value in found.items() if value) or "none of them is set"
        remedy = "Write --shard i/n, for example --shard $SLURM_ARRAY_TASK_ID/16 for --array=1-16"
        if min(task, least, most, step, count) < 0 or step == 0:
            allowed = f"auto where Slurm sets {_SLURM}{', '.join(_SLURM_NAMES)} ({known})"
            raise SweepError("shard", "auto", allowed, remedy)
        if (most - least) // step + 1 != count or (task - least) % step or not least <= task <= most:
            allowed = f"auto in an array without gaps, whose number of tasks agrees with its ends ({known})"
            raise SweepError("shard", "auto", allowed, remedy)
        return cls((task - least) // step + 1, count)


ALL = ShardPart(1, 1)
"""The whole plan."""


def ranges(numbers: list[int]) -> str:
    """Return increasing numbers as Slurm's ``--array`` takes them: ``3,17-20``.

    Examples
    --------
    >>> ranges([3, 17, 18, 19, 20])
    '3,17-20'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
