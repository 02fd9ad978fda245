"""The diagrams of a report as specifications of Vega-Lite (Satyanarayan et al. 2017, DOI 10.1109/TVCG.2016.2599030).

The script fills in the data and the choices of the reader. Colours of text and lines are those of the page, so that
they follow its dark mode and its print.
"""

from __future__ import annotations

from typing import Any

from gradsim.report.languages import Words

_INK, _LINE, _PAPER = "var(--ink)", "var(--line)", "var(--paper)"
_BLUE, _GREEN, _ORANGE = "#0072b2", "#009e73", "#d55e00"  # Okabe & Ito 2008: told apart by the colour-blind
FEWEST = 100  # live networks below which a cell is drawn pale

Spec = dict[str, Any]


def config(font: str) -> Spec:
    """Return what all diagrams share: type, colours of the page."""
    text = {
        "labelColor": _INK,
        "titleColor": _INK,
        "labelFontSize": 12,
        "titleFontSize": 13,
        "titleFontWeight": "normal",
    }
    return {
        "font": font,
        "background": "transparent",
        "view": {"stroke": _LINE},
        "axis": {**text, "gridColor": _LINE, "domainColor": _LINE, "tickColor": _LINE},
        "legend": {
            **text,
            "orient": "bottom",
            "titleLimit": 320,
            "labelLimit": 320,
            "direction": "horizontal",
            "symbolStrokeColor": _INK,
            "layout": {"bottom": {"anchor": "start", "direction": "vertical"}},
        },
    }


def shades(words: Words) -> dict[str, Spec]:
    """Return the colours of cells, by what they show: the field, its scale, and the title of the legend."""
    grow = {"type": "linear", "clamp": True}
    return {
        "gain": {"field": "", "scale": {**grow, "scheme": "redblue", "reverse": True}, "title": words("shade.gain")},
        "std": {"field": "std", "scale": {**grow, "scheme": "viridis"}, "title": words("shade.std")},
        "live_share": {
            "field": "live_share", "scale": {**grow, "scheme": "viridis", "domain": [0, 1]},
            "title": words("shade.live_share"),
        },
        "dead_fraction": {
            "field": "dead_fraction", "scale": {**grow, "scheme": "magma", "domain": [0, 1]},
            "title": words("shade.dead_fraction"),
        },
    }  # fmt: skip


def phase(words: Words) -> Spec:
    """Return the diagram over (sigma_w, depth): cells, the chosen one, measured boundaries, theory."""
    x = {"type": "quantitative", "title": words("ui.sigma_w"), "scale": {"zero": False, "nice": False}}
    y = {"type": "quantitative", "title": words("depth"), "scale": {"type": "log", "base": 2, "nice": False}}
    y["axis"] = {"grid": False}
    corner = {"x": {**x, "field": "x0"}, "x2": {"field": "x1"}, "y": {**y, "field": "y0"}, "y2": {"field": "y1"}}
    depth = {**y, "field": "depth"}
    hover = [_field(name, title) for name, title in (
        ("cell", words("ui.cell")), ("depth", words("depth")), ("sigma_w", "σ_w"), ("shown", words("shade.gain")),
        ("interval", ""), ("std", words("ui.std")), ("live_share", words("ui.live_share")),
        ("dead_fraction", words("ui.dead_fraction")), ("networks", words("ui.networks")), ("chi_1", "χ₁"),
    )]  # fmt: skip
    names = [words("ui.theory"), words("ui.theory_width")]
    marks = [words("ui.measured"), words("ui.untrusted")]
    point = {"field": "name", "type": "nominal", "title": None}
    return {
        "width": "container",
        "layer": [
            {
                "data": {"name": "cells"},
                "mark": {"type": "rect", "cursor": "pointer", "invalid": None},
                "encoding": {
                    **corner,
                    "fillOpacity": {"condition": {"test": f"datum.networks < {FEWEST}", "value": 0.45}, "value": 1},
                    "tooltip": hover,
                },
            },
            {
                "data": {"name": "chosen"},
                "mark": {"type": "rect", "filled": False, "stroke": "#ff9f00", "strokeWidth": 3, "fillOpacity": 0},
                "encoding": corner,
            },
            {
                "data": {"name": "theory"},
                "mark": {"type": "line", "stroke": "#1a1a1a", "strokeWidth": 1.8, "interpolate": "linear"},
                "encoding": {
                    "x": {**x, "field": "sigma_w"},
                    "y": depth,
                    "order": {"field": "depth"},
                    "strokeDash": {**point, "scale": {"domain": names, "range": [[1, 0], [5, 4]]}},
                },
            },
            {
                "data": {"name": "boundaries"},
                "mark": {"type": "rule", "stroke": "#1a1a1a", "strokeWidth": 2},
                "encoding": {"x": {**x, "field": "ci_low"}, "x2": {"field": "ci_high"}, "y": depth},
            },
            {
                "data": {"name": "boundaries"},
                "mark": {"type": "point", "filled": True, "size": 70, "stroke": "#1a1a1a", "opacity": 1},
                "encoding": {
                    "x": {**x, "field": "sigma_w"},
                    "y": depth,
                    "fill": {**point, "scale": {"domain": marks, "range": ["#1a1a1a", "#ffffff"]}},
                    "tooltip": [_field("verdict", words("kind"))],
                },
            },
        ],
        "resolve": {"scale": {"fill": "independent"}},
    }


def layers(words: Words) -> Spec:
    """Return the curves of a quantity through the layers of a cell: median, mean, and two bands."""
    x = {
        "field": "layer",
        "type": "quantitative",
        "title": words("ui.layer"),
        "axis": {"tickMinStep": 1, "grid": False},
    }
    x["scale"] = {"zero": False, "nice": False}

    def y(field: str) -> Spec:
        return {"field": field, "type": "quantitative", "scale": {"zero": False}}

    def band(low: str, high: str, opacity: float) -> Spec:
        mark = {"type": "area", "opacity": opacity, "color": _BLUE}
        return {"mark": mark, "encoding": {"x": x, "y": y(low), "y2": {"field": high}}}

    hover = [_field("layer", words("ui.layer"))]
    hover += [_field(name, title) for name, title in (
        ("median", words("ui.median")), ("q05", "5 %"), ("q25", "25 %"), ("q75", "75 %"), ("q95", "95 %"),
        ("mean", words("ui.quenched")),
    )]  # fmt: skip
    mean = {"type": "line", "color": _ORANGE, "strokeDash": [4, 3], "strokeWidth": 1.5}
    point = {"type": "point", "filled": True, "size": 26, "color": _BLUE}
    return {
        "width": "container",
        "height": 240,
        "data": {"name": "curve"},
        "layer": [
            band("floor05", "q95", 0.2),
            band("floor25", "q75", 0.3),
            {"mark": mean, "encoding": {"x": x, "y": y("mean")}},
            {"mark": {"type": "line", "color": _BLUE, "strokeWidth": 2}, "encoding": {"x": x, "y": y("median")}},
            {"mark": point, "encoding": {"x": x, "y": y("median"), "tooltip": hover}},
        ],
    }


def bars(words: Words) -> Spec:
    """Return the histogram of the gain over the live networks of a cell."""
    near = "datum.low >= -1.001 && datum.high <= 1.001"
    return {
        "width": "container",
        "height": 200,
        "data": {"name": "bars"},
        "mark": {"type": "bar", "binSpacing": 0},
        "encoding": {
            "x": {"field": "low", "type": "quantitative", "title": words("ui.gain"), "bin": "binned"},
            "x2": {"field": "high"},
            "y": {"field": "share", "type": "quantitative", "title": words("ui.share"), "axis": {"format": "%"}},
            "color": {"condition": {"test": near, "value": _GREEN}, "value": _BLUE},
            "tooltip": [_field("low", words("ui.low")), _field("high", words("ui.high")),
                        {"field": "share", "type": "quantitative", "title": words("ui.share"), "format": ".3p"}],
        },
    }  # fmt: skip


def _field(name: str, title: str) -> Spec:
    """A line of the box that appears at the pointer."""
    number = name not in ("cell", "depth", "layer", "networks", "interval", "verdict")
    kind = "nominal" if name in ("interval", "verdict") else "quantitative"
    return {"field": name, "type": kind, "title": title} | ({"format": ".4~g"} if number else {})
