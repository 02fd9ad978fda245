"""Pages of HTML that hold their pictures, fonts and styles, and so open offline: templates filled with values."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    import jinja2


@cache
def _environment(package: str) -> jinja2.Environment:
    import jinja2

    places = [jinja2.PackageLoader(name) for name in (package, __package__)]
    return jinja2.Environment(loader=jinja2.ChoiceLoader(places), autoescape=True, undefined=jinja2.StrictUndefined)


def render(package: str, template: str, values: Mapping[str, object]) -> bytes:
    """Fill a template with values.

    Parameters
    ----------
    package
        Its folder ``templates`` has the template. Templates may extend ``page.html`` of this package: the frame of a
        page, which takes ``lang``, ``title`` and ``font`` (an OpenType font in Base64, or "").
    template
        Name of the file.
    values
        Text is escaped, unless the template marks it as HTML.

    Returns
    -------
    bytes
        The page in UTF-8.

    Raises
    ------
    jinja2.UndefinedError
        A value that the template needs is not given.
    """
    return _environment(package).get_template(template).render(values).encode()


def fill_text(text: str, values: Mapping[str, object]) -> str:
    """Fill a text that is a template itself, HTML with expressions in double braces, with values.

    Raises
    ------
    jinja2.UndefinedError
        A value that the text needs is not given.
    """
    return _environment(__package__).from_string(text).render(values)


def table(frame: pd.DataFrame, caption: str = "") -> str:
    """Return a frame as an HTML table: numbers with four digits, nothing where a value is missing.

    The caption is HTML and may be empty; what is in the frame is escaped.
    """
    text = frame.to_html(index=False, border=0, float_format=lambda value: f"{value:.4g}", na_rep="")
    text = text.replace("<th>", '<th scope="col">')
    return text.replace("<thead>", f"<caption>{caption}</caption><thead>", 1) if caption else text


def base64_text(content: bytes) -> str:
    """Return bytes in Base64, as ``data:`` URLs hold them."""
    return base64.b64encode(content).decode()


def plain_text(text: str) -> str:
    """Return HTML as plain text, without tags and entities: for the ``alt`` of a picture."""
    return html.unescape(re.sub("<[^>]*>", "", text))
