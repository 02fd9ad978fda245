"""gradsim beside PyTorch, JAX and NumPy on the same job, in one run: `python -m bench.compare_peers --help`.

Every peer that is installed is tuned first (networks at a time; one process with all threads, or a single-threaded
process on each core), but for PyTorch's loop as most people write it, which is run as it stands. All are checked to
compute what gradsim computes, and measured in rounds, all contenders in turn.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from bench.peers import PEERS, Job
from bench.workers import Setup, Workers, installed

CHUNKS = (1, 4, 16, 64, 256)
OWN_CHUNKS = {
    "gradsim explicit": 2**26, "weights only": 2**26, "gradsim conditional": 2**24, "normals only": 2**24,
}  # fmt: skip
AS_WRITTEN, LOOP = "PyTorch as users write it", "PyTorch loop, a process a core"


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", default="64x32,256x64", help="width x depth, several by commas [%(default)s]")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of all contenders [%(default)s]")
    parser.add_argument("--seconds", type=float, default=3.0, help="of one measurement [%(default)s]")
    parser.add_argument("--only", default="", help="contenders whose name contains this")
    parser.add_argument("--json", type=Path, help="write every figure there")
    parser.add_argument("--plot", type=Path, help="draw a bar chart there")
    return parser.parse_args()


def own_chunk(name: str, job: Job) -> int:
    """Networks of a block: about 0.1 s of a core."""
    normals = job.depth * (job.width**2 if OWN_CHUNKS[name] == 2**26 else 2 * job.width)
    return max(16, OWN_CHUNKS[name] // normals // 16 * 16)


def tune(name: str, job: Job, workers: dict[tuple[int, int], Workers], seconds: float) -> Setup:
    """The fastest way to run a contender."""
    cores = len(os.sched_getaffinity(0))
    if name not in PEERS:
        return Setup(name, own_chunk(name, job), 1, cores)
    if name == AS_WRITTEN:
        return Setup(name, 1, 1, cores)
    best, fastest = Setup(name, 1, 1, cores), 0.0
    for processes, threads in workers:
        slower = 0
        for chunk in CHUNKS:
            if chunk * job.depth * job.width**2 * 4 > 2**30 or slower > 1 or (name == LOOP and chunk > 1):
                break
            rate, _ = workers[processes, threads].measure(name, chunk, job, seconds)
            slower = slower + 1 if rate < fastest else 0
            if rate > fastest:
                best, fastest = Setup(name, chunk, processes, threads), rate
    return best


def machine() -> dict[str, str]:
    """Processor, cores and versions."""
    found = {"cores": str(len(os.sched_getaffinity(0))), "python": platform.python_version()}
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        found["processor"] = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
        flags = next(line for line in lines if line.startswith("flags")).split()
        found["vectors"] = "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else "SSE"
    except (OSError, StopIteration):
        found["processor"] = platform.processor()
    for name in ("gradsim", "numpy", "numba", "torch", "jax"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def check(job: Job, gains: dict[str, np.ndarray]) -> None:
    """Every peer has gradsim's mean of ln of the gain, within 6 standard errors."""
    ours = gains["gradsim explicit"]
    for name, theirs in gains.items():
        if name.endswith("only") or len(theirs) < 30:
            continue
        error = np.hypot(ours.std() / len(ours) ** 0.5, theirs.std() / len(theirs) ** 0.5)
        z = (theirs.mean() - ours.mean()) / error
        if not abs(z) < 6:
            sys.exit(f"{name} computes something else at {job}: mean {theirs.mean():.4f}, ours {ours.mean():.4f}")


def measure(job: Job, names: list[str], workers: dict[tuple[int, int], Workers], options: argparse.Namespace):  # type: ignore[no-untyped-def]
    """Rates (rounds,) of every contender, and its set-up."""
    setups = {}
    for name in names:
        setups[name] = tune(name, job, workers, min(0.5, options.seconds))
        print(f"  {name:30s} {setups[name]}", flush=True)
    rates: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(options.rounds):
        gains = {}
        for name, setup in setups.items():
            pool = workers[setup.processes, setup.threads]
            rate, gains[name] = pool.measure(name, setup.chunk, job, options.seconds)
            rates[name].append(rate)
        if "gradsim explicit" in gains:
            check(job, gains)
    return rates, setups


def ratios(rates: dict[str, list[float]]) -> list[tuple[str, list[float]]]:
    """The figures that matter, one of every round."""
    array = {name: np.array(values) for name, values in rates.items()}
    peers = [array[name] for name in PEERS if name in array]
    rows = []
    for method, limit in (("explicit", "weights only"), ("conditional", "normals only")):
        own = array.get(f"gradsim {method}")
        if own is not None and peers:
            best = max(peers, key=np.median)
            rows.append((f"{method} over the best peer", list(own / best)))
        if own is not None and AS_WRITTEN in array:
            rows.append((f"{method} over {AS_WRITTEN}", list(own / array[AS_WRITTEN])))
        if own is not None and limit in array:
            rows.append((f"time of {method} over {limit}", list(array[limit] / own)))
    return rows


def table(job: Job, rates: dict[str, list[float]], setups: dict[str, Setup]) -> str:
    """Markdown: networks per second, then ratios, medians with the least and the most."""
    lines = [f"\n| N = {job.width}, L = {job.depth} | networks/s | least - most | run as |", "|---|---:|---:|---|"]
    for name, values in sorted(rates.items(), key=lambda entry: -np.median(entry[1])):
        spread = f"{min(values):,.0f} - {max(values):,.0f}"
        lines.append(f"| {name} | {np.median(values):,.0f} | {spread} | {setups[name]} |")
    lines += ["", "| ratio | median | least - most |", "|---|---:|---:|"]
    for what, values in ratios(rates):
        lines.append(f"| {what} | {np.median(values):.2f} | {min(values):.2f} - {max(values):.2f} |")
    return "\n".join(lines)


def draw(results: dict[Job, dict[str, list[float]]], title: str, path: Path) -> None:
    """Networks per second as bars, on a log axis; the title says on which processor."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 0.8 + 2.6 * len(results)), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=10)
    for axes, (job, rates) in zip(figure.subplots(len(results), squeeze=False)[:, 0], results.items(), strict=True):
        shown = sorted((float(np.median(v)), name) for name, v in rates.items() if not name.endswith("only"))
        colours = ["#c0392b" if name.startswith("gradsim") else "#7f8c8d" for _, name in shown]
        bars = axes.barh([name for _, name in shown], [rate for rate, _ in shown], color=colours)
        axes.bar_label(bars, [f" {rate:,.0f}" for rate, _ in shown], fontsize=9)
        axes.set(xscale="log", xlabel="networks per second", title=f"width {job.width}, depth {job.depth}")
        axes.set_xlim(shown[0][0] / 2, shown[-1][0] * 5)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=130)


def main() -> None:
    """Run, print, and write what was asked for."""
    options, cores = arguments(), len(os.sched_getaffinity(0))
    facts = machine()
    print(", ".join(f"{name} {value}" for name, value in facts.items()))
    names = [*OWN_CHUNKS, *PEERS]
    names = [name for name in names if options.only.lower() in name.lower()]
    for name in [name for name in names if not installed(name)]:
        print(f"skipped: {name}, whose library is not installed (pip install 'gradsim[bench]')")
        names.remove(name)
    workers = {shape: Workers(*shape) for shape in sorted({(1, cores), (cores, 1)})}
    results, setups = {}, {}
    try:
        for job in (Job(*map(int, words.split("x"))) for words in options.jobs.split(",")):
            print(f"\nN = {job.width}, L = {job.depth}: tuning, then {options.rounds} rounds", flush=True)
            results[job], setups[job] = measure(job, names, workers, options)
            print(table(job, results[job], setups[job]), flush=True)
    finally:
        for pool in workers.values():
            pool.stop()
    if options.json:
        figures = [{"job": job._asdict(), "rates": rates} for job, rates in results.items()]
        options.json.write_text(json.dumps({"machine": facts, "results": figures}, indent=1) + "\n")
    if options.plot:
        draw(results, f"{cores} cores of {facts['processor']}", options.plot)


if __name__ == "__main__":
    main()
