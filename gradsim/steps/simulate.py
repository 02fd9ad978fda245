"""`simulate_training`: steps of gradient descent of many random networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Unpack

import numpy as np
import psutil
from numpy.typing import NDArray

from gradsim.errors import SweepError, whole_number
from gradsim.steps.draws import Draws
from gradsim.steps.network import Networks
from gradsim.steps.observables import QUANTITIES, Recorder
from gradsim.steps.problem import Problem, TrainingOptions
from gradsim.steps.result import TrainingSteps
from gradsim.system.progress import Mode, Share
from gradsim.system.threads import ThreadPool, resolve_threads

if TYPE_CHECKING:
    from gradsim.activations import AxisActivation

BLOCK = 2**20
"""About how many numbers the networks of a block keep: with fewer, a third of the time at width 64 is Python's."""


def simulate_training(
    activation: AxisActivation = "tanh",
    *,
    networks: int = 100,
    threads: int | None = None,
    progress: Mode = "none",
    **options: Unpack[TrainingOptions],
) -> TrainingSteps:
    """Train random dense networks by a few steps of gradient descent, exactly, at any width.

    h^l = W^l x^(l-1) + b^l and x^l = phi(h^l), l = 1 .. depth, with N = width neurons in every layer; the outputs are
    f = V x^L. Inputs x^0 ~ N(0, I), W_ij ~ N(0, sigma_w^2 / N), b ~ N(0, sigma_b^2). A step changes W, b and V by the
    gradient of the mean cost of all inputs.

    With the conditional method no matrix is drawn. After any number of steps it is W = a W_0 + sum_k c_k Delta_k^T X_k,
    where X_k and Delta_k are the activations and errors of step k. So W_0 is met through products with few vectors,
    whose law given all earlier ones is known. The values have exactly the law of the explicit method, in a time
    proportional to the width. This holds for updates that are linear in gradients, so not for Adam.

    Parameters
    ----------
    activation : str or Activation
        Name from the table, or a user's own pair.
    width, depth : int
        N, and number of matrices beside the readout.
    sigma_w : float
        Weight standard deviation times sqrt(N), > 0.
    sigma_b : float
        Bias standard deviation; with 0, the default, there are no biases. Else they are trained, too.
    inputs : int
        How many inputs B are trained on, all in every step. Default: 8.
    outputs : int, optional
        Rows of V. Default: 1 for the quadratic cost, 10 for softmax.
    steps : int
        Default: 5. A run with more steps begins alike, to rounding, as long as the matrices stay lazy.
    learning_rate : float
        Of the parametrisation, see there.
    momentum : float
        Heavy ball, as torch.optim.SGD: velocity = momentum velocity + gradient. Default: 0.
    weight_decay : float
        Decoupled: a step multiplies every parameter by 1 - learning_rate weight_decay. Default: 0.
    clip : float, optional
        Largest norm of the whole gradient, of all parameters that the parametrisation trains (its w').
    cost : {"quadratic", "softmax"}
        |f - y|^2 / 2 with targets y ~ N(0, 1), or the cross-entropy -ln softmax(f)[label] with random labels.
    parametrisation : {"standard", "ntk", "mup"}
        Every parameter is m w', of which w' is trained with the learning rate. standard: m = 1, V ~ N(0, 1/N).
        ntk (Jacot et al., arXiv:1806.07572): m = sigma_w / sqrt(N), sigma_b, 1 / sqrt(N) of W, b, V. mup (Yang & Hu,
        arXiv:2011.14522): m = 1, sqrt(N), 1 / sqrt(N), and V ~ N(0, 1/N^2).
    method : {"conditional", "explicit"}
        How matrices are sampled. Where a matrix meets more rows than a third of the width, 2 inputs (steps + 1) >
        N / 3, the conditional method draws it whole, which takes less time there. Both methods have the same law, but
        not the same networks.
    networks : int
        How many; more networks change none of the earlier ones.
    dtype : {"float64", "float32"}
        Precision; float32 takes half the memory. Sizes beyond 1e19 overflow it, and count as diverged;
        changes below 1e-5 of a size are lost in its rounding.
    seed : int
        Seed of all random numbers. Networks that differ in training alone start alike.
    threads : int, optional
        Number of threads; the numbers do not depend on it. Default: as many as this process may use.
    progress : {"none", "auto", "bar", "log", "json"}
        What is reported on standard error.

    Returns
    -------
    TrainingSteps
        Sizes, changes since step 0, gradients and cost of every network, step and layer, and a table of statistics.
        Networks that diverge are counted, not lost.

    Raises
    ------
    SweepError
        If a value is not allowed or the networks do not fit in memory; says what is.

    Examples
    --------
    >>> problem = {"depth": 3, "sigma_w": 1.5, "learning_rate": 0.1, "parametrisation": "mup"}
    >>> found = simulate_training(width=4096, networks=2, **problem)
    >>> found.h_change.shape  # networks, steps and the start, layers and the readout
    (2, 6, 4)
    """
    return train(Problem(activation=activation, **options), check_networks(networks), threads, progress)


def train(problem: Problem, count: int, threads: int | None, progress: Mode) -> TrainingSteps:
    """Train so many networks of a problem; see `simulate_training`."""
    pooled = resolve_threads(threads)
    size = max(1, min(BLOCK // problem.numbers, 256))
    blocks = [range(first, min(first + size, count)) for first in range(0, count, size)]
    found, pooled = _room(problem, count), min(pooled, _most_threads(problem, min(size, count)))
    with Share("training", progress) as share, ThreadPool(pooled) as pool:

        def run(block: range) -> None:
            found[..., block.start : block.stop] = train_block(problem, block, pool.check)
            share.add(len(block) / count)

        try:
            for _ in pool.map(run, blocks):
                pass
        except MemoryError:
            raise _too_large(problem) from None
    return _result(problem, found)


def train_block(problem: Problem, networks: range, check: Callable[[], None] = lambda: None) -> NDArray[np.float64]:
    """Train some networks; values (quantities, steps + 1, depth + 1, networks).

    Parameters
    ----------
    check
        Called before every step; raises if the result is no longer wanted.
    """
    draws = Draws(problem.key, networks, problem.method == "explicit", np.dtype(problem.dtype))
    recorder = Recorder(problem.steps, problem.depth, len(networks))
    with np.errstate(all="ignore"):  # overflow is data
        trained = Networks(problem, draws)
        for step in range(problem.steps + 1):
            check()
            recorder.record(step, trained, trained.run())
            if step < problem.steps:
                trained.step()
    return recorder.values


def check_networks(networks: object) -> int:
    """Return the number of networks; :class:`SweepError` unless it is a whole number from 1 to 2^31."""
    return whole_number("networks", networks, 1, 2**31, "Write for example networks=100")


def _room(problem: Problem, count: int) -> NDArray[np.float64]:
    """Room for the values of so many networks."""
    shape = len(QUANTITIES), problem.steps + 1, problem.depth + 1, count
    try:
        return np.empty(shape)
    except (MemoryError, ValueError):
        allowed = f"as many as fit in memory, at {8 * int(np.prod(shape[:-1])):,} bytes a network"
        raise SweepError("networks", count, allowed, "Use fewer networks") from None


def _most_threads(problem: Problem, size: int) -> int:
    """How many blocks of that many networks fit in memory at a time; results do not depend on it."""
    needed = size * problem.numbers * np.dtype(problem.dtype).itemsize
    fits = psutil.virtual_memory().available // needed
    if fits == 0:
        raise _too_large(problem)
    return int(fits)


def _too_large(problem: Problem) -> SweepError:
    needed = problem.numbers * np.dtype(problem.dtype).itemsize / 2**30
    allowed = f"a width that fits in memory: a network of this one takes about {needed:.3g} GiB"
    remedy = 'Take dtype="float32", fewer inputs or steps, or method="conditional"; or fewer threads'
    return SweepError("width", problem.width, allowed, remedy)


def _result(problem: Problem, found: NDArray[np.float64]) -> TrainingSteps:
    values = {
        name: np.ascontiguousarray(np.moveaxis(each, -1, 0)) for name, each in zip(QUANTITIES, found, strict=True)
    }
    # Cosines are NaN for a gradient of zero, which is no divergence; the readout has no x.
    diverged = ~np.isfinite(values["h"]).all((1, 2)) | ~np.isfinite(values["delta"]).all((1, 2))
    diverged |= ~np.isfinite(values["cost"][:, :, -1]).all(1) | ~np.isfinite(values["weight_grad"]).all((1, 2))
    return TrainingSteps(problem, values, np.where(diverged, 2, 0).astype(np.int8))
