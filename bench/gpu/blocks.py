"""Parts: whole blocks as the engine runs them, by one thread and by several with a stream each; and whole sweeps."""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.gpu.cases import Timed
from bench.gpu.record import Bench
from bench.gpu.timing import over_cpu, summary
from gradsim_core.cuda.interface import Stream
from gradsim_core.cuda.simulator import GpuSimulator

MOST_ROUNDS, BLOCKS = 3, 4  # blocks of a thread in a round


def run_blocks(timed: Timed, streams: list[Stream], blocks: int) -> float:
    """Run so many blocks on each stream, a thread each; returns the seconds."""
    machine, cell = timed.case().machine()
    gpu = GpuSimulator(machine)

    def run(number: int) -> None:
        streams[number].activate()
        for i in range(blocks):
            gpu.block(streams[number], cell, (number * blocks + i) * timed.networks, timed.networks)

    begin = time.perf_counter()
    with ThreadPoolExecutor(len(streams)) as pool:
        list(pool.map(run, range(len(streams))))
    return time.perf_counter() - begin


def blocks(bench: Bench) -> None:
    """Part: whole blocks, statistics included."""
    found, counts = bench.part("blocks"), bench.sizes.streams
    for timed in bench.sizes.timed:
        streams = [bench.lab.stream(0.8 / max(counts)) for _ in range(max(counts))]
        seconds: dict[int, list[float]] = {count: [] for count in counts}
        run_blocks(timed, streams, 1)
        for number in range(min(MOST_ROUNDS, bench.sizes.rounds)):
            for count in counts:
                if number and bench.cut("blocks"):
                    break
                seconds[count].append(run_blocks(timed, streams[:count], BLOCKS) / (BLOCKS * count))
        for count, each in seconds.items():
            row = summary(each, timed.networks)
            told = row | over_cpu(timed, row["networks_per_second"][0])
            found.setdefault(str(timed), {})[f"{count} streams"] = told
        bench.report.save()


def engine(bench: Bench) -> None:
    """Part: `gs.run` of a sweep into a new directory; and the digest of a smaller one beside the CPU's."""
    found = bench.part("engine")
    try:
        import gradsim as gs

        gs.run, gs.Sweep  # noqa: B018, whose modules are imported only now
    except ImportError as error:
        found["left_out"] = f"gradsim cannot be imported here: {error}"
        return
    with tempfile.TemporaryDirectory() as name:
        for method, networks in bench.sizes.sweeps.items():
            few = max(8, networks // 2**6)
            few, digests = max(128, networks // 2**6), []
            for number, device in enumerate((bench.lab.device, "cpu")):
                run = gs.run(sweep(gs, method, few), Path(name) / f"{method}{number}", device=device, progress="none")
                digests.append(run.verify().digest)
            found[method] = {"digests": digests}
            if len(set(digests)) > 1:
                bench.report.differences.append({"case": f"sweep, {method}", "array": "digests", "digests": digests})
            if bench.cut("engine"):
                return
            begin = time.perf_counter()
            gs.run(sweep(gs, method, networks), Path(name) / method, device=bench.lab.device, progress="none")
            seconds = time.perf_counter() - begin
            found[method] |= {"networks": networks, "seconds": round(seconds, 2), **summary([seconds], networks)}
            bench.report.save()


def sweep(gs: Any, method: str, networks: int) -> Any:
    """Networks of eight cells in all."""
    grid = {"start": 0.8, "stop": 2.2, "num": 8}
    return gs.Sweep(
        activation="tanh", sigma_w=grid, depth=32, width=64, networks=networks // 8, seed=1, method=method
    )  # fmt: skip
