"""From blocks to disk: encoding and commit, whole runs, first result, peak memory."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys

import pytest

import gradsim as gs
from gradsim.dataset import codec, schema
from gradsim.dataset.dataset import Dataset
from gradsim.simulation.blocks import prepare
from gradsim.simulation.plan import plan
from gradsim_core.results.statistics import reduce

SWEEP = {"activation": "tanh", "sigma_w": [1.0, 1.5, 2.0, 2.5], "depth": 64, "width": 16, "seed": 1}


def sums_of(sweep, networks):
    """The sums of every cell, with fewer networks than the sweep: what is timed is the writing."""
    sums = {}
    for cell in sweep.cells():
        simulator, params = prepare(sweep, cell)
        sums[cell.cell_id] = reduce(simulator.block(params, 0, networks)[0])
    return sums


def test_parquet_encoding(benchmark):
    sums = sums_of(gs.Sweep(**SWEEP, networks=200), 200)

    def encode():
        return schema.encode([codec.layers_table(sums)]), schema.encode([codec.histograms_table(sums)])

    layers, histograms = benchmark(encode)
    rows = codec.layers_table(sums).num_rows
    benchmark.extra_info["bytes_per_layer_row"] = len(layers) / rows
    benchmark.extra_info["bytes_per_histogram_row"] = len(histograms) / codec.histograms_table(sums).num_rows


def test_commit_of_a_shard(benchmark, tmp_path):
    sweep = gs.Sweep(**SWEEP, networks=200)
    sums, shard = sums_of(sweep, 200), plan(sweep).shard(0)
    fresh = itertools.count()

    def setup():
        return (Dataset.create(tmp_path / str(next(fresh)), plan(sweep)),), {}

    benchmark.pedantic(
        lambda dataset: dataset.commit_shard(shard, sums), setup=setup, rounds=1 if benchmark.disabled else 20
    )


def test_whole_run(benchmark, tmp_path):
    """Sweep to committed dataset; extra_info has networks per second."""
    networks = 10 if benchmark.disabled else 1000
    sweep = gs.Sweep(activation="tanh", sigma_w=[1.0, 2.0], depth=32, width=64, networks=networks, seed=1)
    gs.simulate("tanh", 1.0, depth=2, width=4, networks=1)
    fresh = itertools.count()
    benchmark.pedantic(
        lambda: gs.run(sweep, tmp_path / str(next(fresh)), progress="none"), rounds=1 if benchmark.disabled else 3
    )
    if not benchmark.disabled:
        benchmark.extra_info["networks_per_second"] = 2 * networks / benchmark.stats.stats.median


FIRST = "import gradsim as gs; gs.simulate('tanh', 1.5, depth=4, width=8, networks=1, threads=1)"


@pytest.mark.parametrize("start", ["cold", "warm"])
def test_first_result(benchmark, tmp_path, start):
    """A new process to its first number, with an empty kernel cache (cold) or a filled one (warm)."""
    if benchmark.disabled and start == "cold":
        pytest.skip("the warm start shows that it works, in a tenth of the time")
    fresh = itertools.count()

    def first(cache):
        environment = os.environ | ({} if cache is None else {"GRADSIM_CACHE_DIR": str(cache)})
        subprocess.run([sys.executable, "-c", FIRST], env=environment, check=True)

    if benchmark.disabled:
        benchmark(first, None)
    elif start == "warm":
        first(tmp_path)
        benchmark.pedantic(first, (tmp_path,), rounds=5)
    else:
        benchmark.pedantic(lambda: first(tmp_path / str(next(fresh))), rounds=1)


MEMORY = """
import re, resource, sys, gradsim as gs
from pathlib import Path
networks = int(sys.argv[2]) // 2
sweep = gs.Sweep(activation="tanh", sigma_w=[1.0, 2.0], depth=8, width=8, networks=networks, seed=1)
gs.run(sweep, sys.argv[1], progress="none")
# ru_maxrss is inherited from the process that forked this one; VmHWM is not.
status = Path("/proc/self/status")
found = re.search(r"VmHWM:\\s*(\\d+)", status.read_text()) if status.exists() else None
print((int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1024)
"""


@pytest.mark.parametrize("networks", [10**5, 10**6])
def test_peak_memory(benchmark, tmp_path, networks):
    """MiB of a whole run in a process of its own: flat in the number of networks."""
    networks = networks // 100 if benchmark.disabled else networks
    command = [sys.executable, "-c", MEMORY, str(tmp_path / "run"), str(networks)]
    done = benchmark.pedantic(lambda: subprocess.run(command, capture_output=True, text=True, check=True), rounds=1)
    benchmark.extra_info["peak_MiB"] = float(done.stdout)
    assert float(done.stdout) < 1024
