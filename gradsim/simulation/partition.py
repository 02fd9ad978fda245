"""Parts of a plan: the shards that each of several jobs computes."""

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
    """Part ``index`` of ``count``, from 1: every count-th shard. A resume may use a different count."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def shards(self, shard_count: int) -> range:
        """Return the numbers of this part's shards in a plan of ``shard_count`` shards."""
        return range(self.index - 1, shard_count, self.count)

    def has(self, shard: int) -> bool:
        """Whether a shard belongs to this part."""
        return shard % self.count == self.index - 1

    @classmethod
    def parse(cls, text: str, environment: Mapping[str, str] = os.environ) -> Self:
        """Return the part ``"i/n"``, or with ``"auto"`` the part of this task of a Slurm array job.

        Raises
        ------
        SweepError
            If it is neither, or with ``"auto"`` outside an array job or in an array with gaps.
        """
        if text == "auto":
            return cls._from_slurm(environment)
        match = _FORM.fullmatch(text) if isinstance(text, str) else None
        index, count = map(int, match.groups()) if match else (0, 0)
        if not 1 <= index <= count:
            remedy = "Write for example 1/16 for the first of 16 jobs"
            raise SweepError("shard", text, "i/n with 1 <= i <= n, or auto in a Slurm array job", remedy)
        return cls(index, count)

    @classmethod
    def _from_slurm(cls, environment: Mapping[str, str]) -> Self:
        values = {name: environment.get(_SLURM + name, "") for name in _SLURM_NAMES}
        task, first, last, step, count = (
            int(value) if value.isascii() and value.isdigit() and len(value) < 10 else -1 for value in values.values()
        )
        known = ", ".join(f"{_SLURM}{name}={value}" for name, value in values.items() if value) or "none of them is set"
        remedy = "Write --shard i/n, for example --shard $SLURM_ARRAY_TASK_ID/16 for --array=1-16"
        if min(task, first, last, step, count) < 0 or step == 0:
            allowed = f"auto where Slurm sets {_SLURM}{', '.join(_SLURM_NAMES)} ({known})"
            raise SweepError("shard", "auto", allowed, remedy)
        if (last - first) // step + 1 != count or (task - first) % step or not first <= task <= last:
            allowed = f"auto in an array without gaps ({known})"
            raise SweepError("shard", "auto", allowed, remedy)
        return cls((task - first) // step + 1, count)


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
