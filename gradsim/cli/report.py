"""The command `report`."""

from __future__ import annotations

from pathlib import Path

import click

from gradsim.cli.options import DIRECTORY, LEVEL, completing


@click.command()
@DIRECTORY
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The file; an older one is replaced.  [default: DIRECTORY/report.html]",
)
@click.option(
    "--lang",
    default="en",
    show_default=True,
    shell_complete=completing(lambda: ("en", "zh")),
    help="Language of the page: en or zh.",
)
@LEVEL
def report(directory: Path, output: Path | None, lang: str, level: float) -> None:
    """Write a run as one page to look at: diagrams, tables, theory, and a verdict in plain words.

    The page is one HTML file that opens offline in any browser. Point at a cell of the phase diagram for its numbers,
    click it for its layers and its histogram; choose activation, width, boundary and quantity; sort, filter and copy
    the tables. A run with missing shards is shown as far as it is. Needs pip install 'gradsim[plot]'.

    \b
      gradsim report out/run
      gradsim report out/run --lang zh --output run.html
    """
    from gradsim import runs

    click.echo(runs.open(directory).report(output, lang=lang, level=level))
