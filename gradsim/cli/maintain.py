"""Commands that keep a dataset sound and small, or take it elsewhere: verify, compact, gc, export."""

from __future__ import annotations

from pathlib import Path

import click

from gradsim.cli.options import DIRECTORY, FORMAT, PROGRESS
from gradsim.cli.tables import show
from gradsim.system.streams import counted


@click.command()
@DIRECTORY
@FORMAT
@PROGRESS
@click.option(
    "--repair", is_flag=True, help="Remove the manifests of what is damaged, so that the next run computes it anew."
)
def verify(directory: Path, form: str, progress: str, repair: bool) -> None:
    """Check every byte of a run against its manifests.

    Exit code 4 if a file is damaged or missing, also if it was repaired. Prints a digest of all values, which is the
    same for equal sweeps, however the run was divided into jobs, stopped or compacted.
    """
    import pandas as pd

    from gradsim import runs
    from gradsim.report import text

    found = runs.open(directory).verify(progress, repair)  # type: ignore[arg-type]
    if form == "table":
        for sentence in [*found.problems, *found.notes]:
            click.echo(sentence)
        click.echo(
            f"{counted(len(found.problems), 'problem')} in {counted(found.files, 'table')} of "
            f"{counted(found.shards, 'shard')} ({text.size(found.bytes)}); {counted(found.missing, 'shard')} missing."
        )
        if found.removed:
            removed = counted(len(found.removed), "manifest")
            click.echo(f"{removed} removed: give the run command again to compute these shards.")
        click.echo(f"digest {found.digest}" if found.digest else "No digest: some tables could not be read.")
    else:
        show(pd.DataFrame([found._asdict()]), form)  # type: ignore[arg-type]
    if found.problems:
        click.get_current_context().exit(4)


@click.command()
@DIRECTORY
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Directory of the new dataset.")
@PROGRESS
@click.option("--partial", is_flag=True, help="Compact an unfinished run; its copy can be finished like any run.")
def compact(directory: Path, output: Path, progress: str, partial: bool) -> None:
    """Write a copy of a run with few, large files.

    Files of 64 to 512 MB are read faster than many small ones. The values and their digest stay the same.
    """
    from gradsim import runs

    made = runs.open(directory).compact(output, progress, partial)  # type: ignore[arg-type]
    files = sum(len(manifest.parts) for manifest in made.dataset.manifests())
    missing, shards = len(made.dataset.missing()), made.dataset.plan.shard_count
    lacking = f"of {shards - missing:,} of {shards:,} shards, {missing:,} of which are still to be computed, "
    click.echo(
        f"{output}: the same values {lacking if missing else ''}in {counted(files, 'file')}. `gradsim verify` gives "
        "the same digest for both."
    )


@click.command()
@DIRECTORY
def gc(directory: Path) -> None:
    """Remove leftovers of killed runs.

    These are files that no manifest names. Complete tables of shards that are not committed yet stay: a run under way
    may be about to commit them, and a resume uses them.
    """
    from gradsim import runs

    removed = runs.open(directory).gc()
    for name in removed:
        click.echo(name)
    click.echo(f"{counted(len(removed), 'file')} removed.")


@click.command()
@DIRECTORY
@click.option(
    "--output", type=click.Path(path_type=Path), required=True, help="Folder; files of the same names are replaced."
)
@click.option(
    "--format", "form", type=click.Choice(["csv", "parquet", "latex", "sql"]), default="csv", show_default=True,
    help="latex: summary and boundary, for booktabs. sql: views.sql, the tables as views of DuckDB.",
)  # fmt: skip
def export(directory: Path, output: Path, form: str) -> None:
    """Write the tables of a run for other programs.

    cells, layers, summary and boundary, each as a file with every column in full precision.

    \b
      gradsim export out/run --output tables --format parquet
      gradsim export out/run --output . --format sql; cd out/run; duckdb -init ../../views.sql
    """
    from gradsim import runs

    for path in runs.open(directory).export(output, form):
        click.echo(str(path))
