"""Commands that need no run: theory, info with how to cite."""

from __future__ import annotations

from typing import Any

import click

from gradsim.cli.options import FORMAT, activations, completing
from gradsim.cli.tables import show
from gradsim.version import __version__


@click.command()
@click.argument("activation", shell_complete=completing(activations))
@click.option(
    "--sigma-w", type=float, help="Adds the mean-field numbers at this weight standard deviation (times sqrt(fan_in))."
)
@click.option("--sigma-b", type=float, default=0.0, show_default=True, help="Bias standard deviation.")
@click.option(
    "--depth",
    type=int,
    multiple=True,
    default=(4, 8, 16, 32, 64),
    show_default=True,
    help="Number of layers; repeat the option for several.",
)
@click.option(
    "--width",
    type=int,
    help="Adds the boundary at this width: exact for relu, leaky_relu, abs and linear, else to first order in 1/width.",
)
@FORMAT
def theory(
    activation: str, sigma_w: float | None, sigma_b: float, depth: tuple[int, ...], width: int | None, form: Any
) -> None:
    """Print the theoretical boundary of an activation, per depth.

    At the boundary sigma_w gradients neither vanish nor explode: the gradient of layer 1 is as large as that of the
    last layer. ACTIVATION is a name such as tanh or leaky_relu(0.2). With --sigma-w the mean field there, and all fixed
    points of the mean square preactivation q, with the one that the default input reaches.

    \b
    Examples:
      gradsim theory tanh --sigma-b 0.2
      gradsim theory relu --width 64
      gradsim theory tanh --sigma-w 1.5 --depth 100
    """
    from gradsim.theory.infinite_width.stability import fixed_points
    from gradsim.theory.tables import boundaries, everything, numbers

    if form != "table":
        show(everything(activation, sigma_b, depth, width, sigma_w), form)
        return
    if sigma_w is not None:
        show(numbers(activation, sigma_w, sigma_b), form, end="\n")
        show(fixed_points(activation, sigma_w, sigma_b), form, end="\n")
    show(boundaries(activation, sigma_b, depth, width), form)


_BIBTEX = """\
@software{{gradsim,
  title = {{gradsim: fast, trustworthy simulation of gradients in deep random networks}},
  author = {{{{The gradsim developers}}}},
  version = {{{version}}},
  year = {{2026}}
}}"""


@click.command()
@click.option("--cite", is_flag=True, help="Print how to cite gradsim, as BibTeX.")
def info(cite: bool) -> None:
    """Print versions, processor, threads, GPUs and cache directory."""
    if cite:
        click.echo(_BIBTEX.format(version=__version__))
        return
    from gradsim.simulation.devices import described
    from gradsim.system.provenance import environment
    from gradsim.system.threads import resolve_threads
    from gradsim_core.caching.folder import cache_directory

    facts = environment() | {"threads": str(resolve_threads()), "kernel cache": str(cache_directory() or "memory only")}
    facts |= described()
    for name, value in facts.items():
        click.echo(f"{name:13} {value}")
