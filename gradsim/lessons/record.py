"""What a lesson's directory says of itself, so that a lesson that is done is not run again: ``lesson.json``.

It is written last and sealed by a checksum. It names the settings, the code, the bytes of every table, and the links
and the pictures of every page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from gradsim.dataset.sealed_json import seal, unseal
from gradsim.errors import GradsimError
from gradsim.lessons.lesson import Lesson, Settings, Tables
from gradsim.lessons.navigation import Link
from gradsim.system import filesystem

NAME = "lesson.json"


@cache
def code_digest() -> str:
    """Return a hash of all that lessons are made of: the sources, templates, font and images of gradsim."""
    digest = hashlib.sha256()
    for package in ("gradsim", "gradsim_core", "gradsim_data"):
        root = Path(str(resources.files(package)))
        for path in sorted(root.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{package}/{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


class Page(NamedTuple):
    """What a page has besides texts and tables: links to other pages, and names of pictures."""

    nav: list[Link]
    pictures: list[str]


def make(lesson: Lesson, settings: Settings, tables: Mapping[str, bytes], pages: Mapping[str, Page]) -> bytes:
    """Return the content of a record: of a lesson, its tables by file name, and its pages by language."""
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(tables.items())}
    plain = {lang: {"links": list(map(list, page.nav)), "pictures": page.pictures} for lang, page in pages.items()}
    return seal({**_key(lesson, settings), "tables": hashes, "pages": plain})


def _key(lesson: Lesson, settings: Settings) -> dict[str, Any]:
    return {"lesson": lesson.name, "quick": settings.quick, "seed": settings.seed, "code": code_digest()}


class Record:
    """What an earlier run of the same lesson, with the same settings and the same code, has left in a directory."""

    def __init__(self, folder: Path, lesson: Lesson, settings: Settings) -> None:
        self._folder, self._values = folder, _read(folder, lesson, settings)

    def tables(self) -> Tables | None:
        """Return the tables, or None if one is missing or altered, or the settings were others."""
        found: Tables = {}
        for name, expected in self._values.get("tables", {}).items():
            content = filesystem.read_bytes(self._folder / name)
            if content is None or hashlib.sha256(content).hexdigest() != expected:
                return None
            found[name.removesuffix(".parquet")] = pd.read_parquet(self._folder / name)
        return found or None

    def has_page(self, lang: str, nav: Sequence[Link]) -> bool:
        """Return whether the page of a language is there, with these links."""
        there = (self._folder / f"{lang}.html").is_file()
        return there and lang in self.pages and self.pages[lang].nav == list(nav)

    def pictures(self, lang: str) -> dict[str, bytes] | None:
        """Return the pictures (PNG) of the page of a language by name, or None if they have to be drawn."""
        if lang not in self.pages:
            return None
        found = {name: filesystem.read_bytes(self._folder / f"{name}.{lang}.png") for name in self.pages[lang].pictures}
        there = {name: content for name, content in found.items() if content is not None}
        return there if len(there) == len(found) else None

    @property
    def pages(self) -> dict[str, Page]:
        """The pages that were written with all their pictures, by language."""
        pages = self._values.get("pages", {}).items()
        return {lang: Page([Link(*link) for link in page["links"]], page["pictures"]) for lang, page in pages}


def _read(folder: Path, lesson: Lesson, settings: Settings) -> dict[str, Any]:
    """Return the values of a record, or none where it is missing, damaged, or of another run."""
    try:
        content = filesystem.read_bytes(folder / NAME)
        values = {} if content is None else unseal(content, str(folder / NAME), "Run the lesson again")
    except GradsimError:
        return {}
    return values if all(values.get(name) == value for name, value in _key(lesson, settings).items()) else {}
