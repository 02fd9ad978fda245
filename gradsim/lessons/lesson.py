"""What a lesson is: numbers, pictures, findings, and one table of texts in every language."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from gradsim.errors import SweepError, suggestion
from gradsim.system.progress import Share

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

LANGUAGES = ("en", "zh")

Tables: TypeAlias = "dict[str, pd.DataFrame]"
"""What was measured: tables by name, each becomes a Parquet file."""

Texts = Mapping[str, tuple[str, str]]
"""Texts by key, in English and Chinese. Every lesson has `title`, `lead` and `body`; `figure.NAME` is the caption of a
picture, `table.NAME` that of a table of the page, `finding.KEY` says what a finding is about."""


class Words:
    """The texts of a lesson in one language."""

    def __init__(self, texts: Texts, lang: str) -> None:
        self.lang, self._texts, self._column = lang, texts, LANGUAGES.index(lang)

    def __call__(self, key: str, **values: Any) -> str:
        """Return a text, with values put in its braces."""
        text = self._texts[key][self._column]
        return text.format(**values) if values else text

    def __contains__(self, key: str) -> bool:
        return key in self._texts


class Finding(NamedTuple):
    """One line of predicted against measured.

    `holds` says whether the measurement agrees with the prediction; numbers are written as they are to be read.
    """

    key: str
    predicted: str
    measured: str
    holds: bool


@dataclass(frozen=True)
class Settings:
    """How a lesson is run.

    Parameters
    ----------
    quick
        Fewer networks and epochs: a minute for all lessons, for tests and a first look.
    seed
        Root of all randomness.
    threads
        Threads; numbers do not depend on it. All processors if None.
    report
        Called with a number from 0 to 1: the share of the work that has just been done.
    """

    quick: bool = False
    seed: int = 1
    threads: int | None = None
    report: Callable[[float], None] = field(default=lambda share: None, compare=False)

    def choose(self, full: int, quick: int) -> int:
        """Return a size, smaller if quick."""
        return quick if self.quick else full

    def part(self, share: float) -> Settings:
        """Return settings for a part of the work, which reports its own share from 0 to 1."""
        return Settings(self.quick, self.seed, self.threads, lambda done: self.report(done * share))

    def epochs(self, total: int) -> Callable[[int], None]:
        """Return what counts the epochs of `total` as this work."""
        return lambda done: self.report(done / max(total, 1))


@contextmanager
def watched(name: str, seed: int, threads: int | None = None) -> Iterator[Settings]:
    """Yield settings for a lesson's function; long work shows its progress on standard error."""
    with Share(name) as share:
        yield Settings(seed=seed, threads=threads, report=share.add)


@dataclass(frozen=True)
class Lesson:
    """A row of the table of lessons.

    Parameters
    ----------
    name
        As the command line knows it.
    measure
        Settings → tables; the first is what the lesson's function returns.
    draw
        (tables, words) → pictures by name, in the order in which the page shows them.
    find
        Tables → findings.
    texts
        Every text, in every language.
    show
        (tables, words) → small tables that the page prints, by name.
    """

    name: str
    measure: Callable[[Settings], Tables]
    draw: Callable[[Tables, Words], dict[str, Figure]]
    find: Callable[[Tables], list[Finding]]
    texts: Texts
    show: Callable[[Tables, Words], Tables] = lambda tables, words: {}


def check_language(lang: str) -> str:
    """Return the language if there are texts in it.

    Raises
    ------
    SweepError
        If there are not: says which there are.
    """
    if lang not in LANGUAGES:
        raise SweepError("lang", lang, f"one of {', '.join(LANGUAGES)}", suggestion(lang, LANGUAGES))
    return lang
