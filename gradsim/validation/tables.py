"""Outcomes as tables: a frame, CSV, JSON, Parquet, and the Markdown page of the documentation."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from gradsim.errors import SweepError, suggestion
from gradsim.report import text
from gradsim.system import filesystem
from gradsim.system.streams import counted
from gradsim.validation.claims import VALUE
from gradsim.validation.verdicts import VERDICTS, Outcome, compare, compare_instead

COLUMNS = ["id", "what", "claimed", "ours", "margin", "verdict", "control"]
"""Columns of the table for people."""

_WIDE = 36  # characters of a sentence in the table for people


def frame(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Return outcomes as a frame with a row per claim; columns as of `validate`."""
    return pd.DataFrame([_row(outcome) for outcome in outcomes])


def _row(outcome: Outcome) -> dict[str, object]:
    source, claim = outcome.source, outcome.claim
    found = None if outcome.ours is None else compare(claim, outcome.ours)
    caught = None
    if outcome.control is not None:
        caught = (compare_instead if claim.dispute else compare)(claim, outcome.control)
    planted = {None: None, VALUE: "value + 2 %"}.get(claim.control, f"{claim.control} + 2 %")
    return {
        "id": f"{source.name}/{claim.id}",
        "what": claim.what,
        "where": claim.where,
        "source": source.label,
        "link": source.link,
        "basis": claim.basis,
        "claimed": claim.value,
        "ours": None if outcome.ours is None else outcome.ours.value,
        "standard_error": outcome.ours.error if outcome.ours is not None and outcome.ours.error else None,
        "deviation": None if found is None else found.deviation,
        "allowed": None if found is None else found.allowed,
        "margin": None if claim.margin is None else str(claim.margin),
        "verdict": outcome.verdict.name,
        "reason": outcome.verdict.reason or None,
        "control": planted,
        "control_ours": None if outcome.control is None else outcome.control.value,
        "control_margins": None if caught is None else caught.ratio,
        "second_route": claim.dispute.route if claim.dispute else None,
        "second": None if outcome.second is None else outcome.second.value,
        "estimator": claim.estimator,
        "cost": claim.cost,
        "seconds": round(outcome.seconds, 3),
    }


def summary(found: pd.DataFrame) -> str:
    """Return the number of claims by verdict, in one line."""
    counts = found["verdict"].value_counts()
    parts = [f"{counts[name]} {name}" for name in VERDICTS if name in counts]
    return f"{counted(len(found), 'claim')}: {', '.join(parts)}."


def table(found: pd.DataFrame, width: int | None = None) -> str:
    """Return the table for people, in lines of so many characters; reasons of verdicts but confirmed stand below it."""
    shown = found.assign(
        what=[_cut(what) for what in found["what"]],
        claimed=[_cut(_word(claimed), 20) for claimed in found["claimed"]],
        ours=[_ours(row) for row in found.to_dict("records")],
        control=[_control(row) for row in found.to_dict("records")],
    )
    lines = [text.render(shown, "table", COLUMNS, width), ""]
    told = found[found["verdict"].isin(["disputed", "failed", "beyond scope"])]
    lines += [f"{row['verdict']}: {row['id']}: {row['reason']}" for row in told.to_dict("records")]
    return "\n".join([*lines, *([""] if len(told) else []), summary(found)])


def markdown(found: pd.DataFrame) -> str:
    """Return the page of the documentation: verdicts, then a table for each source."""
    lines = [
        "# Published numbers, recomputed",
        "",
        "Made by `gradsim validate --output docs/claims.md`; the claims are data, `data/gradsim_data/claims/*.toml`.",
        "",
        summary(found),
        "",
        *(f"* **{name}**: {meaning}." for name, meaning in VERDICTS.items()),
        "",
        "Basis: *printed*, the number stands in the source; *formula*, its formula at these parameters; *equations*,",
        "solved from its equations by code that shares nothing with gradsim; *statement*, a sentence made a number.",
        "Control: an error of 2 % planted there must be caught; in brackets, how many margins the number is then off.",
        "A margin of 4 s.e. (standard errors) makes one claim in 16,000 fail by chance.",
    ]
    for link, group in found.groupby("link", sort=False):
        first = group.iloc[0]
        lines += ["", f"## {first['source']}", "", f"{link}", ""]
        lines += ["| claim | what | where | basis | claimed | ours | margin | control | verdict |", "|" + "---|" * 9]
        for row in group.to_dict("records"):
            verdict = f"**{row['verdict']}**" + (f": {row['reason']}" if isinstance(row["reason"], str) else "")
            cells = [f"`{str(row['id']).partition('/')[2]}`", row["what"], row["where"], row["basis"],
                     _word(row["claimed"]), _ours(row), _word(row["margin"]), _control(row), verdict]  # fmt: skip
            lines.append("| " + " | ".join(" ".join(str(cell).split()).replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _ours(row: dict[Any, Any]) -> str:
    value, error = row["ours"], row["standard_error"]
    if not isinstance(value, float) or value != value:
        return "-"
    if isinstance(error, float) and error == error:
        return f"{value:.6g} ± {error:.1g}"
    return f"{value:.10g}"


def _control(row: dict[Any, Any]) -> str:
    if not isinstance(row["control"], str):
        return "-"
    margins = row["control_margins"]
    return f"{row['control']} ({margins:.2g})" if isinstance(margins, float) and margins == margins else row["control"]


def _word(value: object) -> str:
    """Text, or "-" for None and what pandas makes of it."""
    return value if isinstance(value, str) else "-"


def _cut(sentence: str, wide: int = _WIDE) -> str:
    return sentence if len(sentence) <= wide else f"{sentence[: wide - 1]}…"


def _parquet(found: pd.DataFrame) -> bytes:
    out = io.BytesIO()
    found.to_parquet(out, index=False, compression="zstd")
    return out.getvalue()


WRITERS: dict[str, Callable[[pd.DataFrame], bytes]] = {
    ".parquet": _parquet,
    ".csv": lambda found: f"{text.render(found, 'csv')}\n".encode(),
    ".json": lambda found: f"{text.render(found, 'json')}\n".encode(),
    ".md": lambda found: markdown(found).encode(),
}
"""What a file with each suffix holds."""


def check_output(path: Path) -> None:
    """Check, before anything is computed, that a file of this name can be written.

    Raises
    ------
    SweepError
        A suffix that is no format.
    OutputError
        A directory that cannot be written.
    """
    if path.suffix not in WRITERS:
        allowed = f"a file that ends in one of {', '.join(WRITERS)}"
        raise SweepError("output", str(path), allowed, suggestion(path.suffix, WRITERS))
    filesystem.check_writable(path.absolute().parent)


def write(found: pd.DataFrame, path: Path) -> None:
    """Write a table; the file appears whole or not at all, and replaces an older one."""
    folder = path.absolute().parent
    filesystem.make_dirs(folder)
    filesystem.replace(folder, folder / path.name, WRITERS[path.suffix](found))
