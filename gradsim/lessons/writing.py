"""Running a lesson and writing its results: Parquet, PNG and SVG, and a page in each language."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import pandas as pd

from gradsim.lessons import page
from gradsim.lessons.catalogue import Catalogue
from gradsim.lessons.images import load_images
from gradsim.lessons.lesson import Lesson, Settings, Tables
from gradsim.lessons.navigation import language_links, links, present
from gradsim.lessons.record import NAME, Page, Record, make
from gradsim.report import style
from gradsim.report.languages import LANGUAGES, Words, check_language
from gradsim.system import filesystem
from gradsim.system.streams import say

Drawn: TypeAlias = "dict[str, dict[str, bytes]]"
"""Pictures by name, each as "png" and "svg"."""


def check(out: Path, langs: Sequence[str]) -> None:
    """Check, before any work, that results can be computed and written.

    Raises
    ------
    SweepError
        There are no texts in a language.
    OutputError
        The directory cannot be written.
    PlotExtraMissingError
        matplotlib or Jinja is not installed.
    CorruptDataError
        The images that are shipped are missing or damaged.
    """
    for lang in langs:
        check_language(lang)
    filesystem.check_writable(out)
    style.check_extra("matplotlib", "jinja2")
    load_images()


class Written(NamedTuple):
    """A lesson that has been written: what was measured, and whether an earlier run had measured it."""

    tables: Tables
    earlier: bool


def write(lesson: Lesson, out: Path, langs: Sequence[str], settings: Settings) -> Tables:
    """Run a lesson and write it to ``out/NAME``: every file appears whole or not at all, and the pages appear last.

    The page that lists the lessons of `out` is written as well.

    Returns
    -------
    dict of DataFrame
        What was measured.

    Raises
    ------
    OutputError
        The directory cannot be written; nothing has been run.
    CorruptDataError
        The images are missing or damaged; nothing is written.
    """
    return update(lesson, out, langs, settings, again=True).tables


def update(lesson: Lesson, out: Path, langs: Sequence[str], settings: Settings, again: bool) -> Written:
    """Write a lesson as `write` does, but keep what an earlier run with the same settings and the same code has left.

    Its tables are read, and only pages that are missing or have other links are written. With `again` everything is
    measured and written anew.
    """
    folder = out / lesson.name
    check(folder, langs)
    before = Record(folder, lesson, settings)
    earlier = None if again else before.tables()
    tables = earlier or lesson.measure(settings)
    parquet = {f"{name}.parquet": _parquet(table) for name, table in tables.items()}
    spoken = {*langs, *(lang for lang in LANGUAGES if (folder / f"{lang}.html").is_file())}
    navs = {lang: links(lesson.name, lang, present(out, lang), spoken) for lang in langs}
    missing = {lang: nav for lang, nav in navs.items() if not (earlier and before.has_page(lang, nav))}
    files, pages = {} if earlier else dict(parquet), before.pages if earlier else {}
    for lang, nav in missing.items():
        words = Words(lesson.texts, lang)
        pictures = before.pictures(lang) if earlier else None
        if pictures is None and (drawn := _pictures(lesson, tables, words)) is not None:
            files |= {f"{name}.{lang}.{form}": data for name, forms in drawn.items() for form, data in forms.items()}
            pictures = {name: forms["png"] for name, forms in drawn.items()}
        files[f"{lang}.html"] = page.render(lesson, words, tables, pictures or {}, settings, nav)
        if pictures is not None:  # else the next run draws them
            pages[lang] = Page(nav, list(pictures))
    if files:
        _replace(folder, files | {NAME: make(lesson, settings, parquet, pages)})
    write_index(out, langs)
    return Written(tables, earlier is not None)


def _replace(folder: Path, files: dict[str, bytes]) -> None:
    """Write files, pages after the pictures in them, and the record last."""
    filesystem.make_dirs(folder)
    for name in sorted(files, key=lambda name: (name == NAME, name.endswith(".html"))):
        filesystem.replace(folder, folder / name, files[name])


def _pictures(lesson: Lesson, tables: Tables, words: Words) -> Drawn | None:
    """Pictures by name and form; None, and a report, if one fails. Tables and pages are written all the same."""
    drawn = {}
    with style.applied(words.lang):
        try:
            for name, picture in lesson.draw(tables, words).items():
                drawn[name] = {form: style.encode(picture, form) for form in ("png", "svg")}
        except Exception as error:
            say(f"No picture: {lesson.name}, {words.lang}: {error}")
            return None
    return drawn


def write_index(out: Path, langs: Sequence[str]) -> None:
    """Write ``out/LANG.html``, which lists the lessons of `out` that have a page in the language."""
    spoken = {*langs, *(lang for lang in LANGUAGES if (out / f"{lang}.html").is_file())}
    for lang in langs:
        lessons = [Catalogue()[name] for name in present(out, lang)]
        filesystem.replace(out, out / f"{lang}.html", page.render_index(lessons, lang, language_links(lang, spoken)))


def _parquet(table: pd.DataFrame) -> bytes:
    out = io.BytesIO()
    table.to_parquet(out, index=False, compression="zstd")
    return out.getvalue()
