"""A GPU for the check of bench/gpu: the interpreter, and one that errs; and sizes that suit them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from bench.gpu.cases import Case, Peer, Sizes, Timed
from bench.gpu.lab import Loaded
from bench.gpu.record import Bench, Clock, Report
from bench.peers import Job
from gradsim_core.cuda.interface import DeviceArray
from tests.core.cuda.stand_in import FACTS, StandIn

CONDITIONAL = Case("tanh", "gaussian", "float32", "conditional", 3, 8, 1.5, 0.3, 5, 24)
EXPLICIT = Case("tanh", "gaussian", "float32", "explicit", 2, 29, 1.5, 0.3, 5, 6)
SIZES = Sizes(
    bits=(CONDITIONAL, EXPLICIT),
    again=(CONDITIONAL,),
    block=16,
    timed=(
        Timed("conditional", Job(8, 3), 32),
        Timed("explicit", Job(29, 2), 8),
        Timed("conditional", Job(8, 3), 32, "float64"),
    ),
    registers=(96,),
    thread_blocks=(64, 128),
    rounds=1,
    least=0.0,
    streams=(1, 2),
    peers=(Peer(Job(29, 2), (4, 8)),),
    sweeps={"conditional": 128},
)


class StandInLab:
    """`bench.gpu.lab.Lab` on the interpreter."""

    in_processes, multiprocessors, device, torch_device = False, 2, "cpu", "cpu"

    def __init__(self, stream=None) -> None:
        self.facts, self._open = FACTS, stream or StandIn
        self.loaded: list[str] = []

    def stream(self, share=0.6):
        return self._open()

    def load(self, text):
        self.loaded.append(text)
        return Loaded(0.1, 80, 0, 0, {"128": 4})

    def clock(self, seconds):
        return None


class OneBit(StandIn):
    """A GPU that changes the last bit of a number, in arrays of the size of the first block's quantities."""

    def read(self, array: DeviceArray) -> np.ndarray:
        found = super().read(array)
        if found.dtype == np.float64 and found.size == 2 * 4 * 3 * 16:
            found[103:104].view(np.int64)[0] ^= 1  # the eighth network of a group
        return found


def bench_of(lab=None, sizes=None, seconds=1000.0, path=None) -> Bench:
    return Bench(
        lab or StandInLab(), sizes or SIZES, Report(path), Clock(seconds), ThreadPoolExecutor(2)
    )  # fmt: skip
