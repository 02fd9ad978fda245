"""Networks of many inputs beside PyTorch with drawn weights, in turn: `python -m bench.architectures`.

Plain relu networks of width 256 and depth 64 with 8 and 64 inputs: lazy matrices, our own drawn ones, and PyTorch at
its best number of networks at once, with weights kept for a backward pass that is written by hand.
Then residual and normalised networks beside plain ones of as many matrices.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

from bench.compare_peers import machine
from gradsim_core.activations import resolve_activation
from gradsim_core.architectures import Network
from gradsim_core.laws import resolve_law
from gradsim_core.simulator import Simulator

WIDTH, DEPTH, SIGMA = 256, 64, 2**0.5
AT_ONCE = (1, 2, 4, 8, 16)
"""Networks that PyTorch multiplies at once; the fastest number is taken."""


def ours(network: Network, method: str, depth: int = DEPTH, width: int = WIDTH) -> Callable[[int], None]:
    """A function that runs so many networks on one thread."""
    law, activation = resolve_law("gaussian"), resolve_activation("relu")
    simulator = Simulator(activation, law, "float32", method, network=network)
    cell = simulator.params(1, depth, width, SIGMA)
    simulator.block(cell, 0, 1)
    return lambda networks: simulator.block(cell, 0, networks) and None


def pytorch(inputs: int, at_once: int) -> Callable[[int], None]:
    """The same by batched matrix products, one thread; lengths of all errors and weight gradients are computed."""
    import torch

    generator = torch.Generator().manual_seed(1)
    draw = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731

    def batch() -> None:
        x = draw(at_once, inputs, WIDTH)
        weights, questions, slopes = [], [], []
        for _ in range(DEPTH):
            w = draw(at_once, WIDTH, WIDTH).mul_(SIGMA * WIDTH**-0.5)
            h = x @ w.mT
            weights.append(w)
            questions.append(x)
            slopes.append(h > 0)
            x = h.relu()
            h.square().sum((1, 2))
        y = draw(at_once, inputs, WIDTH).mul_(WIDTH**-0.5)
        for w, x, slope in zip(reversed(weights), reversed(questions), reversed(slopes), strict=True):
            delta = y * slope
            delta.square().sum((1, 2))
            ((x @ x.mT) * (delta @ delta.mT)).sum((1, 2))
            y = delta @ w

    return lambda networks: [batch() for _ in range(max(networks // at_once, 1))] and None


def seconds(run: Callable[[int], None], networks: int) -> float:
    """Time of one network."""
    start = time.perf_counter()
    run(networks)
    return (time.perf_counter() - start) / networks


def in_turn(contenders: dict[str, tuple[Callable[[int], None], int]], rounds: int) -> dict[str, list[float]]:
    """Seconds of a network of each contender in every round."""
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, (run, networks) in contenders.items():
            found[name].append(seconds(run, networks))
    return found


def tell(title: str, found: dict[str, list[float]], base: str) -> None:
    """Print the milliseconds of each, and its time over that of one of them in the same round."""
    print(f"\n{title}\n\n| | ms a network | times {base} |\n|---|---:|---:|")
    for name, times in found.items():
        ratios = sorted(each / other for each, other in zip(times, found[base], strict=True))
        span = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} - {ratios[-1]:.2f})"
        print(f"| {name} | {1000 * statistics.median(times):.2f} | {span} |", flush=True)


def fastest_of_pytorch(inputs: int) -> tuple[Callable[[int], None], int]:
    """PyTorch at its best number of networks at once."""
    tried = {at_once: pytorch(inputs, at_once) for at_once in AT_ONCE}
    times = {at_once: min(seconds(run, at_once) for _ in range(3)) for at_once, run in tried.items()}
    best = min(times, key=times.__getitem__)
    return tried[best], best


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    import torch

    torch.set_num_threads(1)
    print(machine(), f"one thread each, PyTorch {torch.__version__}")
    for inputs, networks in ((8, 32), (64, 8)):
        network, (run, at_once) = Network(inputs=inputs), fastest_of_pytorch(inputs)
        contenders = {
            "lazy": (ours(network, "conditional"), networks),
            "drawn": (ours(network, "explicit"), max(networks // 8, 2)),
            f"PyTorch, {at_once} at once": (run, max(2 * at_once, 4)),
        }
        tell(f"{WIDTH} x {DEPTH}, {inputs} inputs", in_turn(contenders, rounds), "lazy")
    for inputs, width, networks in ((1, 64, 8192), (1, WIDTH, 2048), (1, 1024, 1024), (8, WIDTH, 32)):
        kinds = {
            "plain": (Network(inputs=inputs), 32),
            "layer norm": (Network(inputs=inputs, normalisation="layer"), 32),
            "residual": (Network("residual", inputs=inputs), 32),
            "residual, two matrices": (Network("residual2", inputs=inputs), 16),
        }
        made = {name: (ours(kind, "conditional", depth, width), networks) for name, (kind, depth) in kinds.items()}
        tell(f"width {width}, 32 matrices, {inputs} inputs", in_turn(made, rounds), "plain")


if __name__ == "__main__":
    main()
