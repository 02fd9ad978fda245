"""Part: PyTorch on the same GPU, the peers of `bench.peers` in float32 without TF32."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from bench.gpu.bits import on_gpu
from bench.gpu.cases import Peer, Timed
from bench.gpu.record import Bench
from bench.gpu.timing import summary
from bench.peers import PEERS, Step

NAMES = ("PyTorch bmm by hand", "PyTorch vmap(grad)")
GAIN = 3
"""Number of the quantity ln(|delta^1|^2 / |delta^L|^2), which peers return."""


def torch_peers(bench: Bench) -> None:
    """Part: tune the number of networks at a time, then measure."""
    found = bench.part("PyTorch")
    try:
        import torch
    except ImportError as error:
        found["left_out"] = f"PyTorch cannot be imported here: {error}"
        return
    if bench.lab.torch_device != "cpu" and not torch.cuda.is_available():
        found["left_out"] = f"PyTorch {torch.__version__} was built for other devices"
        return
    torch.set_float32_matmul_precision("highest")
    torch.backends.cuda.matmul.allow_tf32 = False
    for peer in bench.sizes.peers:
        key = f"{peer.job.width} x {peer.job.depth}"
        ours = _gains(bench, peer)
        for name in NAMES:
            if bench.cut("PyTorch"):
                return
            with torch.device(bench.lab.torch_device):
                found.setdefault(key, {})[name] = _tuned(bench, torch, name, peer, ours)
            bench.report.save()


def _gains(bench: Bench, peer: Peer) -> np.ndarray:
    """Our own gains of the same networks."""
    case = Timed("conditional", peer.job, min(2048, bench.sizes.block)).case()
    stream = bench.lab.stream(0.1)
    values = on_gpu(case, stream, 0, case.networks).values
    assert values is not None
    return values[GAIN, :, 0]


def _tuned(bench: Bench, torch: Any, name: str, peer: Peer, ours: np.ndarray) -> dict[str, Any]:
    """The best of all numbers of networks at a time; also whether the peer computes what we do."""
    tried: dict[int, dict[str, Any]] = {}
    told: dict[str, Any] = {"tried": tried}
    for chunk in peer.chunks:
        if tried and bench.cut("PyTorch"):
            break
        try:
            seconds, gains = _measure(PEERS[name][1](peer.job, chunk), bench.sizes.rounds)
        except RuntimeError as error:  # memory
            told[f"{chunk} at a time"] = str(error).split("\n")[0]
            continue
        finally:
            if bench.lab.torch_device != "cpu":
                torch.cuda.empty_cache()
        tried[chunk] = summary(seconds, chunk)
        told["z"] = round(_z(ours, gains), 2)
        if not abs(told["z"]) < 6:
            bench.report.problems[f"PyTorch, {name}"] = f"computes something else: z = {told['z']}"
    if tried:
        best = max(tried, key=lambda chunk: tried[chunk]["networks_per_second"][0])
        told |= {"chunk": best, "networks_per_second": tried[best]["networks_per_second"]}
    return told


def _measure(step: Step, rounds: int) -> tuple[list[float], np.ndarray]:
    """Seconds of each step, which ends when its results are here; one step goes before."""
    gains = [step()]
    seconds = []
    for _ in range(rounds):
        begin = time.perf_counter()
        gains.append(step())
        seconds.append(time.perf_counter() - begin)
    return seconds, np.concatenate(gains)


def _z(a: np.ndarray, b: np.ndarray) -> float:
    """The difference of two means in standard errors."""
    error = np.hypot(a.std() / len(a) ** 0.5, b.std() / len(b) ** 0.5)
    return float((a.mean() - b.mean()) / error) if error else 0.0
