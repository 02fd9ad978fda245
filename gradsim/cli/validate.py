"""The command `validate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradsim.cli.options import PROGRESS, claims, completing
from gradsim.cli.tables import terminal_width

if TYPE_CHECKING:
    import pandas as pd


@click.command()
@click.argument("sources", metavar="[SOURCE]...", nargs=-1, shell_complete=completing(claims, files=True))
@click.option("--quick", is_flag=True, help="Leave out claims that need long simulations: less than a minute.")
@click.option("--list", "listing", is_flag=True, help="List the sources and the number of their claims.")
@click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json", "markdown"]), default="table", show_default=True,
    help="table for people (main columns); csv or json for programs (every column); markdown, a page.",
)  # fmt: skip
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False),
    help="Also write every column to a file: its name ends in .parquet, .csv, .json or .md.",
)  # fmt: skip
@PROGRESS
def validate(
    sources: tuple[str, ...], quick: bool, listing: bool, form: str, output: Path | None, progress: Any
) -> None:
    """Recompute published numbers and say which hold.

    SOURCE is a paper or library whose claims are shipped (--list), or a TOML file of claims; all that are shipped if
    none is given. Each number is confirmed, refined (more digits), disputed (a second route agrees with ours), or
    beyond scope. For each, an error of 2 % is planted as a control, which must be caught.

    Exit code 4 if a claim failed: a number that contradicts ours without being disputed, a dispute that agrees, or a
    control that is not caught.

    \b
    Examples:
      gradsim validate --quick
      gradsim validate schoenholz-2017 nfnets-2021
      gradsim validate --output claims.parquet
    """
    from gradsim.validation import load, tables
    from gradsim.validation import validate as run

    if listing:
        click.echo(_sources(load(list(sources) or None), form))
        return
    if output is not None:
        tables.check_output(output)
    found = run(list(sources) or None, quick, progress)
    if output is not None:
        tables.write(found, output)
    click.echo(_rendered(found, form))
    if (found["verdict"] == "failed").any():
        click.get_current_context().exit(4)


def _rendered(found: pd.DataFrame, form: str) -> str:
    from gradsim.report import text
    from gradsim.validation import tables

    if form == "markdown":
        return tables.markdown(found).rstrip("\n")
    return tables.table(found, terminal_width()) if form == "table" else text.render(found, form)  # type: ignore[arg-type]


def _sources(loaded: list[Any], form: str) -> str:
    import pandas as pd

    from gradsim.report import text

    rows = [
        {"source": source.name, "claims": len(source.claims), "by": source.label, "link": source.link}
        for source in loaded
    ]
    shown = "table" if form == "markdown" else form
    return text.render(pd.DataFrame(rows), shown, width=terminal_width())  # type: ignore[arg-type]
