"""What a lesson is: numbers, pictures, findings, and one table of texts in every language."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from gradsim.report.languages import Texts, Words
from gradsim.system.progress import Share
from gradsim.system.threads import resolve_threads

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Tables: TypeAlias = "dict[str, pd.DataFrame]"
"""What was measured: tables by name; each becomes a Parquet file."""


class Finding(NamedTuple):
    """A prediction and its measurement: one line of the table on the page.

    Parameters
    ----------
    key
        ``finding.KEY`` of the texts names the quantity.
    predicted, measured
        Numbers as text, rounded for readers.
    holds
        Whether the measurement agrees with the prediction.
    allowed
        What was allowed of the measurement, as text; empty if `predicted` says it.
    """

    key: str
    predicted: str
    measured: str
    holds: bool
    allowed: str = ""


def within(
    key: str, predicted: str, value: float, low: float, high: float, form: str = "{:.3g}", measured: str = ""
) -> Finding:
    """Return a finding that agrees if a value lies from `low` to `high`; the page shows just these limits.

    Parameters
    ----------
    key, predicted
        As in `Finding`.
    value
        What was measured.
    low, high
        The limits; infinite if there is none on that side.
    form
        Format of the limits and of the value, so that all have the same digits.
    measured
        Text for the measurement, if it is more than the value.

    Examples
    --------
    >>> within("ratio", "2", 2.13, 1.5, 2.5, "{:.1f}")
    Finding(key='ratio', predicted='2', measured='2.1', holds=True, allowed='1.5 … 2.5')
    """
    if high == float("inf"):
        allowed = f"≥ {form.format(low)}"
    elif low == -float("inf"):
        allowed = f"≤ {form.format(high)}"
    else:
        allowed = f"{form.format(low)} … {form.format(high)}"
    return Finding(key, predicted, measured or form.format(value), bool(low <= value <= high), allowed)


@dataclass(frozen=True)
class Settings:
    """How a lesson is run.

    Parameters
    ----------
    quick
        Fewer networks and epochs, for tests and a first look: about a minute for all lessons.
    seed
        Root of all randomness.
    threads
        Number of threads, all processors if None; results do not depend on it.
    report
        Called with the share of the work just done; over the whole lesson the shares add up to 1.
    """

    quick: bool = False
    seed: int = 1
    threads: int | None = None
    report: Callable[[float], None] = field(default=lambda share: None, compare=False)

    def __post_init__(self) -> None:
        resolve_threads(self.threads)  # some lessons use none

    def choose(self, full: int, quick: int) -> int:
        """Return the size of an experiment: `quick` in the quick form, else `full`."""
        return quick if self.quick else full

    def part(self, share: float) -> Settings:
        """Return settings for a part of the work: its own shares, which add up to 1, count as `share` of the whole."""
        return Settings(self.quick, self.seed, self.threads, lambda done: self.report(done * share))

    def epochs(self, total: int) -> Callable[[int], None]:
        """Return a callback that takes a number of epochs just done and reports them as a share of `total`."""
        return lambda done: self.report(done / max(total, 1))


@contextmanager
def watched(name: str, seed: int, threads: int | None = None) -> Iterator[Settings]:
    """Yield settings for a lesson's function, with progress on standard error while the work lasts."""
    with Share(name) as share:
        yield Settings(seed=seed, threads=threads, report=share.add)


@dataclass(frozen=True)
class Lesson:
    """A lesson: its measurements, pictures, findings and texts.

    Parameters
    ----------
    name
        On the command line and in the catalogue.
    measure
        Settings → tables; the lesson's function returns the first.
    draw
        (tables, words) → pictures by name, in the order in which the page shows them.
    find
        Tables → findings.
    texts
        Every text, in every language: `title`, `lead` and `body`; `figure.NAME` is the caption of a picture, `alt.NAME`
        says what is seen in it, `table.NAME` is the caption of a table on the page, `finding.KEY` names the quantity of
        a finding. In texts of the page, `quick` tells the forms apart (see `body`).
    show
        (tables, words) → small tables that the page shows, by name.
    """

    name: str
    measure: Callable[[Settings], Tables]
    draw: Callable[[Tables, Words], dict[str, Figure]]
    find: Callable[[Tables], list[Finding]]
    texts: Texts
    show: Callable[[Tables, Words], Tables] = lambda tables, words: {}
