"""Digests of what a few small cells give: run as a program, under whatever processor Numba is told to compile for."""

from __future__ import annotations

import hashlib
import itertools
import sys

import numpy as np

from gradsim_core.activations import resolve_activation
from gradsim_core.architectures import METHODS, Network
from gradsim_core.laws import resolve_law
from gradsim_core.results import statistics
from gradsim_core.simulator import Simulator
from gradsim_core.tapes import Tape
from gradsim_core.tapes.tape import LAYER
from gradsim_core.training.costs import resolve_cost
from gradsim_core.training.descent import Rule
from gradsim_core.training.start import draw_start, numbers, shuffled
from gradsim_core.training.trainer import Trainer
from tests.core.conftest import Cell
from tests.core.lazy.networks import meet
from tests.core.tapes.networks import blocks, run

# Of explicit networks, those up to width 28 run side by side and the others one by one.
QUICK = [
    ("tanh", "gaussian", 16, 0.3, "float32", "explicit"), ("tanh", "gaussian", 33, 0.3, "float32", "explicit"),
    ("tanh", "gaussian", 16, 0.3, "float32", "conditional"),
    ("leaky_relu(0.2)", "orthogonal", 300, 0.3, "float32", "radial"),
]  # fmt: skip
KINDS = [
    ("tanh", "gaussian", 16, 0.3), ("gelu", "gaussian", 33, 0.0), ("erf", "truncated_normal", 5, 0.3),
    ("sin", "uniform", 40, 0.1), ("mish", "sparse(0.3)", 17, 0.2), ("softplus", "orthogonal", 9, 0.0),
    ("sigmoid", "rademacher", 16, 1.0), ("relu", "gaussian", 20, 0.0), ("abs", "orthogonal", 150, 0.2),
]  # fmt: skip
FULL = QUICK + [
    (*kind, dtype, method)
    for kind, dtype, method in itertools.product(KINDS, ("float32", "float64"), METHODS)
    if METHODS[method].serves(resolve_activation(kind[0]), resolve_law(kind[1]))
]


def digests(cells):
    """One line for each cell and sigma_w."""
    for activation, law, width, sigma_b, dtype, method in cells:
        for sigma_w in (0.05, 1.5, 60.0):
            one = Cell(activation, law, dtype, method, sigma_w=sigma_w, sigma_b=sigma_b, depth=24, width=width)
            values, status = one.block(20)
            parts = values, status, *statistics.reduce(values)
            digest = hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()
            yield f"{activation} {law} {width} {dtype} {method} {sigma_w} {digest[:32]}\n"


def training_digests(full):
    """One line, in full for each precision: a few epochs of training from a random start."""
    for dtype in ("float32", "float64")[: 1 + full]:
        words = resolve_activation("sigmoid"), resolve_cost("cross_entropy")
        trainer = Trainer((20, 17, 17, 5), *words, normalisation="layer", residual=True, dtype=dtype)
        start = trainer.parameters()
        draw_start(trainer.network, resolve_law("gaussian"), np.full((3, 2), 0.5), 3, 0, start)
        images = numbers(resolve_law("uniform"), 3, 1, 0, 0, 11 * 20).reshape(11, 20)
        order = np.array([shuffled(3, 0, epoch, 11) for epoch in range(5)])
        replica, data = trainer.replica(start), trainer.data(images, np.eye(5)[np.arange(11) % 5])
        history = trainer.descend(Rule(4, 0.3, 0.01, 0.9, 0.5), replica, data, order)
        digest = hashlib.sha256(replica.parameters.tobytes() + history.tobytes()).hexdigest()
        yield f"training {dtype} {digest[:32]}\n"


def tape_digests(full):
    """In full, one line for each precision of a transformer of lazy matrices."""
    for dtype in (np.float32, np.float64) if full else ():
        tape = Tape(9, 16)
        program = tape.program(blocks(tape, 16, 2, LAYER, heads=2))
        work = run(program, "gelu", dtype=dtype)
        parts = *work.values, *work.errors, work.gradients, work.gradient_units
        digest = hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()
        yield f"tape {np.dtype(dtype)} {digest[:32]}\n"


def stream_digests(full):
    """In full, one line for each precision of networks with a stream, with norms and without."""
    for dtype, norm in itertools.product(("float32", "float64") if full else (), ("none", "layer")):
        network = Network("residual2", normalisation=norm, expansion=1.5)
        simulator = Simulator(
            resolve_activation("gelu"), resolve_law("gaussian"), dtype, "conditional", network=network
        )
        values, _ = simulator.block(simulator.params(3, 24, 17, 1.5, 0.3), 0, 20)
        yield f"stream {norm} {dtype} {hashlib.sha256(values.tobytes()).hexdigest()[:32]}\n"


def radial_stream_digests(full):
    """In full, one line for each precision of residual networks of the radial method, with norms and without."""
    for dtype, norm in itertools.product(("float32", "float64") if full else (), ("none", "rms")):
        words = resolve_activation("leaky_relu(0.2)"), resolve_law("gaussian"), dtype, "radial"
        simulator = Simulator(*words, network=Network("residual2", normalisation=norm, expansion=1.5))
        values, _ = simulator.block(simulator.params(3, 24, 201, 1.5, 0.3), 0, 20)
        yield f"radial stream {norm} {dtype} {hashlib.sha256(values.tobytes()).hexdigest()[:32]}\n"


def lazy_digests(full):
    """One line, in full for each precision and number of rows: what a lazy matrix answers."""
    for dtype, count in itertools.product((np.float32, np.float64), (3, 20)) if full else [(np.float32, 3)]:
        x = np.random.default_rng(1).standard_normal((2, count, 50))
        met = meet(x, 40, lambda h: h * np.abs(h), dtype=dtype)
        digest = hashlib.sha256(b"".join(part.tobytes() for part in met)).hexdigest()
        yield f"lazy {np.dtype(dtype)} {count} {digest[:32]}\n"


def all_digests(full):
    """All lines, in full or the quick ones."""
    yield from digests(FULL if full else QUICK)
    for others in (training_digests, lazy_digests, tape_digests, stream_digests, radial_stream_digests):
        yield from others(full)


if __name__ == "__main__":
    sys.stdout.writelines(all_digests("--full" in sys.argv))
