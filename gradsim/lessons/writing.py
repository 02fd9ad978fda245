"""Running a lesson and writing its results: Parquet, PNG and SVG, and a page in each language."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from gradsim.lessons import page
from gradsim.lessons.catalogue import Catalogue
from gradsim.lessons.images import load_images
from gradsim.lessons.lesson import LANGUAGES, Lesson, Settings, Tables, Words, check_language
from gradsim.lessons.navigation import Link, language_links, links, present
from gradsim.report import style
from gradsim.system import filesystem
from gradsim.system.streams import say


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


def write(lesson: Lesson, out: Path, langs: Sequence[str], settings: Settings, together: Sequence[str] = ()) -> Tables:
    """Run a lesson and write it to ``out/NAME``: every file appears whole or not at all, and the pages appear last.

    The page that lists the lessons of `out` is written as well. `together` names the lessons of the same run, to which
    pages may link before they are there.

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
    folder = out / lesson.name
    check(folder, langs)
    tables = lesson.measure(settings)
    files = {f"{name}.parquet": _parquet(table) for name, table in tables.items()}
    spoken = {*langs, *(lang for lang in LANGUAGES if (folder / f"{lang}.html").is_file())}
    for lang in langs:
        nav = links(lesson.name, lang, {*together, *present(out, lang)}, spoken)
        files |= _in_language(lesson, tables, lang, settings, nav)
    filesystem.make_dirs(folder)
    for name in sorted(files, key=lambda name: name.endswith(".html")):
        filesystem.replace(folder, folder / name, files[name])
    write_index(out, langs)
    return tables


def _in_language(
    lesson: Lesson, tables: Tables, lang: str, settings: Settings, nav: Sequence[Link]
) -> dict[str, bytes]:
    words = Words(lesson.texts, lang)
    drawn = _pictures(lesson, tables, words)
    pictures = {name: forms["png"] for name, forms in drawn.items()}
    files = {f"{name}.{lang}.{form}": data for name, forms in drawn.items() for form, data in forms.items()}
    return files | {f"{lang}.html": page.render(lesson, words, tables, pictures, settings, nav)}


def _pictures(lesson: Lesson, tables: Tables, words: Words) -> dict[str, dict[str, bytes]]:
    """Pictures by name and form. One that fails is reported and left out: what was measured is written all the same."""
    drawn = {}
    with style.applied(words.lang):
        try:
            for name, picture in lesson.draw(tables, words).items():
                drawn[name] = {form: style.encode(picture, form) for form in ("png", "svg")}
        except Exception as error:
            say(f"No picture: {lesson.name}, {words.lang}: {error}")
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
