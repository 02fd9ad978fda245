"""The command that finds the singular values of Jacobians."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gradsim.cli.options import FORMAT, THREADS, activations, completing
from gradsim.cli.tables import show


def _laws() -> list[str]:
    from gradsim_core.laws import LAWS

    return list(LAWS)


@click.command()
@click.argument("activation", shell_complete=completing(activations))
@click.option("--width", type=int, default=64, show_default=True, help="Neurons in each layer.")
@click.option("--depth", type=int, default=32, show_default=True, help="Number of layers.")
@click.option(
    "--sigma-w", type=float, default=1.0, show_default=True, help="Weight standard deviation times sqrt(fan_in)."
)
@click.option("--sigma-b", type=float, default=0.0, show_default=True, help="Bias standard deviation.")
@click.option("--law", default="gaussian", show_default=True, help="Weight law.", shell_complete=completing(_laws))
@click.option(
    "--method", shell_complete=completing(lambda: ("explicit", "conditional")),
    help="explicit: all singular values, to width 256. conditional: the largest ones, at any width, for gaussian and "
    "orthogonal weights.  [default: by width]",
)  # fmt: skip
@click.option(
    "--output", default="activation", show_default=True,
    shell_complete=completing(lambda: ("activation", "preactivation")),
    help="Where J ends: activation, dx^L / dx^0; preactivation leaves the last slopes out.",
)  # fmt: skip
@click.option("--top", type=int, default=4, show_default=True, help="How many singular values are found, or printed.")
@click.option("--networks", type=int, default=100, show_default=True, help="How many networks.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the networks.")
@click.option(
    "--tolerance", type=float, default=0.01, show_default=True, help="Of ln s, at which the conditional method stops."
)
@click.option("--plot", type=click.Path(path_type=Path), help="Draw the spectrum beside theory into this file.")
@THREADS
@FORMAT
def jacobian(activation: str, top: int, plot: Path | None, form: Any, **asked: Any) -> None:
    """Print the singular values of input-output Jacobians, beside theory.

    J = dx^L / dx^0 is the product D_L W_L ... D_1 W_1 of weights and slopes phi'(h) at a random input. A gradient that
    passes all layers grows at most by its largest singular value s, and is level in every direction where all s are
    near 1 ("dynamical isometry").

    First the mean and variance of s^2 over all s, which theory knows at infinite width: at a critical sigma_w the mean
    is 1, and the variance L for linear and 2 L for relu networks, less by L with orthogonal weights. Then ln s of the
    largest values, as the mean over networks where s is not 0, with Lyapunov exponents: growth rates per layer.

    \b
    Examples:
      gradsim jacobian relu --sigma-w 1.4142 --width 64 --depth 8
      gradsim jacobian tanh --sigma-w 1.05 --law orthogonal --plot spectrum.png
      gradsim jacobian linear --width 16 --top 16 --format csv
      gradsim jacobian relu --sigma-w 1.4142 --width 10000 --networks 4 --tolerance 0.03
    """
    from gradsim.spectra import jacobian as find

    if plot is not None:
        from gradsim.plots import styles

        styles.check_file(plot)
    found = find(activation, top=top, **asked)
    table = found.table().head(top)
    if form == "table":
        show(found.summary(), form, _SUMMARY, end="\n")
        show(table, form, [name for name in _COLUMNS if name in table])
    else:
        counts = ["networks", "dead", "nonfinite"]
        show(found.summary().drop(columns=counts).merge(table, how="cross"), form)
    if plot is not None:
        from gradsim import plots

        plots.save(plots.spectrum(found), plot)


_SUMMARY = [
    "networks", "dead", "mean_square", "mean_square_se", "mean_square_theory", "variance", "variance_se",
    "variance_theory", "log_largest_square", "log_edge_theory",
]  # fmt: skip
_COLUMNS = ["index", "live", "dead", "mean", "se", "q05", "median", "q95", "error", "lyapunov", "lyapunov_theory"]
