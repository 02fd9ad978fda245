"""What tells one kind of network from another, beside activation, law, depth and width."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from gradsim_core.tapes.costs import QUADRATIC, READOUT, SHARED, SIGMOID, SOFTMAX

from .presets import DOWN, PRESETS, UP, Matrix

NORMALISATIONS = ("none", "layer", "rms", "batch", "dyt")
PLACEMENTS = ("pre", "post", "sandwich", "output")
SCALES = {
    "1/sqrt(L)": lambda depth: depth**-0.5,
    "1/L": lambda depth: 1.0 / depth,
    "deepnorm": lambda depth: (2.0 * depth) ** -0.25,
}
"""Names of branch scales, as functions of the depth."""
SCORES = {"1/sqrt(d)": lambda d: d**-0.5, "1/d": lambda d: 1.0 / d}
"""Factors of the scores of an attention, as functions of the numbers of a head."""

COSTS = {"readout": READOUT, "shared": SHARED, "quadratic": QUADRATIC, "sigmoid": SIGMOID, "softmax": SOFTMAX}
"""Names of costs: a random readout of every input, one of all, and three of the outputs of a last matrix."""

EMBEDDINGS = ("none", "untied", "tied")
"""Inputs are normal vectors, or rows of an embedding, which may be the matrix of the logits, too."""


class Network(NamedTuple):
    """The kind of a network; every default is that of a plain network with one input.

    Attributes
    ----------
    architecture
        Name of a row of `table.ARCHITECTURES`.
    inputs
        How many inputs, or tokens, run through the network at a time.
    input_correlation
        Correlation of any two of them, from 0 to 1.
    normalisation, placement
        Names in `NORMALISATIONS` and `PLACEMENTS`.
    branch_scale
        Factor of every branch that is added to the stream: a number, or a name in `SCALES`.
    heads, causal, scores
        Of an attention; a name in `SCORES`.
    gated
        Whether phi(G x) * U x takes the place of phi(W x) in the branch of two matrices.
    expansion
        Numbers between those two matrices, in units of the width; 0 for what is usual: 4 in a transformer, else 1.
    preset
        Name of a row of `presets.PRESETS`, which gives sigma of every matrix; "none" if all have that of the cell.
    cost, outputs
        A name in `COSTS`; how many outputs the network has, for all costs but readouts.
    sigma_u
        Of a recurrent network, standard deviation of the weights of its inputs, times sqrt(width); 0: it has none.
    taps
        How many neighbouring inputs, or positions, a convolution sees.
    differences
        Whether inputs are carried as differences from the first, so that those that converge are told apart.
    layers
        Of a plain network, numbers of its inputs and of the neurons of each layer, such as "784-30-10"; "" if all have
        the width of the cell.
    input_length
        Root mean square of the elements of every input, or a name in `LENGTHS`, of which only "random" and "sphere" are
        known here.
    input_file
        Name of a file whose rows are the inputs, and their digest; they are given to the simulator.
    embedding, vocabulary, sigma_embedding
        Of a transformer, a name in `EMBEDDINGS`; how many tokens there are, and the standard deviation of an entry.
    """

    architecture: str = "plain"
    inputs: int = 1
    input_correlation: float = 0.0
    normalisation: str = "none"
    placement: str = "pre"
    branch_scale: float | str = 1.0
    heads: int = 1
    causal: bool = True
    scores: str = "1/sqrt(d)"
    gated: bool = False
    expansion: float = 0.0
    preset: str = "none"
    cost: str = "readout"
    outputs: int = 10
    sigma_u: float = 0.0
    taps: int = 3
    differences: bool = False
    layers: str = ""
    input_length: float | str = "random"
    input_file: str = ""
    embedding: str = "none"
    vocabulary: int = 1000
    sigma_embedding: float = 1.0


LENGTHS = ("random", "sphere", "q_star")
"""Lengths of inputs: as they are drawn, N(0, I); sqrt(n) for n numbers; that at which q is at its fixed point."""

PLAIN = Network()
MOST_LAYERS, MOST_NEURONS = 4096, 2**20


def text_of(widths: Iterable[int]) -> str:
    """Numbers of neurons as `Network.layers`."""
    return "-".join(str(int(n)) for n in widths)


@cache
def widths_in(layers: str) -> tuple[int, ...] | None:
    """Numbers of neurons in `Network.layers`; None if it is another text."""
    parts = layers.split("-")
    return tuple(map(int, parts)) if all(part.isascii() and part.isdigit() for part in parts) else None


def widths_of(network: Network, depth: int, width: int) -> tuple[int, ...]:
    """Numbers of inputs, and of neurons of each layer."""
    return (widths_in(network.layers) if network.layers else None) or (width,) * (depth + 1)


def length_of(network: Network) -> float:
    """Root mean square of the elements of every input; 0 if inputs are as they are drawn."""
    known = {"random": 0.0, "sphere": 1.0}
    return known[network.input_length] if isinstance(network.input_length, str) else network.input_length


def inputs_of(network: Network, depth: int, width: int) -> int:
    """Numbers of an input: of a token, its id alone."""
    return 1 if network.embedding != "none" else widths_of(network, depth, width)[0]


def outputs_of(network: Network) -> int:
    """Numbers of outputs, for a cost that is not a readout of every input: with a softmax of tokens, their logits."""
    if network.cost == "softmax" and network.embedding != "none":
        return network.vocabulary
    return 1 if network.cost == "shared" else network.outputs


def inner_of(network: Network, width: int) -> int:
    """Numbers between the two matrices of a branch."""
    usual = 4.0 if network.architecture == "transformer" else 1.0
    return max(round((network.expansion or usual) * width), 1)


def matrix_of(network: Network, kind: str, depth: int, width: int, block: int = 1) -> Matrix:
    """A matrix of a network, as presets see it."""
    inner = inner_of(network, width)
    fan_in, fan_out = inner if kind == DOWN else width, inner if kind == UP else width
    if network.layers:
        fan_in, fan_out = widths_of(network, depth, width)[block - 1 : block + 1]
    if network.architecture == "convolution":
        fan_in, fan_out = network.taps * fan_in, network.taps * fan_out
    branches = {"residual": depth, "residual2": depth, "transformer": 2 * depth}.get(network.architecture, 0)
    return Matrix(kind, fan_in, fan_out, block, depth, branches)


def sigma_of(network: Network, kind: str, depth: int, width: int, block: int = 1) -> float | None:
    """Sigma of a matrix by the network's preset; None if it is that of the cell."""
    preset = PRESETS.get(network.preset)
    if preset is None or preset.sigma is None:
        return None
    return preset.sigma(matrix_of(network, kind, depth, width, block))


def sigma_b_of(network: Network, kind: str, depth: int, width: int, block: int) -> float | None:
    """Sigma_b after a matrix by the network's preset, where layers differ in width; None if it is that of the cell."""
    preset = PRESETS.get(network.preset)
    if preset is None or not network.layers:
        return None
    return preset.sigma_b(matrix_of(network, kind, depth, width, block))


def scale_of(network: Network, depth: int) -> float:
    """The branch scale as a number."""
    named = SCALES.get(str(network.branch_scale))
    return named(depth) if named else float(network.branch_scale)
