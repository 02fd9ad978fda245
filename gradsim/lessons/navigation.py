"""Links between the pages of a directory of lessons: only to pages that are there."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from gradsim.lessons.catalogue import Catalogue
from gradsim.lessons.texts.frame import FRAME
from gradsim.report.languages import LANGUAGES, TAGS, Words


class Link(NamedTuple):
    """A link: where to, its text, its relation ("prev", "next", or ""), and the language of another language's page."""

    href: str
    text: str
    rel: str = ""
    lang: str = ""


def present(out: Path, lang: str) -> list[str]:
    """Return the names of the lessons that have a page in a language, in the order in which they are taught."""
    return [name for name in Catalogue() if (out / name / f"{lang}.html").is_file()]


def links(name: str, lang: str, others: Collection[str], langs: Collection[str]) -> list[Link]:
    """Return the links of a lesson's page: all lessons, the one before, the next one, the other languages.

    Parameters
    ----------
    name, lang
        The lesson and the language of the page; a lesson that is not in the catalogue has no neighbours.
    others
        Names of the lessons with a page in this language.
    langs
        Languages in which this lesson has a page.
    """
    frame, found = Words(FRAME, lang), [Link(f"../{lang}.html", Words(FRAME, lang)("index"))]
    order = [other for other in Catalogue() if other in others or other == name]
    before, after = (order[: order.index(name)], order[order.index(name) + 1 :]) if name in order else ([], [])
    for key, rel, near in (("previous", "prev", before[-1:]), ("next", "next", after[:1])):
        for other in near:
            title = Words(Catalogue()[other].texts, lang)("title")
            found.append(Link(f"../{other}/{lang}.html", frame(key, title=title), rel))
    return found + language_links(lang, langs)


def language_links(lang: str, langs: Iterable[str]) -> list[Link]:
    """Return links to a page in its other languages, which stand beside it."""
    others = [other for other in LANGUAGES if other in langs and other != lang]
    return [Link(f"{other}.html", Words(FRAME, other)("own_name"), "alternate", TAGS[other]) for other in others]
