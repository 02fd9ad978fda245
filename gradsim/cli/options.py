"""Options shared by several commands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from gradsim.sweep import Sweep

Completion = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def completing(names: Callable[[], Iterable[str]], *, files: bool = False) -> Completion:
    """Return what completes a value in the shell: one of the names, which are loaded only then, or a file."""

    def complete(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
        found = [CompletionItem(name) for name in names() if name.startswith(begun)]
        return [*found, CompletionItem(begun, type="file")] if files else found

    return complete


def _sweeps() -> Iterable[str]:
    from gradsim.sweep.files import shipped

    return shipped()


def _methods() -> Iterable[str]:
    from gradsim_core.architectures import METHODS

    return METHODS


def _devices() -> Iterable[str]:
    from gradsim.simulation.devices import NAMES

    return NAMES


def activations() -> Iterable[str]:
    """Return the names of the table of activations."""
    from gradsim_core.activations import ACTIVATIONS

    return ACTIVATIONS


def quantities() -> Iterable[str]:
    """Return the names of the tables of quantities."""
    from gradsim_core.results.of_inputs import OF_INPUTS
    from gradsim_core.results.quantities import QUANTITIES

    return {**QUANTITIES, **OF_INPUTS}


def lessons() -> Iterable[str]:
    """Return the names of the lessons, and "all"."""
    from gradsim.lessons.catalogue import SUMMARIES

    return [*SUMMARIES, "all"]


def claims() -> Iterable[str]:
    """Return the names of the sources of claims that are shipped."""
    from gradsim.validation.claims import shipped

    return shipped()


SWEEP = click.argument("sweep", metavar="SWEEP", shell_complete=completing(_sweeps, files=True))
DIRECTORY = click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
LEVEL = click.option(
    "--level", type=float, default=0.95, show_default=True, help="Coverage probability of the intervals."
)
ENGINE = click.option(
    "--engine", default="local", show_default=True, metavar="E",
    shell_complete=completing(lambda: ("local", "dask-local:", "dask://", "dask+tls://")),
    help="What computes the shards: local (this process), dask-local:N (N processes on this computer), or a running "
    "Dask cluster at dask://HOST:PORT or dask+tls://HOST:PORT.",
)  # fmt: skip
FORMAT = click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True,
    help="table for people (main columns); csv or json for programs (every column).",
)  # fmt: skip
THREADS = click.option(
    "--threads", type=int, help="Number of threads; results do not depend on it.  [default: all processors]"
)
DEVICE = click.option(
    "--device", default="cpu", show_default=True, metavar="D",
    shell_complete=completing(_devices),
    help="What computes: cpu; cuda (all NVIDIA GPUs) or some of them, cuda:0 or cuda:0,1. The numbers are the same.",
)  # fmt: skip
PROGRESS = click.option(
    "--progress", type=click.Choice(["auto", "bar", "log", "none"]), default="auto", show_default=True,
    help="auto: a bar on a terminal, else a line every 30 s.",
)  # fmt: skip


def _network_names(field: str) -> Callable[[], Iterable[str]]:
    """The names that an option of a network takes, loaded when they are completed."""

    def names() -> Iterable[str]:
        from gradsim_core.architectures import ARCHITECTURES
        from gradsim_core.architectures.network import COSTS, NORMALISATIONS, PLACEMENTS, SCALES, SCORES

        tables: dict[str, Iterable[str]] = {
            "architecture": ARCHITECTURES, "normalisation": NORMALISATIONS, "placement": PLACEMENTS,
            "branch_scale": SCALES, "scores": SCORES, "cost": COSTS,
        }  # fmt: skip
        return tables[field]

    return names


def _number_or_name(context: click.Context, parameter: click.Parameter, value: str | None) -> float | str | None:
    """A branch scale: a number where it is one."""
    try:
        return None if value is None else float(value)
    except ValueError:
        return value


def _named(field: str, text: str, **more: Any) -> Any:
    option = f"--{field.replace('_', '-')}"
    return click.option(option, metavar="NAME", shell_complete=completing(_network_names(field)), help=text, **more)


_NETWORK = (
    _named("architecture", "plain, convolution, recurrent (without branches); residual, residual2, transformer.  "
           "[default: plain]"),
    _named("normalisation", "none, layer, rms, batch, or dyt (tanh in place of a norm).  [default: none]"),
    _named("placement", "Where norms are: pre (before a branch), post (on the sum), sandwich (before and after it), "
           "output (after it); without branches pre or post the activation.  [default: pre]"),
    _named("branch_scale", "Factor of every branch: a number, 1/sqrt(L), 1/L or deepnorm.  [default: 1]",
           callback=_number_or_name),
    click.option("--inputs", type=int, help="Inputs at a time: tokens of a transformer, positions of a convolution."),
    click.option("--input-correlation", type=float, help="Of any two inputs, from 0 to 1.  [default: 0]"),
    click.option("--heads", type=int, help="Of a transformer's attention."),
    click.option("--causal/--no-causal", default=None, help="Whether tokens see only earlier ones.  [default: causal]"),
    _named("scores", "Factor of an attention's scores: 1/sqrt(d) or 1/d, d numbers a head.  [default: 1/sqrt(d)]"),
    click.option("--gated/--no-gated", default=None, help="phi(G x) * U x in an MLP, as SwiGLU.  [default: no]"),
    click.option("--expansion", type=float, help="Inner width of an MLP, in widths.  [default: 4 (transformer), 1]"),
    click.option("--sigma-u", type=float, help="Of a recurrent network: std of its inputs' weights times sqrt(width)."),
    click.option("--taps", type=int, help="Of a convolution: neighbouring positions that it sees.  [default: 3]"),
    _named("cost", "readout, shared, quadratic, sigmoid or softmax.  [default: readout]"),
    click.option("--outputs", type=int, help="Outputs of the last three costs.  [default: 10]"),
)  # fmt: skip


def network_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which kind of network it is; those that are not given are None."""
    for option in reversed(_NETWORK):
        command = option(command)
    return command


def directory_of(sweep: str) -> Path:
    """Return the default directory of a run: out/NAME."""
    from gradsim.errors import MISSING, SweepError
    from gradsim.sweep.files import is_stream

    if is_stream(sweep):
        raise SweepError("--out", MISSING, "a directory", f"Add --out DIR, since {sweep} gives the run no name")
    return Path("out") / Path(sweep).stem


def override_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that replace the sweep's values and choose its kernels."""
    for option in (
        click.option(
            "--dtype",
            help="float32 or float64, in place of the sweep's.",
            shell_complete=completing(lambda: ("float32", "float64")),
        ),
        click.option(
            "--method", help="explicit or conditional, in place of the sweep's.", shell_complete=completing(_methods)
        ),
    ):
        command = option(command)
    return command


def changed(sweep: Sweep, options: Mapping[str, Any]) -> Sweep:
    """Return the sweep with its values replaced by the options given."""
    names = ("networks", "method", "dtype", "seed")
    changes = {name: options[name] for name in names if options.get(name) is not None}
    return sweep.replace(**changes) if changes else sweep
