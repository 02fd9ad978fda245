"""What is run: cells whose bits are compared, jobs that are timed, and how much of each."""

from __future__ import annotations

from typing import NamedTuple

from bench.peers import Job
from gradsim_core.activations import resolve_activation
from gradsim_core.laws import resolve_law
from gradsim_core.parameters import Params
from gradsim_core.simulator import Simulator

KEY = 2024


class Case(NamedTuple):
    """Networks of one cell."""

    activation: str
    law: str
    dtype: str
    method: str
    depth: int
    width: int
    sigma_w: float
    sigma_b: float
    first: int
    networks: int

    def __str__(self) -> str:
        words = self.activation, self.law, self.dtype, self.method, f"{self.width} x {self.depth}"
        biases = f", sigma_b {self.sigma_b:g}" if self.sigma_b else ""
        return f"{' '.join(words)}, sigma_w {self.sigma_w:g}{biases}"

    def machine(self) -> tuple[Simulator, Params]:
        """The simulator of the CPU, and the cell."""
        made = Simulator(resolve_activation(self.activation), resolve_law(self.law), self.dtype, self.method)
        return made, made.params(KEY, self.depth, self.width, self.sigma_w, self.sigma_b)

    def kind(self) -> tuple[str, str, str, str]:
        """Cases of one kind share their kernels."""
        made, cell = self.machine()
        return self.activation, self.law, self.dtype, made.schedule(cell).name


class Timed(NamedTuple):
    """A job that is timed: tanh, normal weights, no biases."""

    method: str
    job: Job
    networks: int
    dtype: str = "float32"

    def __str__(self) -> str:
        words = f"{self.method} {self.job.width} x {self.job.depth}"
        return words if self.dtype == "float32" else f"{words} {self.dtype}"

    def case(self) -> Case:
        """Its cell."""
        words = "tanh", "gaussian", self.dtype, self.method
        return Case(*words, self.job.depth, self.job.width, self.job.sigma_w, 0.0, 0, self.networks)


class Peer(NamedTuple):
    """A job of PyTorch's: numbers of networks at a time to try."""

    job: Job
    chunks: tuple[int, ...]


class Sizes(NamedTuple):
    """How much is done."""

    bits: tuple[Case, ...]
    again: tuple[Case, ...]
    block: int  # networks that are compared at a time
    timed: tuple[Timed, ...]
    registers: tuple[int, ...]  # limits that are tried beside none
    thread_blocks: tuple[int, ...]
    rounds: int
    least: float  # seconds of one timing
    streams: tuple[int, ...]
    peers: tuple[Peer, ...]
    sweeps: dict[str, int]  # by method, networks of the sweep that is timed


def _case(words: str, numbers: tuple[int, int, float, float], networks: int, first: int = 5) -> Case:
    """Words are activation, law, precision and method; numbers are width, depth, sigma_w and sigma_b."""
    activation, law, dtype, method = words.split()
    width, depth, sigma_w, sigma_b = numbers
    return Case(activation, law, dtype, method, depth, width, sigma_w, sigma_b, first, networks)


SMALL_JOB, LARGE_JOB = Job(64, 32), Job(256, 64)

_FULL_BITS = (
    _case("tanh gaussian float32 conditional", (64, 32, 1.5, 0.0), 120_000),
    _case("tanh gaussian float32 explicit", (32, 8, 1.5, 0.0), 100_000),
    _case("tanh gaussian float64 conditional", (64, 32, 1.5, 0.0), 100_000),
    _case("tanh gaussian float64 explicit", (32, 8, 1.5, 0.0), 100_000),
    _case("tanh gaussian float32 explicit", (64, 32, 1.5, 0.0), 20_000),
    _case("tanh gaussian float32 conditional", (256, 64, 1.5, 0.3), 20_000),
    _case("tanh gaussian float32 explicit", (256, 64, 1.5, 0.3), 1_000),
    _case("tanh gaussian float64 explicit", (64, 32, 1.5, 0.3), 5_000),
    _case("gelu gaussian float32 conditional", (64, 32, 2.0, 0.1), 20_000),
    _case("relu gaussian float32 conditional", (8, 6, 1e20, 0.0), 4_096),  # the schedule as it is runs these
    _case("relu gaussian float32 conditional", (16, 16, 1.4, 0.0), 20_000),
    _case("relu gaussian float32 explicit", (29, 6, 1e8, 0.3), 512),  # the CPU runs these
    _case("tanh orthogonal float32 conditional", (32, 16, 1.5, 0.0), 4_096),
    _case("tanh gaussian float32 explicit", (8, 16, 1.5, 0.2), 20_000),  # narrow
    _case("tanh rademacher float32 explicit", (64, 8, 1.5, 0.0), 5_000),
)

FULL = Sizes(
    bits=_FULL_BITS,
    again=(_FULL_BITS[0], _FULL_BITS[4]),
    block=2**15,
    timed=(
        Timed("conditional", SMALL_JOB, 2**17),
        Timed("explicit", SMALL_JOB, 2**15),
        Timed("conditional", LARGE_JOB, 2**17),
        Timed("explicit", LARGE_JOB, 2**13),
        Timed("conditional", SMALL_JOB, 2**17, "float64"),
        Timed("explicit", SMALL_JOB, 2**15, "float64"),
    ),
    registers=(128, 96),
    thread_blocks=(64, 128, 256),
    rounds=10,
    least=0.02,
    streams=(1, 4),
    peers=(
        Peer(SMALL_JOB, (256, 1024, 4096, 16384)),
        Peer(LARGE_JOB, (64, 256, 1024)),
    ),
    sweeps={"conditional": 2**24, "explicit": 2**20},
)

SMALL = Sizes(
    bits=(
        _case("tanh gaussian float32 conditional", (8, 4, 1.5, 0.3), 64),
        _case("tanh gaussian float32 explicit", (32, 3, 1.5, 0.3), 64),
        _case("tanh gaussian float32 explicit", (8, 4, 1.5, 0.3), 64),
    ),
    again=(),
    block=64,
    timed=(),
    registers=(),
    thread_blocks=(128,),
    rounds=1,
    least=0.0,
    streams=(),
    peers=(),
    sweeps={},
)
"""For tools that slow a GPU down a hundred times."""
