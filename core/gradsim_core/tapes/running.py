"""The kernel that runs a tape forward and backward, one network at a time, and records what stands for its layers."""

from __future__ import annotations

from gradsim_core import jit
from gradsim_core.activations import ACTIVATIONS
from gradsim_core.parameters import Neuron, Slopes
from gradsim_core.rng.draws import Source
from gradsim_core.scaling.per_vector import no_tail

from .costs import READOUT, fill_errors
from .differences import record_differences, restore
from .embedding import draw_tokens, embeddings_of
from .inputs import draw_readouts, make_inputs
from .matrices import matrices_of
from .narrow import begin_products
from .pairs import record_pairs
from .passes import backward_pass, forward_pass
from .recording import record_layers
from .scaled import clear
from .steps import rows_at
from .tape import COST, DIFFERENCES, EMBED, PAIRS, TIED
from .ties import forget


def broken(program, work):
    """NaN if some value is not finite, else 0: comparisons in phi' may hide a NaN."""
    found = 0.0
    for v in range(len(program.values)):
        for i in range(program.count):
            found += 0.0 * work.values.squares[v, i]
    return found


def build(phi, dphi, log_phi, log_dphi, law, method, kinds):
    """The block kernel for an activation, a weight law, a method and kinds of operations, as a `Schedule` builds it.

    `work` is a pair: a `Program`, and a `TapeWork`; the cell's `law_parameter` is of the law.
    """
    name = "tape", method, law.name.split("(")[0], phi.__qualname__, *map(str, sorted(kinds))
    parts = matrices_of(method, law), embeddings_of(method, law), kinds
    forward, backward = (jit.make_closure_compilable(each(*parts), *name) for each in (forward_pass, backward_pass))
    has_tails = log_phi is not no_tail, log_dphi is not no_tail
    has_costs, has_ties, has_pairs, has_differences = (kind in kinds for kind in (COST, TIED, PAIRS, DIFFERENCES))
    lazy, has_tokens = method == "conditional", EMBED in kinds
    tanh = ACTIVATIONS["tanh"]
    of_tanh, squash, squash_slope = Slopes((1.0, 1.0), (0.0, 0.0), True, 1.0), tanh.phi, tanh.dphi

    def run_block(cell, slopes, first, work, sums, exponents):
        """Run networks first .. first + count - 1; writes sums and exponents, both (3, count, depth).

        With what is told of pairs of inputs, both have as many more rows as `results.of_inputs`.
        """
        program, arrays, inputs = work
        neuron = Neuron(phi, dphi, log_phi, log_dphi, has_tails, slopes, cell.alpha)
        other = Neuron(squash, squash_slope, no_tail, no_tail, (False, False), of_tanh, 0.0)
        for n in range(sums.shape[1]):
            origin = Source(cell, first + n, 0, 0)
            for v in range(len(program.values)):
                clear(rows_at(arrays.errors, program, v), program.count)
            if has_tokens:
                draw_tokens(origin, program, arrays)
            else:
                make_inputs(origin, inputs, program, arrays, has_differences)
            if has_ties:
                forget(arrays.ties)
            forward(origin, (neuron, other), program, arrays)
            if has_differences:
                if has_pairs:
                    record_differences(program, arrays, (sums, exponents), n)
                restore(program, arrays, lazy)
            if has_costs and program.cost != READOUT:
                z, e = rows_at(arrays.values, program, program.output), rows_at(arrays.errors, program, program.output)
                fill_errors(origin, program.cost, z, e, program.count, program.values[program.output, 2], arrays.spare)
            else:
                draw_readouts(origin, program, arrays)
            arrays.errors.numbers[program.values[program.output, 0]] += broken(program, arrays)
            if arrays.products.wanted:
                begin_products(program, arrays)
            backward(origin, (neuron, other), program, arrays)
            record_layers(program, arrays, (sums, exponents), n)
            if has_pairs:
                record_pairs(program, arrays, (sums, exponents), n, has_differences)

    run_block.__qualname__ = "_".join(["run_block", *name])
    return run_block


jit.register_leaves(__name__, inline=False)
