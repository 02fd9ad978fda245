"""The lessons: every experiment of "why deep networks are hard to train", on real data, with pictures.

Each is a function that returns a DataFrame, and a row of `LESSONS`, which the command line writes to files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gradsim.errors import SweepError, suggestion
from gradsim.lessons import bars as _bars
from gradsim.lessons import chain as _chain
from gradsim.lessons import depth_hurts as _depth_hurts
from gradsim.lessons import descent as _descent
from gradsim.lessons import exploding as _exploding
from gradsim.lessons import perturbation as _perturbation
from gradsim.lessons import recurrent as _recurrent
from gradsim.lessons import remedies as _remedies
from gradsim.lessons import speeds as _speeds
from gradsim.lessons import training_speeds as _training_speeds
from gradsim.lessons.bars import bars
from gradsim.lessons.chain import chain
from gradsim.lessons.depth_hurts import depth_hurts
from gradsim.lessons.descent import descent
from gradsim.lessons.exploding import exploding
from gradsim.lessons.lesson import Lesson, Settings, Tables
from gradsim.lessons.perturbation import perturbation
from gradsim.lessons.recurrent import recurrent
from gradsim.lessons.remedies import remedies
from gradsim.lessons.speeds import speeds
from gradsim.lessons.training_speeds import training_speeds
from gradsim.lessons.writing import write as _write

_MODULES = (
    _depth_hurts,
    _bars,
    _speeds,
    _training_speeds,
    _perturbation,
    _chain,
    _exploding,
    _remedies,
    _recurrent,
    _descent,
)
LESSONS: dict[str, Lesson] = {module.LESSON.name: module.LESSON for module in _MODULES}
"""Every lesson, in the order in which it is taught."""

__all__ = [
    "LESSONS", "Lesson", "Settings", "bars", "chain", "depth_hurts", "descent", "exploding", "find", "perturbation", "recurrent", "remedies", "speeds", "training_speeds", "write",
]  # fmt: skip


def find(name: str) -> Lesson:
    """Return the lesson of a name.

    Raises
    ------
    SweepError
        Unknown name: offers the nearest.
    """
    if name not in LESSONS:
        raise SweepError("lesson", name, f"one of {', '.join(LESSONS)}, or all", suggestion(name, [*LESSONS, "all"]))
    return LESSONS[name]


def write(
    name: str, out: str | Path = "out/lessons", langs: Sequence[str] = ("en",), settings: Settings | None = None
) -> Tables:
    """Run a lesson and write its numbers, pictures and pages to ``out/NAME``.

    Parameters
    ----------
    name
        A key of `LESSONS`.
    out
        Directory of lessons.
    langs
        "en", "zh" or both.
    settings
        Size, seed and threads.

    Returns
    -------
    dict of DataFrame
        What was measured; each table is also a Parquet file.
    """
    return _write(find(name), Path(out), langs, settings or Settings())
