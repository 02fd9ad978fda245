"""The command that recommends a sigma_w."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from gradsim.cli.options import FORMAT, THREADS, activations, completing
from gradsim.cli.tables import show

if TYPE_CHECKING:
    from gradsim.recommendation import Recommendation

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
@click.option("--depth", type=int, required=True, help="Number of layers, from 2.")
@click.option("--width", type=int, required=True, help="Number of neurons in each layer.")
@click.option("--sigma-b", type=float, default=0.0, show_default=True, help="Bias standard deviation.")
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
    """Say which sigma_w to set, the weight standard deviation times sqrt(fan_in).

    At it the typical gradient is level: half of the networks have a larger gradient norm in layer 1 than in the last
    layer, half a smaller one. Theory gives it at this depth and width, simulated networks confirm it, and show how far
    other seeds lie from it. Where typical networks have no such sigma_w (gelu and silu without biases in deep networks)
    none is recommended, and the text says what to do.

    The decades are those of the gradient norm: +1 means that it grows tenfold from the last layer to the first.

    \b
    Examples:
      gradsim recommend --activation tanh --depth 32 --width 64
      gradsim recommend --activation gelu --depth 64 --width 512 --framework pytorch
      gradsim recommend --activation relu --depth 64 --width 256 --law orthogonal --format json
    """
    import pandas as pd

    from gradsim.recommendation import recommend as find

    found = find(**asked)
    chosen = _FRAMEWORKS if framework == "all" else tuple(name for name in _FRAMEWORKS if name == framework)
    if form == "table":
        click.echo(found.text(chosen))
    elif form == "csv":
        rows = [one.to_frame() for one in (found, found.alternative) if one is not None]
        show(pd.concat(rows, ignore_index=True), form)
    else:
        click.echo(json.dumps(_record(found, chosen) | {"presets": _records(found.presets())}, indent=1))


def _record(found: Recommendation, frameworks: tuple[str, ...]) -> dict[str, Any]:
    (row,) = _records(found.to_frame())
    code = {name: found.snippet(name) for name in frameworks}
    alternative = _record(found.alternative, frameworks) if found.alternative else None
    return row | {"advice": list(found.advice), "code": code, "alternative": alternative}


def _records(frame: Any) -> list[dict[str, Any]]:
    from gradsim.report import text

    return list(json.loads(text.render(frame, "json")))
