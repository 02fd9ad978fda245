"""The stream of a network and its gradient, block by block, at infinite width."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim.theory.architectures.alike import Alike
from gradsim.theory.architectures.arguments import Options, Sigmas, networks_of
from gradsim.theory.architectures.ordered import Ordered
from gradsim.theory.architectures.steps import Covariance, Pull, Step, identity
from gradsim.theory.architectures.table import Architecture, Network
from gradsim.theory.averages.functions import Array, ignoring_floating_point_errors
from gradsim.theory.errors import check_count
from gradsim_core.activations import Activation

_DEEPEST = 2**17  # blocks; 10,000 take seconds


class Stream(NamedTuple):
    """Mean squares block by block, in natural logarithms.

    Attributes
    ----------
    log_q
        ln of the mean square of the stream x^l after block l = 1 .. L; of a plain network, of the preactivation h^l.
        The input has mean square 1. With several tokens, the mean over them.
    log_chi
        ln of the factor of E|delta|^2 from block l + 1 to block l, delta being the gradient with respect to what log_q
        describes. The last one is that of one block more.
    log_input
        ln of the factor of the mean square gradient from block 1 to the input.
    """

    log_q: Array
    log_chi: Array
    log_input: float

    @property
    def log_gain(self) -> Array:
        """ln of E|delta^l|^2 over E|delta^L|^2 at l = 1 .. L: the sum of log_chi over l .. L - 1."""
        gain = np.zeros_like(self.log_chi)
        gain[:-1] = np.cumsum(self.log_chi[-2::-1])[::-1]
        return gain

    @property
    def log_growth(self) -> float:
        """ln of the mean square gradient at the input over that at block L: ln of the mean square Jacobian."""
        return float(self.log_input + self.log_gain[0])


@ignoring_floating_point_errors
def stream(
    architecture: str, activation: str | Activation, depth: int, sigma_w: Sigmas, sigma_b: float = 0.0, *,
    normalisation: str = "none", placement: str = "pre", branch_scale: float | str = 1.0, gated: bool = False,
    inputs: float = 1, causal: bool = True, scores: str = "1/sqrt(d)",
    input_correlation: float = 0.0, epsilon: float = 1e-5,
) -> Stream:  # fmt: skip
    """Follow the stream and its gradient through ``depth`` blocks of infinite width.

    Matrices have entries of variance sigma_w^2 / fan_in. The cost is a random linear readout, of its own for every
    input or token; where the norm comes before the branches, a last norm precedes it.

    Parameters
    ----------
    architecture
        ``"plain"``: x = phi(norm(W x + b)), or norm(phi(W x + b)) at placement post. ``"residual"``: x + alpha (W
        phi(norm(x)) + b). ``"residual2"``: x + alpha V phi(W norm(x) + b), whose inner width drops out.
        ``"transformer"``: x + alpha O attend(V norm(x)), then the same MLP as residual2.
    activation
        A name, or a user's own activation.
    depth
        Number of blocks L, from 1 to 2^17; of a transformer they have two branches.
    sigma_w, sigma_b
        Standard deviation of a weight times sqrt(fan_in), > 0; of a bias, >= 0. sigma_w is a number, or a dictionary
        with a number for each kind of matrix, or one for each block: ``hidden`` (plain, residual), ``up`` and ``down``
        (residual2), also ``queries`` (and keys), ``values``, ``attention`` (transformer): see `preset_sigmas`.
    normalisation
        ``"none"``, ``"layer"``, ``"rms"``, ``"batch"`` (over infinitely many independent inputs); ``"dyt"`` or
        ``"derf"``: tanh(x) or erf(x / 2) in place of a norm. No norm has a gain or a bias.
    placement
        ``"pre"``; ``"post"``: norm(x + alpha branch(x)); ``"sandwich"``: before a branch and on its output;
        ``"output"``: on its output alone.
    branch_scale
        alpha >= 0, or ``"1/sqrt(L)"``, ``"1/L"``, or ``"deepnorm"``: (2 L)^(-1/4), as of `deepnorm`.
    gated
        Whether the MLP is V (phi(G x) * U x).
    inputs
        Number of tokens of a transformer, from 1; inf if they see each other.
    causal
        Whether a token sees only itself and earlier ones.
    scores
        ``"1/d"``: queries times keys over the size d of a head, so that attention is a mean over the visible tokens; or
        ``"1/sqrt(d)"``, for infinitely many heads. There a causal mask is for at most 64 tokens: its means are over a
        fixed sample of scores, and leave an error of 4e-4 (8 tokens) to 2e-3 (64) in log_gain over 12 blocks.
    input_correlation
        Of two tokens of the input, from 0 to 1.
    epsilon
        What norms add to a mean square.

    Raises
    ------
    SweepError
        For an argument that is not valid, or an unknown activation; for a user's own pair without finite values where
        they are needed.
    NoMeanField
        For a network whose mean squares do not determine one another, or are not computed; with the reason.

    Notes
    -----
    Norms: Yang et al. 2019 (arXiv:1902.08129), Xiong et al. 2020 (arXiv:2002.04745); residual networks: Yang and
    Schoenholz 2017 (arXiv:1712.08969); attention: Noci et al. 2022 (arXiv:2206.03126). Networks of width N differ by
    O(depth / N), those with batch norm over B inputs by O(1 / B) more, and attention over heads of size d by O(1 / d).

    Examples
    --------
    >>> found = stream("residual2", "relu", depth=100, sigma_w=1.0, normalisation="layer")
    >>> found.log_q[-1].round(4), round(found.log_growth, 4)  # both ln(1 + 100 / 2)
    (np.float64(3.9318), 3.9318)
    """
    depth = check_count("depth", depth, _DEEPEST)
    options = Options(normalisation, placement, branch_scale, gated, inputs, causal, scores, input_correlation, epsilon)
    row, networks = networks_of(architecture, activation, depth, (sigma_w, sigma_b), options)
    states, pulls = _forward(row, networks, depth, _inputs(row, networks[0], options))
    if np.isnan([state.log_mean_square for state in states]).any():
        raise networks[0].table.refusal()
    return _backward(_final(row, networks[0]), states, pulls)


def _inputs(row: Architecture, network: Network, options: Options) -> Covariance:
    if not row.tokens:
        return Alike.of_inputs(network.norm.inputs, 0.0)
    if options.causal:
        return Ordered.of_inputs(int(options.inputs), options.input_correlation)
    return Alike.of_inputs(options.inputs, options.input_correlation)


def _forward(
    row: Architecture, networks: list[Network], depth: int, x: Covariance
) -> tuple[list[Covariance], list[Pull]]:
    """States 1 .. depth + 1, and the pulls from each to the one before, the first to the input.

    The block after the last, which tells log_chi there, is like the last.
    """
    steps = [row.recursion(network) for network in networks]
    x, pull = steps[0][0](x)
    states, pulls = [x], [pull]
    for l in range(1, depth + 1):  # noqa: E741
        after, pull = steps[min(l, len(steps) - 1)][1](x)
        states.append(after)
        pulls.append(pull)
        if after == x and l >= len(steps) - 1:  # a fixed point, to the last bit
            rest = depth + 1 - len(states)
            return states + rest * [after], pulls + rest * [pull]
        x = after
    return states, pulls


def _final(row: Architecture, network: Network) -> Step:
    """What stands between the stream and the readout: a norm, if the stream itself has none."""
    return network.norm.apply if "output" in row.placements and network.placement in ("pre", "sandwich") else identity


def _backward(final: Step, states: list[Covariance], pulls: list[Pull]) -> Stream:
    """Errors of independent readouts, pulled back through all blocks; they are rescaled to mean square 1 at each."""

    def readout(x: Covariance) -> Array:
        errors = final(x)[1](x.readout())
        return np.asarray(errors - x.log_mean(errors))

    depth = len(states) - 1
    factors = np.empty(depth + 1)
    one_more = pulls[depth](readout(states[depth]))
    errors = readout(states[depth - 1])
    for block in range(depth - 1, -1, -1):
        errors = pulls[block](errors)
        factors[block] = states[block].log_mean(errors)
        errors = errors - factors[block]
    factors[depth] = states[depth - 1].log_mean(one_more)
    log_q = np.array([state.log_mean_square for state in states[:depth]])
    return Stream(log_q, factors[1:], float(factors[0]))
