"""The text of a page: pictures and tables have numbers, and stand with the paragraph that first refers to them.

A text of a lesson is HTML in which ``{{ figure.NAME }}`` refers to a picture and ``{{ table.NAME }}`` to a table: it
becomes "Figure 2", and a link. ``{% if quick %} … {% else %} … {% endif %}`` says what holds for one form of a lesson.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

from gradsim.report.languages import Words
from gradsim.report.page import fill_text

KINDS = ("figure", "table")


class Part(NamedTuple):
    """A paragraph, the names of the pictures and tables that it is the first to refer to, and text without any."""

    text: str
    figures: list[str]
    tables: list[str]


class Body(NamedTuple):
    """A body: its parts, and the number of each picture and table by (kind, name)."""

    parts: list[Part]
    numbers: dict[tuple[str, str], int]


_MARK = re.compile(r"\[\[(figure|table) ([^\]]+)\]\]")
"""What stands for a reference until the whole text is known, and with it every number."""


def anchor(kind: str, name: str) -> str:
    """Return the id of a picture or a table on the page."""
    return f"{kind}-{name}"


def compose(words: Words, frame: Words, quick: bool, shown: Mapping[str, Collection[str]]) -> Body:
    """Number pictures and tables in the order in which the text refers to them, and place each with its paragraph.

    Parameters
    ----------
    words, frame
        Texts of the lesson, and those of every page.
    quick
        Whether the lesson was run in its quick form.
    shown
        Names of the pictures and of the tables that the page has, by kind. Those that the text does not refer to come
        last; a reference to one that could not be drawn keeps its number, without a link.

    Raises
    ------
    jinja2.UndefinedError
        The text refers to a picture or a table for which the lesson has no caption.
    """
    marks = {kind: {name: f"[[{kind} {name}]]" for name in words.names(kind)} for kind in KINDS}
    text = fill_text(words("body"), {"quick": quick, **marks})
    referred = list(dict.fromkeys((match[1], match[2]) for match in _MARK.finditer(text)))
    rest = [(kind, name) for kind in KINDS for name in shown[kind] if (kind, name) not in referred]
    numbers = _numbered([*referred, *rest])

    def link(match: re.Match[str]) -> str:
        label = frame(match[1], number=numbers[match[1], match[2]])
        return f'<a href="#{anchor(match[1], match[2])}">{label}</a>' if match[2] in shown[match[1]] else label

    parts: list[Part] = []
    placed: set[tuple[str, str]] = set()
    for paragraph in re.split(r"(?<=</p>)", text):
        first = [i for i in dict.fromkeys((m[1], m[2]) for m in _MARK.finditer(paragraph)) if i not in placed]
        placed |= set(first)
        part = _part(_MARK.sub(link, paragraph), first, shown)
        if parts and _room_beside(parts[-1]) and not first:
            parts[-1] = parts[-1]._replace(text=parts[-1].text + part.text)
        elif paragraph.strip():
            parts.append(part)
    return Body([*parts, _part("", rest, shown)] if rest else parts, numbers)


def _numbered(items: list[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Number pictures and tables in their order, each kind for itself."""
    return {item: number for kind in KINDS for number, item in enumerate((i for i in items if i[0] == kind), start=1)}


def _room_beside(part: Part) -> bool:
    """Whether the picture of a part stands beside its text, where more text has room."""
    return len(part.figures) == 1 and not part.tables


def _part(text: str, items: list[tuple[str, str]], shown: Mapping[str, Collection[str]]) -> Part:
    figures, tables = ([name for kind, name in items if kind == wanted and name in shown[wanted]] for wanted in KINDS)
    return Part(text, figures, tables)
