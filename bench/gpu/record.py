"""What a session of parts has: its time, what it has found so far, and the file in which that is kept."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from bench.gpu.cases import Sizes
from bench.gpu.lab import Lab

GOOD, DIFFERENT, INCOMPLETE = 0, 1, 2
"""Exit codes."""


class Clock:
    """Seconds that are left, of all parts and of the present one.

    Parameters
    ----------
    seconds : float
        Of all parts together.
    now : function
        Returns seconds.
    """

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._now, self._begin, self.seconds = now, now(), seconds
        self._deadline = self._begin + seconds

    @property
    def left(self) -> float:
        """Seconds left of all."""
        return self._begin + self.seconds - self._now()

    @property
    def left_of_part(self) -> float:
        """Seconds left of the present part."""
        return self._deadline - self._now()

    @property
    def over(self) -> bool:
        """Whether the present part must come to its end."""
        return self.left_of_part <= 0

    def begin(self, share: float) -> None:
        """A part begins that may take this share of what is left."""
        self._deadline = self._now() + max(0.0, self.left) * share


@dataclass
class Report:
    """All that was found: each part has a dictionary.

    Attributes
    ----------
    path
        A JSON file, written by `save`.
    differences
        Whatever is not the CPU's, or not twice the same.
    problems
        Parts that failed or were not reached, with the reason.
    """

    path: Path | None = None
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    differences: list[dict[str, Any]] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)

    def save(self) -> None:
        """Write the file, whole or not at all."""
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        found = {name: getattr(self, name) for name in ("parts", "seconds", "differences", "problems")}
        beside = self.path.with_suffix(".part")
        beside.write_text(json.dumps(found, indent=1, default=str) + "\n")
        beside.replace(self.path)

    @property
    def code(self) -> int:
        """The exit code."""
        if self.differences:
            return DIFFERENT
        return INCOMPLETE if self.problems else GOOD


@dataclass
class Bench:
    """What every part takes."""

    lab: Lab
    sizes: Sizes
    report: Report
    clock: Clock
    threads: Executor
    """For the CPU's networks, and for streams: as many threads as there are cores."""

    def part(self, name: str) -> dict[str, Any]:
        """The dictionary of a part."""
        return self.report.parts.setdefault(name, {})

    def cut(self, name: str) -> bool:
        """Whether a part's time is over; that is then noted as a problem."""
        if self.clock.over:
            self.report.problems.setdefault(name, "cut off: its time was over")
        return self.clock.over


class Part(NamedTuple):
    """A part: a name, how many seconds it should have in a session of usual length, and what runs it."""

    name: str
    seconds: float
    run: Callable[[Bench], None]


def run_parts(bench: Bench, parts: list[Part], say: Callable[[str], None] = print) -> None:
    """Run one after the other. What one leaves of its time goes to all that follow, in proportion.

    A part that fails is noted, with its traceback, and the next one begins.
    """
    report = bench.report
    for i, part in enumerate(parts):
        if bench.clock.left <= 0:
            report.problems[part.name] = "not reached: all time was over"
            continue
        bench.clock.begin(part.seconds / sum(each.seconds for each in parts[i:]))
        begin = time.perf_counter()
        say(f"{part.name}: {bench.clock.left_of_part:.0f} s at most")
        try:
            part.run(bench)
        except Exception as error:
            report.problems[part.name] = f"{type(error).__name__}: {error}\n{traceback.format_exc()}"
            say(report.problems[part.name])
        report.seconds[part.name] = round(time.perf_counter() - begin, 2)
        report.save()
    report.save()
