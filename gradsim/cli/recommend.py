"""The command that recommends a sigma_w."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from gradsim.cli.options import FORMAT, THREADS, activations, completing, network_options
from gradsim.cli.tables import show

if TYPE_CHECKING:
    from gradsim.recommendation import BranchRecommendation, Recommendation

_FRAMEWORKS = ("pytorch", "flax", "keras")


def _laws() -> list[str]:
    from gradsim_core.laws import LAWS

    return list(LAWS)


@click.command()
@click.option(
    "--activation",
    required=True,
    metavar="NAME",
    shell_complete=completing(activations),
    help="Such as gelu or leaky_relu(0.2).",
)
@click.option("--depth", type=int, required=True, help="Number of layers, blocks or time steps, from 2.")
@click.option("--width", type=int, required=True, help="Number of neurons in each layer; of the stream.")
@click.option("--sigma-b", type=float, default=0.0, show_default=True, help="Bias standard deviation.")
@network_options
@click.option("--law", default="gaussian", show_default=True, help="Weight law.", shell_complete=completing(_laws))
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the simulated networks.")
@click.option(
    "--framework",
    type=click.Choice([*_FRAMEWORKS, "all", "none"]),
    default="all",
    show_default=True,
    help="Whose code to print.",
)
@THREADS
@FORMAT
def recommend(framework: str, form: Any, **asked: Any) -> None:
    """Say which standard deviations to set, with code that sets them.

    A network without branches (plain, convolution, recurrent) has one sigma_w, the weight standard deviation times
    sqrt(fan_in). At it the typical gradient is level: half of the networks have a larger gradient norm in layer 1 than
    in the last layer, half a smaller one. Theory gives it at this depth and width, simulated networks confirm it, and
    show how far other seeds lie from it. Where typical networks have no such sigma_w (gelu and silu without biases in
    deep networks) none is recommended, and the text says what to do.

    In a network with branches (residual: one matrix a block; residual2: an MLP; transformer: attention and an MLP) the
    gradient grows at every sigma_w. There all initialisations that fit are compared, such as gpt2, llama, xavier and
    depth_scaled; the std of every kind of matrix is printed, and the one to take is named, with the reason. Unless you
    say it, a transformer has 8 tokens and heads of 64, a convolution 8 positions, and batch norm 32 inputs.

    The decades are those of the norm: +1 means that it grows tenfold, gradients from the last layer to the first.

    \b
    Examples:
      gradsim recommend --activation tanh --depth 32 --width 64
      gradsim recommend --activation gelu --depth 64 --width 512 --framework pytorch
      gradsim recommend --activation relu --depth 64 --width 256 --law orthogonal --format json
      gradsim recommend --activation tanh --depth 50 --width 256 --sigma-b 0.5 --normalisation layer
      gradsim recommend --activation relu --depth 64 --width 256 --architecture residual2
      gradsim recommend --activation gelu --depth 24 --width 1024 --architecture transformer --normalisation layer
      gradsim recommend --activation silu --depth 32 --width 2048 --architecture transformer --normalisation rms \\
          --gated --expansion 2.6875
    """
    import pandas as pd

    from gradsim.recommendation import BranchRecommendation
    from gradsim.recommendation import recommend as find

    found = find(**{name: value for name, value in asked.items() if value is not None or name == "threads"})
    chosen = _FRAMEWORKS if framework == "all" else tuple(name for name in _FRAMEWORKS if name == framework)
    if form == "table":
        click.echo(found.text(chosen))
    elif isinstance(found, BranchRecommendation):
        show(found.to_frame(), form) if form == "csv" else click.echo(json.dumps(_of_branches(found, chosen), indent=1))
    elif form == "csv":
        rows = [one.to_frame() for one in (found, found.alternative) if one is not None]
        show(pd.concat(rows, ignore_index=True), form)
    else:
        click.echo(json.dumps(_record(found, chosen) | {"presets": _records(found.presets())}, indent=1))


def _of_branches(found: BranchRecommendation, frameworks: tuple[str, ...]) -> dict[str, Any]:
    answer = {"best": found.best, "level": found.level, "verdict": found.verdict, "advice": list(found.advice)}
    stds = _records(found.stds().reset_index())
    code = {name: found.snippet(name) for name in frameworks}
    return answer | {"stds": stds, "code": code, "initialisations": _records(found.to_frame())}


def _record(found: Recommendation, frameworks: tuple[str, ...]) -> dict[str, Any]:
    (row,) = _records(found.to_frame())
    code = {name: found.snippet(name) for name in frameworks}
    alternative = _record(found.alternative, frameworks) if found.alternative else None
    return row | {"advice": list(found.advice), "code": code, "alternative": alternative}


def _records(frame: Any) -> list[dict[str, Any]]:
    from gradsim.report import text

    return list(json.loads(text.render(frame, "json")))
