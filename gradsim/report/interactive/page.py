"""The page of a report: a template filled with sentences, data, diagrams and the library that draws them."""

from __future__ import annotations

from typing import Any

import pandas as pd

from gradsim.report import style
from gradsim.report.interactive import charts, packing
from gradsim.report.interactive.facts import AXES, Facts
from gradsim.report.interactive.initialisations import initialisations
from gradsim.report.interactive.reasons import with_reasons_in
from gradsim.report.interactive.verdicts import verdicts
from gradsim.report.interactive.words import WORDS
from gradsim.report.languages import TAGS, Words, check_language
from gradsim.report.page import base64_text, render
from gradsim.sweep.columns import independent_axes
from gradsim.system.streams import counted
from gradsim_core.results.of_inputs import OF_INPUTS
from gradsim_core.results.quantities import QUANTITIES

_KINDS = ("quenched", "median", "annealed")


def check_extra() -> None:
    """Refuse to begin without the packages that write a report.

    Raises
    ------
    PlotExtraMissingError
        jinja2 or vl_convert is not installed.
    """
    style.check_extra("jinja2", "vl_convert")


def page_of(facts: Facts, lang: str = "en") -> bytes:
    """Return the report of a run as HTML, with all that it needs inside.

    Parameters
    ----------
    facts
        The tables of the run.
    lang
        "en" or "zh".

    Raises
    ------
    PlotExtraMissingError
        What writes reports is not installed.
    SweepError
        For an unknown language.
    """
    check_extra()
    words = Words(WORDS, check_language(lang))
    facts = facts._replace(summary=with_reasons_in(facts.summary, lang), boundary=with_reasons_in(facts.boundary, lang))
    boundaries = packing.boundaries(facts, verdicts(facts.boundary, facts.expected, facts.level, words))
    chinese = base64_text(style.font_path().read_bytes()) if lang == "zh" else ""
    axes = independent_axes(AXES, facts.summary)
    missing, shards = facts.missing
    values = {
        "lang": TAGS[lang],
        "font": chinese,
        "title": words("page.title", name=facts.title),
        "words": {key.removeprefix("page."): words(key) for key in WORDS if key.startswith("page.")},
        "lead": words(
            "page.lead",
            cells=_counted(len(facts.summary), "cell", lang),
            networks=_counted(facts.networks, "random network", lang),
            level=f"{facts.level:.4g}",
        ),
        "unfinished": words("page.unfinished", missing=f"{missing:,}", shards=f"{shards:,}") if missing else "",
        "verdicts": _first(boundaries),
        "initialisations": initialisations(facts, words),
        "choices": [{"name": name, "label": words(name)} for name in (*axes, "kind", "shade", "quantity")],
        "provenance": _provenance(facts, words),
        "data": packing.as_json(_data(facts, boundaries, words, bool(chinese))),
        "library": _library(),
    }
    return render(__package__, "report.html", values)


def _counted(count: int, noun: str, lang: str) -> str:
    return counted(count, noun) if lang == "en" else f"{count:,}"


def _first(boundaries: pd.DataFrame) -> list[str]:
    """The verdicts on the quenched boundaries of the first combination, deepest first: what a page shows at first."""
    rows = boundaries[(boundaries["group"] == 0) & (boundaries["kind"] == "quenched")]
    return rows.sort_values("depth", ascending=False)["verdict"].tolist()


def _provenance(facts: Facts, words: Words) -> list[tuple[str, str]]:
    """Names and values of the facts about the run, and how intervals are made."""
    intervals = words("made.intervals.how", level=f"{facts.level:.4g}")
    return [(words(f"made.{key}"), value) for key, value in (facts.provenance | {"intervals": intervals}).items()]


def _data(facts: Facts, boundaries: pd.DataFrame, words: Words, own_font: bool) -> dict[str, Any]:
    """All that the script reads."""
    shades, axes = charts.shades(words), independent_axes(AXES, facts.summary)
    recorded = [name for name in (*QUANTITIES, *OF_INPUTS) if name in set(facts.layers["quantity"])]
    labels = {name: words(f"quantity.{name}") if f"quantity.{name}" in words else name for name in recorded}
    return {
        "words": {key.removeprefix("ui."): words(key) for key in WORDS if key.startswith("ui.")},
        "axes": axes,
        "groups": packing.columns(packing.groups(facts.summary)),
        "choices": {
            "kind": {kind: words(f"kind.{kind}") for kind in _KINDS},
            "shade": {name: shade["title"] for name, shade in shades.items()},
            "quantity": labels,
        },
        "names": {name: words(name) for name in (*axes, "depth", "kind")},
        "cells": packing.columns(packing.cells(facts)),
        "boundaries": packing.columns(boundaries),
        "layers": packing.layers(facts.layers),
        "histograms": packing.histograms(facts.histograms),
        "charts": {
            "config": charts.config('"gradsim han", system-ui, sans-serif' if own_font else "system-ui, sans-serif"),
            "shades": shades,
            "phase": charts.phase(words),
            "layers": charts.layers(words),
            "bars": charts.bars(words),
        },
    }


def _library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, which needs no network."""
    import vl_convert

    text: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return text.replace("</script", "<\\/script")
