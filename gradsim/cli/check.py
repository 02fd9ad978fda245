"""The command that checks how a PyTorch model is initialised."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradsim.cli.options import FORMAT, PROGRESS
from gradsim.cli.tables import show, terminal_width

if TYPE_CHECKING:
    from gradsim.checking import Check

_TABLES = ("verdicts", "modules", "parameters", "presets", "growth", "laws")


@click.command()
@click.argument("model", metavar="MODEL")
@click.option("--networks", type=int, default=32, show_default=True, help="How many to initialise, from 8.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the first; the next ones follow.")
@click.option(
    "--table", type=click.Choice(_TABLES),
    help="Print one table only.  [default: verdicts and main columns; in csv, verdicts; in json, all]",
)  # fmt: skip
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Also write all tables as Parquet to this folder.",
)
@PROGRESS
@FORMAT
def check(model: str, table: str | None, output: Path | None, form: Any, **options: Any) -> None:
    """Check how a PyTorch model is initialised: do activations and gradients keep their size, and if not, why?

    MODEL is module:factory or path/file.py:factory. The factory takes no arguments and returns (model, batch); the
    batch is a tensor, a tuple of arguments or a dictionary of keywords. It is called for every network after
    torch.manual_seed. No labels are needed: the cost is a random readout of the output. Needs pip install
    'gradsim[torch]'.

    It measures every module and parameter, fits the growth along repeated blocks, compares each matrix with the usual
    presets and plain chains of layers with gradsim's law, and names faults with their remedy.

    Exit code 4 if a fault was found.

    \b
    Example, in mymodels.py:
      def build():
          layers = [f() for _ in range(16) for f in (lambda: nn.Linear(64, 64), nn.ReLU)]
          return nn.Sequential(*layers), torch.randn(4, 64)

    \b
    Then:
      gradsim check mymodels.py:build
      gradsim check mymodels.py:build --table parameters --format csv > parameters.csv
    """
    from gradsim.checking import check as run
    from gradsim.checking.models import load, torch_module

    torch_module()
    found = run(load(model), **options)
    if output is not None:
        _write(found, output)
    if table is not None:
        show(getattr(found, table), form)
    elif form == "json":
        click.echo(json.dumps(_record(found), indent=1))
    elif form == "csv":
        show(found.verdicts, form)
    else:
        click.echo(found.text(terminal_width()))
    if not found.sound:
        click.get_current_context().exit(4)


def _record(found: Check) -> dict[str, Any]:
    from gradsim.report import text

    tables = {name: json.loads(text.render(getattr(found, name), "json")) for name in _TABLES}
    return {"model": found.model, "networks": found.networks, "seed": found.seed, "sound": found.sound, **tables}


def _write(found: Check, folder: Path) -> None:
    from gradsim.system import filesystem

    filesystem.make_dirs(folder)
    for name in _TABLES:
        filesystem.replace(folder, folder / f"{name}.parquet", getattr(found, name).to_parquet(index=False))
