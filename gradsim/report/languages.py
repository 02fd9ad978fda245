"""Texts in English and Chinese: what pages say, by key and language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradsim.errors import SweepError, suggestion

LANGUAGES = ("en", "zh")
TAGS = {"en": "en", "zh": "zh-Hans"}
"""Each language as pages name it (BCP 47)."""

Texts = Mapping[str, tuple[str, str]]
"""Texts by key, in English and Chinese."""


class Words:
    """A table of texts in one language."""

    def __init__(self, texts: Texts, lang: str) -> None:
        self.lang, self._texts, self._column = lang, texts, LANGUAGES.index(lang)

    def __call__(self, key: str, **values: Any) -> str:
        """Return a text; values replace the names in its braces."""
        text = self._texts[key][self._column]
        return text.format(**values) if values else text

    def __contains__(self, key: str) -> bool:
        return key in self._texts

    def names(self, kind: str) -> list[str]:
        """Return NAME of every key ``KIND.NAME``, such as "figure.NAME"."""
        return [key.removeprefix(f"{kind}.") for key in self._texts if key.startswith(f"{kind}.")]


def check_language(lang: str) -> str:
    """Return the language if the texts have it.

    Raises
    ------
    SweepError
        Unknown language: says which are allowed.
    """
    if lang not in LANGUAGES:
        raise SweepError("lang", lang, f"one of {', '.join(LANGUAGES)}", suggestion(lang, LANGUAGES))
    return lang
