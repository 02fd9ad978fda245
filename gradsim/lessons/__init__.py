"""The lessons: every experiment of "why deep networks are hard to train", on real data, with pictures.

Each lesson of the catalogue is a function here that returns a DataFrame, ``gs.lessons.speeds()``, and an entry of
`LESSONS`, which `write` and the command line write to files. A lesson is imported when it is first used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gradsim.errors import SweepError, suggestion
from gradsim.lessons.catalogue import Catalogue, function, function_names
from gradsim.lessons.lesson import Lesson, Settings

if TYPE_CHECKING:
    import pandas as pd

    from gradsim.lessons.lesson import Tables

LESSONS: Mapping[str, Lesson] = Catalogue()
"""Every lesson, in the order in which it is taught."""

__all__ = ["LESSONS", "Lesson", "Settings", "find", "write"]
__all__ += function_names()


def __getattr__(name: str) -> Callable[..., pd.DataFrame]:
    if name not in function_names():
        raise AttributeError(f"module 'gradsim.lessons' has no attribute {name!r}")
    return function(function_names()[name])


def __dir__() -> list[str]:
    return sorted({"LESSONS", "Settings", "write", *function_names()})  # what people use


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
        Directory of the lessons.
    langs
        "en", "zh" or both.
    settings
        Size, seed and threads.

    Returns
    -------
    dict of DataFrame
        What was measured; each table is also a Parquet file.

    Raises
    ------
    SweepError
        Unknown lesson or language.
    OutputError
        The directory cannot be written.
    PlotExtraMissingError
        matplotlib or Jinja is not installed.
    CorruptDataError
        The images that are shipped are missing or damaged.
    """
    from gradsim.lessons.writing import write as write_lesson

    return write_lesson(find(name), Path(out), langs, settings or Settings())
