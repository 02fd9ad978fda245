"""Networks of lazy matrices are real networks: with the completed matrices PyTorch's autograd finds every number."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest

from gradsim_core.tapes import Tape
from gradsim_core.tapes.tape import LAYER
from tests.core.tapes import networks
from tests.core.tapes.networks import blocks, funnel, plain, residual

torch = pytest.importorskip("torch")
PHI = {"relu": torch.relu, "gelu": torch.nn.functional.gelu}

NAMED = {
    "widths": ("gelu", 3, 20, lambda tape: funnel(tape, (7, 33, 5))),
    "dead inputs": ("relu", 9, 5, lambda tape: plain(tape, 5, 3)),
    "relu, residual": ("relu", 4, 16, lambda tape: residual(tape, 16, 4)),
    "more tokens than numbers": ("gelu", 10, 8, lambda tape: blocks(tape, 8, 2, LAYER, heads=2)),
}


def compare(name, count, n, write, tolerance=1e-10):
    """Every value, every error and every weight gradient of a run, with autograd through the completed matrices."""
    from tests.core.tapes.pytorch import Tensors

    tape = Tape(count, n)
    program = tape.program(write(tape))
    work = networks.run(program, name)
    matrices = networks.completed(program, work, 0, np.random.default_rng(5))
    biases = networks.biases(program, work)
    tensors = Tensors(networks.numbers(work.values, program, 0), matrices, PHI[name], biases)
    write(tensors)
    readout = torch.tensor(networks.numbers(work.errors, program, program.output))  # nothing else reads the output
    (tensors.values[program.output] * readout).sum().backward()
    for v, value in enumerate(tensors.values):
        expected, slope = value.detach().numpy(), value.grad.numpy()
        for found, right in ((work.values, expected), (work.errors, slope)):
            np.testing.assert_allclose(networks.numbers(found, program, v), right, atol=tolerance * np.abs(right).max())
        found = networks.squares(work.values)[v], networks.squares(work.errors)[v]
        np.testing.assert_allclose(found, [np.sum(expected**2), np.sum(slope**2)], rtol=1e-9)
    for gradient, w in zip(networks.gradients(work), tensors.matrices, strict=True):
        np.testing.assert_allclose(gradient, float(w.grad.square().sum()), rtol=1e-9)


@pytest.mark.parametrize("case", NAMED)
def test_pathwise(case):
    """What the table of architectures has not; the rest is in `tests/core/architectures`."""
    compare(*NAMED[case])


@pytest.mark.parametrize(("second", "seen"), [(0.7, False), (0.5, True)])
def test_a_wrong_branch_scale_is_seen(second, seen):
    """Planted: PyTorch's network adds another part of its branches."""
    scales = iter([0.7, second])
    with pytest.raises(AssertionError) if seen else nullcontext():
        compare("gelu", 4, 8, lambda tape: residual(tape, 8, 1, next(scales)))
