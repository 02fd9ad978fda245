"""The command line: `python -m bench.gpu --help`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.gpu import bits, blocks, loading, machine, markdown, timing, tools, torch_peers
from bench.gpu.cases import FULL, SMALL, Timed
from bench.gpu.lab import Device, Lab
from bench.gpu.record import INCOMPLETE, Bench, Clock, Part, Report, run_parts
from gradsim_core.cuda.interface import GpuError

PARTS = [
    Part("loading", 80, loading.loading),
    Part("bits", 40, bits.bits),
    Part("again", 8, bits.again),
    Part("timing", 65, timing.timing),
    Part("blocks", 17, blocks.blocks),
    Part("engine", 15, blocks.engine),
    Part("PyTorch", 30, torch_peers.torch_peers),
    Part("tools", 75, tools.tools),
]
REMEDY = "A folder with cuda-core>=1.2, cuda-bindings and cuda-pathfinder in PYTHONPATH serves as well."
_GRACE = 20  # seconds after which the process ends, whatever it waits for


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description="Check and measure the CUDA path.")
    parser.add_argument("--json", type=Path, default=Path("out/gpu.json"), help="every figure [%(default)s]")
    parser.add_argument("--seconds", type=float, default=330.0, help="of all parts together [%(default)s]")
    parser.add_argument("--only", default="", help="parts, several by commas")
    parser.add_argument("--small", action="store_true", help="compare a few networks with the CPU's, and no more")
    parser.add_argument("--warm", help="compile the kernels of one task, for the part loading")
    parser.add_argument("--probe", choices=("conditional", "explicit"), help="run one block, for a profiler")
    return parser.parse_args()


def probe(lab: Lab, method: str) -> None:
    """Run one block of a method's first job."""
    timed: Timed = next(each for each in FULL.timed if each.method == method)
    blocks.run_blocks(timed, [lab.stream()], 1)


def session(lab: Lab, options: argparse.Namespace, threads: ThreadPoolExecutor) -> int:
    """Run the parts that are wanted; returns the exit code."""
    report = Report(options.json)
    machine.machine(report)
    machine.gpu(report, lab)
    report.save()
    bench = Bench(lab, SMALL if options.small else FULL, report, Clock(options.seconds), threads)
    wanted = "bits" if options.small else options.only
    parts = [part for part in PARTS if not wanted or part.name in wanted.split(",")]
    run_parts(bench, parts, lambda words: print(words, flush=True))
    print(markdown.markdown(report), flush=True)
    return report.code


def without_gpu(error: Exception, options: argparse.Namespace) -> int:
    """Say and note what is missing."""
    reason = f"{type(error).__name__}: {error}"
    package = not isinstance(error, GpuError) or "cuda-core" in reason
    path = None if options.warm or options.probe else options.json  # the file is that of the process above
    report = Report(path, problems={"GPU": f"{reason} {REMEDY}" if package else reason})
    machine.machine(report)
    report.save()
    print(markdown.markdown(report))
    return report.code


def run(options: argparse.Namespace) -> int:
    """Do what the command line says; returns the exit code."""
    try:
        lab = Device()
    except Exception as error:  # an old package lacks what is called
        return without_gpu(error, options)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
        if options.warm:
            print("\n" + json.dumps(loading.warm(lab, FULL, options.warm, threads), default=str))
            return 0
        if options.probe:
            probe(lab, options.probe)
            return 0
        return session(lab, options, threads)


def main() -> int:
    """Run, but no longer than the time that is given; returns the exit code."""
    options = arguments()
    watchdog = threading.Timer(options.seconds + _GRACE, os._exit, (INCOMPLETE,))
    watchdog.daemon = True
    watchdog.start()
    try:
        return run(options)
    finally:
        watchdog.cancel()


if __name__ == "__main__":
    sys.exit(main())
