"""The table of architectures, and the choice of a schedule, which always goes through it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np

from gradsim_core.laws import WeightLaw
from gradsim_core.parameters import Params
from gradsim_core.schedules.table import SCHEDULES, Schedule
from gradsim_core.tapes import Tape
from gradsim_core.tapes import schedule as tapes
from gradsim_core.tapes.tape import DIFFERENCES, PAIRS, Program
from gradsim_core.tapes.work import Inputs
from gradsim_core.tapes.work import is_separable as is_separable_program

from . import writers
from .network import COSTS, PLAIN, Network, inputs_of, length_of
from .presets import ATTENTION, DOWN, HIDDEN, QUERIES, UP, VALUES
from .streams import RADIAL_NORMALS, schedules_of

Rule = tuple[str, Callable[[Network, int], bool], str, str]
"""A field, whether a network of a width breaks the rule, what is allowed, and the remedy."""


@dataclass(frozen=True)
class Architecture:
    """A row of the table: a kind of network.

    Parameters
    ----------
    name, formula : str
    layer : str
        What a layer is, and what stands for it.
    write : callable
        Writes its tape: (tape, network, cell) -> the value that is read out (see `writers`).
    uses : tuple of str
        Fields of `Network` that matter to it, beside inputs, their correlation, and normalisation.
    placements : tuple of str
        Where it can have its norms.
    matrices : tuple of str
        Kinds of its matrices, in the order in which they act (see `presets`).
    tied : bool
        Whether all layers have the same matrices.
    schedules : tuple of Schedule
        Those that run it with one input and nothing else set, in order of preference. Of all else `streams` runs some,
        and its tape the rest.
    """

    name: str
    formula: str
    layer: str
    write: Callable[[Tape, Network, Params], int]
    uses: tuple[str, ...] = ()
    placements: tuple[str, ...] = ("pre", "post", "sandwich", "output")
    matrices: tuple[str, ...] = (HIDDEN,)
    tied: bool = False
    schedules: tuple[Schedule, ...] = ()


_STREAM = "block; the stream after it"

ARCHITECTURES: dict[str, Architecture] = {
    row.name: row
    for row in (
        Architecture("plain", "h^l = W x^(l-1) + b, x^l = phi(h^l)", "matrix; the preactivation h^l",
                     writers.layers_of(writers.one_layer),
                     ("differences", "layers"), placements=("pre", "post"), schedules=SCHEDULES),
        Architecture("convolution", "h_p = W [x_(p-1), x_p, x_(p+1)] + b, x_p = phi(h_p)",
                     "layer; the preactivation h^l at all positions",
                     writers.layers_of(writers.one_window), ("taps",), placements=("pre", "post")),
        Architecture("recurrent", "h^t = W x^(t-1) + U u^t + b, x^t = phi(h^t)", "time step; the preactivation h^t",
                     writers.layers_of(writers.one_step), ("sigma_u",), placements=("pre", "post"), tied=True),
        Architecture("residual", "x^l = x^(l-1) + alpha (W phi(x^(l-1)) + b)", _STREAM,
                     writers.stream_of(writers.one_matrix), ("branch_scale", "differences")),
        Architecture("residual2", "x^l = x^(l-1) + alpha V phi(W x^(l-1) + b)", _STREAM,
                     writers.stream_of(writers.two_matrices), ("branch_scale", "gated", "expansion", "differences"),
                     matrices=(UP, DOWN)),
        Architecture("transformer", "y = x^(l-1) + alpha O attend(Q, K, V), x^l = y + alpha V phi(W y + b)", _STREAM,
                     writers.stream_of(writers.attention, writers.two_matrices),
                     ("branch_scale", "gated", "expansion", "heads", "causal", "scores", "embedding"),
                     matrices=(QUERIES, VALUES, ATTENTION, UP, DOWN)),
    )
}  # fmt: skip


@lru_cache(maxsize=8)
def program_of(network: Network, cell: Params) -> Program:
    """The tape of a network; parameters of activation and law and the key do not matter to it."""
    tape = Tape(network.inputs, inputs_of(network, cell.depth, cell.width))
    output = ARCHITECTURES[network.architecture].write(tape, network, cell)
    return tape.program(writers.outputs(tape, network, output), COSTS[network.cost])


def _program(network: Network, cell: Params) -> Program:
    return program_of(network, cell._replace(key=np.uint64(0), alpha=0.0, law_parameter=0.0))


def _matrices_of(network: Network, method: str, depth: int, width: int) -> str:
    """How the matrices of a tape are made; a tied one meets the rows of all layers."""
    uses = depth if ARCHITECTURES[network.architecture].tied else 1
    return tapes.matrices_of(method, uses * network.inputs, width)


@cache
def is_separable(network: Network) -> bool:
    """Whether every input has a weight gradient of its own (see `results.of_inputs`)."""
    return is_separable_program(_program(network, tapes.params_of(1, network.heads)))


@lru_cache(maxsize=256)
def _tape_schedule(network: Network, method: str, matrices: str, pairs: bool) -> Schedule:
    """The schedule of networks that a tape describes, with lazy ("conditional") or drawn ("explicit") matrices."""

    kinds = tapes.kinds_of(_program(network, tapes.params_of(1, network.heads)))
    kinds |= {kind for kind, wanted in ((PAIRS, pairs), (DIFFERENCES, network.differences)) if wanted}

    def allocate(cell, dtype, law):
        inputs = Inputs(network.input_correlation, length_of(network))
        return tapes.work_of(_program(network, cell), inputs, dtype, matrices, kinds)

    def memory(law, depth, width):
        return _at_depth(lambda program: tapes.memory(program, matrices, kinds), network, depth, width)

    def applies(law, depth, width):
        return tapes.may_run(law, method) and matrices == _matrices_of(network, method, depth, width)

    return Schedule("tape", method, "cpu", 1, applies, tapes.builder(matrices, kinds), allocate, memory)


def _own_schedules(network: Network) -> tuple[Schedule, ...]:
    """Those of its architecture if nothing else is set."""
    alone = Network(network.architecture, preset=network.preset)  # a preset gives a plain network one sigma
    return ARCHITECTURES[network.architecture].schedules if network == alone else ()


def is_radial(network: Network, law: WeightLaw) -> bool:
    """Whether the radial method samples a network with a weight law, if it serves its activation."""
    schedules = _own_schedules(network) or schedules_of(network)
    return any(row.method == "radial" and row.applies(law, 1, 1) for row in schedules)


def choose_schedule(
    method: str, law: WeightLaw, depth: int, width: int, *, network: Network = PLAIN, device: str = "cpu",
    pairs: bool = False,
) -> Schedule:  # fmt: skip
    """The first schedule of a network that has the method and the device and applies to the law and the shape.

    With `pairs` it records what is told of pairs of inputs, too.

    Raises
    ------
    ValueError
        If there is none.
    """
    ways = [("explicit", "explicit"), ("conditional", "conditional"), ("conditional", "explicit")]
    general = (*schedules_of(network), *(_tape_schedule(network, *each, pairs) for each in ways))
    for schedule in _own_schedules(network) or general:
        if (schedule.method, schedule.device) == (method, device) and schedule.applies(law, depth, width):
            return schedule
    raise ValueError(
        f"no schedule runs {network.architecture} networks of depth {depth} and width {width} with {law.name} weights "
        f"by the {method} method on {device!r}."
    )


def normals(network: Network, method: str, depth: int, width: int) -> int:
    """The measure of work of one network that is not a plain one with one input."""
    if method == "radial":
        return depth * RADIAL_NORMALS
    lazy = method == "conditional" and schedules_of(network)
    matrices = "conditional" if lazy else _matrices_of(network, method, depth, width)
    found = _at_depth(lambda program: tapes.normals(program, matrices), network, depth, width)
    if ARCHITECTURES[network.architecture].tied and matrices == "conditional":
        # Every query is compared with all earlier ones: measured at width 1,024, at 100 and 300 steps.
        found += (1 + (network.sigma_u > 0.0)) * (depth * network.inputs) ** 2 * 2 * width // 8
    return found


def _at_depth(measure: Callable[[Program], int], network: Network, depth: int, width: int) -> int:
    """What is proportional to the blocks of a tape, from tapes of one and two: deep ones take long to write."""
    if network.layers:
        return measure(_program(network, tapes.params_of(depth, width)))
    one, two = (measure(_program(network, tapes.params_of(each, width))) for each in (1, 2))
    return one + (depth - 1) * (two - one)
