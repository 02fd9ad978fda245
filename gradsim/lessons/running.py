"""Running several lessons one after the other, with progress."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, cast

from gradsim.lessons.lesson import Finding, Lesson, Settings
from gradsim.lessons.writing import check, update
from gradsim.system.progress import Mode, Share


class Done(NamedTuple):
    """A lesson that is done: its findings, the time it took, and whether an earlier run had measured it."""

    lesson: Lesson
    findings: list[Finding]
    seconds: float
    earlier: bool


def run_all(
    lessons: Sequence[Lesson], out: Path, langs: Sequence[str], settings: Settings, progress: str, again: bool = False
) -> Iterator[Done]:
    """Run lessons and write them, yielding each when it is done; one that an earlier run has done, only if `again`."""
    check(out, langs)
    for before, lesson in zip([None, *lessons], lessons, strict=False):
        start = time.monotonic()
        with Share(lesson.name, cast(Mode, progress)) as share:
            written = update(lesson, out, langs, replace(settings, report=share.add), again)
        if before is not None:  # its page links to this one only now that it is there
            update(before, out, langs, settings, again=False)
        yield Done(lesson, lesson.find(written.tables), time.monotonic() - start, written.earlier)
