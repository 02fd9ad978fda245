"""System calls that fail at random, from outside the process: whatever the run answers, nothing is lost or doubled."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import gradsim as gs
from tests.faults.amounts import quick_and_full
from tests.gradsim.small_dataset import SWEEP

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or not (shutil.which("cc") and os.path.exists("/proc/self/fd")),
    reason="needs Linux and a C compiler",
)

CODES = {
    0: "done",
    2: "the output directory cannot be",
    5: "finished shards are kept",
}
"""Exit codes of a run on a faulty disk, and what its message says."""


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("library") / "faulty_disk.so"
    source = Path(__file__).with_name("faulty_disk.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", path, source, "-ldl"], check=True)
    return path


@pytest.fixture(scope="module")
def sweep(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("sweep") / "sweep.toml"
    path.write_text(SWEEP.to_toml())
    return path


def faulty_run(library: Path, sweep: Path, out: Path, seed: int, log: Path) -> subprocess.CompletedProcess:
    faults = {"LD_PRELOAD": library, "FAULT_ROOT": out, "FAULT_RATE": 60, "FAULT_SEED": seed, "FAULT_LOG": log}
    return subprocess.run(
        [sys.executable, "-m", "gradsim", "run", sweep, "--out", out, "--no-plot", "--progress", "none"],
        env=os.environ | {name: str(value) for name, value in faults.items()}, capture_output=True, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("rounds", quick_and_full(1, 200))
def test_random_faults_of_the_system(library: Path, sweep: Path, tmp_path: Path, rounds: int) -> None:
    """Up to three runs on a faulty disk go on from each other, then one on a sound disk ends the dataset."""
    expected = gs.run(SWEEP, tmp_path / "clean", progress="none").verify().digest
    faults: Counter[str] = Counter()
    codes: Counter[int] = Counter()
    for number in range(rounds):
        out, log = tmp_path / f"run{number}", tmp_path / f"faults{number}"
        for attempt in range(3):
            done = faulty_run(library, sweep, out, 3 * number + attempt, log)
            codes[done.returncode] += 1
            assert "Traceback" not in done.stderr, (number, attempt, done.stderr)
            assert done.returncode in CODES, (number, attempt, done.stderr)
            if done.returncode:
                assert CODES[done.returncode] in done.stderr, (number, attempt, done.stderr)
            else:
                break
        assert gs.run(SWEEP, out, progress="none").verify().digest == expected, number
        faults.update(log.read_text().splitlines() if log.exists() else [])
        shutil.rmtree(out)
    print(rounds, "rounds, exit codes", dict(codes), "faults", dict(faults))
    assert sum(faults.values()) > rounds
    assert codes[5] > rounds / 4
