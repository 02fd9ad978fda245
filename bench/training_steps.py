"""Steps of training against PyTorch, in one run: `python -m bench.training_steps [--width 4096] [--million]`.

A network of three hidden layers, 8 inputs, 5 steps of gradient descent and the pass after the last one, mup, one thread
each; drawing the weights is part of PyTorch's time.
"""

from __future__ import annotations

import argparse
import math
import resource
import time

import numpy as np

from gradsim.steps import simulate_training

DEPTH, INPUTS, STEPS, RATE, SIGMA_W = 3, 8, 5, 0.1, 1.5
ROUNDS = 3


def ours(width: int, dtype: str, networks: int) -> float:
    """Seconds a network."""
    options = {"depth": DEPTH, "inputs": INPUTS, "steps": STEPS, "learning_rate": RATE, "sigma_w": SIGMA_W}
    start = time.perf_counter()
    simulate_training(width=width, dtype=dtype, networks=networks, threads=1, parametrisation="mup", **options)
    return (time.perf_counter() - start) / networks


def peer(width: int, dtype: str) -> float:
    """Seconds of a network by PyTorch."""
    import torch

    torch.set_num_threads(1)
    kind, start = getattr(torch, dtype), time.perf_counter()
    weights = [torch.randn(width, width, dtype=kind) * (SIGMA_W / math.sqrt(width)) for _ in range(DEPTH)]
    readout = torch.randn(1, width, dtype=kind) / width
    inputs, targets = torch.randn(INPUTS, width, dtype=kind), torch.randn(INPUTS, 1, dtype=kind)
    for each in (*weights, readout):
        each.requires_grad_(True)
    groups = [{"params": weights, "lr": RATE}, {"params": [readout], "lr": RATE / width}]
    descent = torch.optim.SGD(groups)
    for step in range(STEPS + 1):
        descent.zero_grad()
        x = inputs
        for weight in weights:
            x = torch.tanh(x @ weight.T)
        (0.5 * ((x @ readout.T - targets) ** 2).sum() / INPUTS).backward()
        if step < STEPS:
            descent.step()
    return time.perf_counter() - start


def main() -> None:
    """Print a line for each precision, and for width 10^6."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=4096)
    parser.add_argument("--million", action="store_true", help="also a network of width 10^6, float32: 2.7 GB")
    asked = parser.parse_args()
    for dtype in ("float32", "float64"):
        ours(asked.width, dtype, 1)
        times = np.array([(ours(asked.width, dtype, 10), peer(asked.width, dtype)) for _ in range(ROUNDS)])
        mine, theirs = np.median(times, axis=0)
        print(f"{dtype}, width {asked.width}: {1e3 * mine:.1f} ms; PyTorch {theirs:.2f} s, {theirs / mine:.0f} times")
    if asked.million:
        seconds = ours(10**6, "float32", 1)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"float32, width 1000000: {seconds:.1f} s, peak of the process {peak:.1f} GB")


if __name__ == "__main__":
    main()
