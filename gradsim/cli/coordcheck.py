"""The command that checks how signals depend on the width, before and after steps of training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradsim.cli.options import FORMAT, PROGRESS, THREADS, activations, completing
from gradsim.cli.tables import show

if TYPE_CHECKING:
    from gradsim.steps import CoordinateCheck

_TABLES = ("verdicts", "exponents", "sizes")


@click.command()
@click.option(
    "--activation", default="tanh", show_default=True, metavar="NAME", shell_complete=completing(activations),
    help="Such as gelu or leaky_relu(0.2).",
)  # fmt: skip
@click.option(
    "--parametrisation", type=click.Choice(["standard", "ntk", "mup"]), default="standard", show_default=True,
    help="How the readout begins and learning rates depend on the width.",
)  # fmt: skip
@click.option("--depth", type=int, required=True, help="Number of weight matrices beside the readout.")
@click.option(
    "--width", "widths", type=int, multiple=True, default=(64, 256, 1024, 4096), show_default=True,
    help="Neurons in each layer, up to a million; repeat the option for several.",
)  # fmt: skip
@click.option("--sigma-w", type=float, required=True, help="Weight standard deviation times sqrt(fan_in).")
@click.option("--sigma-b", type=float, default=0.0, show_default=True, help="Bias standard deviation; 0: no biases.")
@click.option("--learning-rate", type=float, required=True, help="Of the parametrisation.")
@click.option("--steps", type=int, default=5, show_default=True, help="Steps of training.")
@click.option("--inputs", type=int, default=8, show_default=True, help="Inputs that every step is trained on.")
@click.option("--momentum", type=float, default=0.0, show_default=True, help="Heavy ball, as in torch.optim.SGD.")
@click.option("--weight-decay", type=float, default=0.0, show_default=True, help="Decoupled.")
@click.option("--clip", type=float, help="Largest norm of the whole gradient.  [default: no clipping]")
@click.option(
    "--cost", type=click.Choice(["quadratic", "softmax"]), default="quadratic", show_default=True,
    help="With random targets, or random labels of ten classes.",
)  # fmt: skip
@click.option("--networks", type=int, default=100, show_default=True, help="How many of each width.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of all random numbers.")
@click.option("--dtype", type=click.Choice(["float64", "float32"]), default="float64", show_default=True)
@click.option(
    "--method", type=click.Choice(["conditional", "explicit"]), default="conditional", show_default=True,
    help="conditional draws no large matrix; the law is the same.",
)  # fmt: skip
@click.option(
    "--table", type=click.Choice(_TABLES),
    help="Print one table only.  [default: verdicts; in json, all]",
)  # fmt: skip
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False),
    help="Also write all tables as Parquet, and pictures if matplotlib is installed, to this folder.",
)  # fmt: skip
@THREADS
@PROGRESS
@FORMAT
def coordcheck(table: str | None, output: Path | None, form: Any, **options: Any) -> None:
    """Check how signals depend on the width: do features move alike in narrow and wide networks?

    A learning rate found for a narrow network serves a wide one if every hidden layer moves as far at each width. This
    trains random networks of several widths by a few steps of gradient descent, exactly, without drawing large
    matrices, and fits a power of the width to four sizes: forward, the root mean square of the preactivations h and of
    their change since step 0; backward, the norm of delta = dC/dh and of its change. An exponent of 0 is flat.

    \b
    Parametrisations, with the exponent of the change of h:
      standard  one learning rate for all: above 0, wide networks diverge
      ntk       rates fall as 1/width: -1/2, hidden features do not move in wide networks
      mup       maximal update: 0, the learning rate carries over

    Intervals are of 95 %, from a bootstrap over networks. A verdict is "flat", "grows" or "falls" if the whole interval
    lies on one side of +-0.25, half way to the exponents +-1/2, and else "unclear".

    \b
    Examples:
      gradsim coordcheck --depth 3 --sigma-w 1.5 --learning-rate 0.5 --parametrisation mup
      gradsim coordcheck --depth 3 --sigma-w 1.5 --learning-rate 0.5 --parametrisation ntk --width 256 --width 65536
      gradsim coordcheck --depth 3 --sigma-w 1.5 --learning-rate 0.1 --table exponents --format csv > exponents.csv
      gradsim coordcheck --depth 3 --sigma-w 1.5 --learning-rate 0.5 --parametrisation mup --output out/coordinates
    """
    from gradsim.steps import coordinate_check

    found = coordinate_check(**options)
    if output is not None:
        _write(found, output)
    if table is not None:
        show(getattr(found, table), form)
    elif form == "json":
        click.echo(json.dumps(_record(found), indent=1))
    elif form == "csv":
        show(found.verdicts, form)
    else:
        click.echo(found.text())


def _record(found: CoordinateCheck) -> dict[str, Any]:
    from gradsim.report import text

    facts = found.problem.model_dump(exclude={"width", "activation"}) | {"activation": found.problem.activation}
    tables = {name: json.loads(text.render(getattr(found, name), "json")) for name in _TABLES}
    counts = {"widths": list(found.widths), "networks": found.networks, "level": found.level}
    return {**facts, **counts, "summary": found.summary, **tables}


def _write(found: CoordinateCheck, folder: Path) -> None:
    from gradsim.report.style import PlotExtraMissingError
    from gradsim.system import filesystem
    from gradsim.system.streams import say

    filesystem.make_dirs(folder)
    for name in _TABLES:
        filesystem.replace(folder, folder / f"{name}.parquet", getattr(found, name).to_parquet(index=False))
    try:
        from gradsim import plots

        for direction in ("forward", "backward"):
            plots.save(plots.trained_coordinates(found, direction), folder / f"{direction}.png")
    except PlotExtraMissingError as error:
        say(f"No picture: {error}")
