"""Signals: a run stops within 2 s with exit code 75, a second signal at once; at most the shard under way is redone."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

import gradsim as gs
from gradsim.dataset.dataset import Dataset
from gradsim.dataset.verification import verify
from gradsim.errors import Interrupted
from tests.faults.amounts import quick_and_full

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")

SWEEP = gs.Sweep(
    activation=["tanh", "relu"],
    sigma_w=[1.0, 1.2, 1.4, 1.6, 1.8, 2.0],
    depth=[8, 16],
    width=64,
    networks=10_000,
    seed=3,
    shard_size=6 * 10**8,
)
"""About 12 G normals in 20 shards: some seconds of two cores."""


@pytest.fixture(scope="module")
def sweep(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("sweep") / "sweep.toml"
    path.write_text(SWEEP.to_toml())
    return path


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> str | None:
    return gs.run(SWEEP, tmp_path_factory.mktemp("clean") / "run", progress="none").verify().digest


def start(sweep: Path, out: Path, *options: str, **environment: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "gradsim", "run", str(sweep), "--out", str(out), "--no-plot", "--progress", "none"]
    return subprocess.Popen(
        [*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=os.environ | environment
    )


def stopped(process: subprocess.Popen, number: signal.Signals) -> tuple[int, float, str]:
    """Exit code, seconds until the end, and what was said."""
    begin = time.monotonic()
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    return process.returncode, time.monotonic() - begin, said


def wait_for_commits(out: Path, count: int) -> None:
    while not (out / "manifests").is_dir() or len(os.listdir(out / "manifests")) < count:
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_the_first_signal(sweep: Path, tmp_path: Path, number: signal.Signals) -> None:
    process = start(sweep, tmp_path / "run")
    wait_for_commits(tmp_path / "run", 1)
    code, seconds, said = stopped(process, number)
    assert code == 75
    assert seconds < 2
    assert re.search(
        rf"stopped with \d+ of {gs.open(tmp_path / 'run').dataset.plan.shard_count} shards committed", said
    )
    assert f"Resume with: gradsim run {sweep} --out {tmp_path / 'run'}" in said
    assert "Traceback" not in said


def test_a_run_on_dask(sweep: Path, tmp_path: Path) -> None:
    """The same, and none of Dask's processes is left."""
    pytest.importorskip("distributed")
    process = start(sweep, tmp_path / "run", "--engine", "dask-local:2")
    wait_for_commits(tmp_path / "run", 1)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 2
    code, seconds, said = stopped(process, signal.SIGTERM)
    assert (code, "Resume with" in said) == (75, True)
    assert seconds < 2
    assert not psutil.wait_procs(children, timeout=5)[1]


def test_a_second_signal(sweep: Path, tmp_path: Path) -> None:
    """The planted error too: a run that does not listen ends all the same."""
    hanging = (
        "import sys, time, gradsim.runs as runs; runs.run = lambda *a, **o: [time.sleep(0.1) for _ in range(600)];"
        "from gradsim.cli import main; main(sys.argv[1:])"
    )
    for second, code in ((True, 128 + signal.SIGTERM), (False, 75)):
        command = [sys.executable, "-c", hanging, "run", str(sweep), "--out", str(tmp_path / "run")]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        time.sleep(2)
        if second:
            process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
        found, seconds, said = stopped(process, signal.SIGTERM)
        assert found == code, said
        assert seconds < 2


PHASES = {"any": (0.0, 4.0), "import": (0.1, 0.9), "compile": (0.8, 3.0)}


@pytest.mark.parametrize("count", quick_and_full(5, 200))
def test_random_moments(sweep: Path, clean: str, tmp_path: Path, count: int) -> None:
    """SIGTERM at random moments of real runs, with kernels from the cache, and every fifth time to be compiled."""
    rng, seconds, redone = random.Random(9), [], []
    for i in range(count):
        out, cache = tmp_path / "run", tmp_path / "cache"
        compiling = i % 5 == 4
        process = start(sweep, out, **({"GRADSIM_CACHE_DIR": str(cache)} if compiling else {}))
        low, high = PHASES["compile" if compiling else "import" if i % 5 == 3 else "any"]
        time.sleep(rng.uniform(low, high))
        before = set(os.listdir(out / "manifests")) if (out / "manifests").is_dir() else set()
        code, took, said = stopped(process, signal.SIGTERM)
        assert code in (75, 0, -signal.SIGTERM), said  # Python itself is not up yet in the first moments
        assert "Traceback" not in said
        after = set(os.listdir(out / "manifests")) if (out / "manifests").is_dir() else set()
        assert before <= after
        if not compiling:
            seconds.append(took)
        redone.append(work_dropped(out))
        shutil.rmtree(cache, ignore_errors=True)
        if code == 0:
            assert verify(Dataset.open(out)).digest == clean
            shutil.rmtree(out)
    print(f"{count} signals: exit after {np.median(seconds):.2f} s, p99 {np.quantile(seconds, 0.99):.2f} s")
    assert np.quantile(seconds, 0.99) <= 2
    assert max(redone) <= 1
    out = tmp_path / "run"
    assert gs.run(SWEEP, out, progress="none").verify().digest == clean


def work_dropped(out: Path) -> int:
    """Shards that were begun and are to be computed again: those with tables and no manifest, or none."""
    if not (out / "manifests").is_dir():
        return 0
    named = {name.removesuffix(".json") for name in os.listdir(out / "manifests")}
    tables = {name[5:-8] for kind in ("layers", "histograms") for name in os.listdir(out / "data" / kind)}
    return len(tables - named)


def test_an_event_stops_a_run_in_python(tmp_path: Path) -> None:
    from threading import Event, Timer

    stop = Event()
    Timer(0.5, stop.set).start()
    begin = time.monotonic()
    with pytest.raises(Interrupted, match="resume"):
        gs.run(SWEEP.replace(networks=10**6), tmp_path / "run", progress="none", stop=stop)
    assert time.monotonic() - begin < 3


def test_ctrl_c_in_a_notebook_leaves_what_can_be_resumed(clean: str, tmp_path: Path) -> None:
    """There an interrupt is a KeyboardInterrupt in the middle of the call."""
    code = (
        "import signal, sys, gradsim as gs\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored where a shell runs this beside others
        "sweep = gs.Sweep.from_toml(sys.argv[1])\n"
        "try:\n    gs.run(sweep, sys.argv[2], progress='none')\n"
        "except gs.GradsimError as error:\n    print(type(error).__name__, error, flush=True)\n"
    )
    path = tmp_path / "sweep.toml"
    path.write_text(SWEEP.to_toml())
    command = [sys.executable, "-c", code, str(path), str(tmp_path / "run")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    wait_for_commits(tmp_path / "run", 2)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert said.startswith("Interrupted")
    assert not gs.open(tmp_path / "run").complete
    assert gs.run(SWEEP, tmp_path / "run", progress="none").verify().digest == clean
