"""Running several lessons one after the other, with progress."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, cast

from gradsim.lessons.lesson import Finding, Lesson, Settings
from gradsim.lessons.writing import check, write
from gradsim.system.progress import Mode, Share


class Done(NamedTuple):
    """A lesson that has been run: its findings, and the time it took."""

    lesson: Lesson
    findings: list[Finding]
    seconds: float


def run_all(
    lessons: Sequence[Lesson], out: Path, langs: Sequence[str], settings: Settings, progress: str
) -> Iterator[Done]:
    """Run lessons and write them, yielding each when it is done."""
    check(out, langs)
    names = [lesson.name for lesson in lessons]
    for lesson in lessons:
        start = time.monotonic()
        with Share(lesson.name, cast(Mode, progress)) as share:
            tables = write(lesson, out, langs, replace(settings, report=share.add), names)
        yield Done(lesson, lesson.find(tables), time.monotonic() - start)
