"""The command `lesson`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gradsim.cli.options import PROGRESS, THREADS, completing, lessons


class _LessonCommand(click.Command):
    """Lists the lessons in the help; the catalogue is imported only then."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_help_text(ctx, formatter)
        from gradsim.lessons.catalogue import SUMMARIES

        with formatter.section("Lessons, in the order in which they are taught"):
            formatter.write_dl(list(SUMMARIES.items()))


@click.command(
    cls=_LessonCommand,
    epilog="""\b
Examples:
  gradsim lesson speeds
  gradsim lesson all --lang en --lang zh --quick""",
)
@click.argument("name", shell_complete=completing(lessons))
@click.option("--out", type=click.Path(path_type=Path), default=Path("out/lessons"), show_default=True,
              help="Directory of the lessons; each has a folder in it.")  # fmt: skip
@click.option(
    "--lang",
    "langs",
    multiple=True,
    default=("en",),
    show_default=True,
    shell_complete=completing(lambda: ("en", "zh")),
    help="Language of the pages, en or zh; repeat the option for both.",
)
@click.option("--quick", is_flag=True, help="Use fewer networks and epochs: all lessons in about a minute.")
@click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), default=1, show_default=True, help="Seed of all random numbers."
)
@click.option("--again", is_flag=True, help="Run lessons again that are done with the same settings.")
@THREADS
@PROGRESS
def lesson(name: str, out: Path, langs: tuple[str, ...], again: bool, progress: str, **settings: Any) -> None:
    """Run a lesson on why deep networks are hard to train.

    NAME is one of the lessons below, or all. Writes tables (Parquet), pictures (PNG, SVG) and a page that opens offline
    to OUT/NAME. A lesson that is done with the same settings is not run again, so an interrupted command resumes.
    """
    from gradsim.lessons import LESSONS, Settings, find
    from gradsim.lessons.running import run_all

    chosen = list(LESSONS.values()) if name == "all" else [find(name)]
    for done in run_all(chosen, out, langs, Settings(**settings), progress, again):
        pages = ", ".join(str(out / done.lesson.name / f"{lang}.html") for lang in langs)
        agree = sum(finding.holds for finding in done.findings)
        click.echo(
            f"{done.lesson.name:16} {agree} of {len(done.findings)} predictions agree, "
            f"{'done before' if done.earlier else f'{done.seconds:.0f} s'}: {pages}"
        )
        for finding in done.findings:
            if not finding.holds:
                click.echo(f"  {finding.key}: predicted {finding.predicted}, measured {finding.measured}")
    if name == "all":
        click.echo(f"Begin at {out / langs[0]}.html")
