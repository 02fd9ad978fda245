"""Signals: a run stops within 2 s with exit code 75, a second signal at once; at most the shard under way is redone.

The 2 s are promised on a machine with processors to spare, and measured by `make faults`, with nothing beside it. The
quick suite may share its processors with anything: there a stop only has to come.
"""

from __future__ import annotations

import json
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
from tests.faults.moments import PATIENCE, announcing, stop_after_commits, wait_for_commits, wait_until, wait_until_gone

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


STOP_SECONDS = quick_and_full(60, 2)


def start(sweep: Path, out: Path, *options: str, **environment: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "gradsim", "run", str(sweep), "--out", str(out), "--no-plot", "--progress", "none"]
    return subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | environment
    )


def stopped(process: subprocess.Popen, number: signal.Signals) -> tuple[int, float, str]:
    """Exit code, seconds until the end, and what was said."""
    begin = time.monotonic()
    process.send_signal(number)
    _, said = process.communicate(timeout=PATIENCE)
    return process.returncode, time.monotonic() - begin, said


@pytest.mark.parametrize("most", STOP_SECONDS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_the_first_signal(sweep: Path, tmp_path: Path, number: signal.Signals, most: float) -> None:
    process = start(sweep, tmp_path / "run")
    wait_for_commits(tmp_path / "run", 1, process)
    code, seconds, said = stopped(process, number)
    assert code == 75
    assert seconds < most
    assert re.search(
        rf"stopped with \d+ of {gs.open(tmp_path / 'run').dataset.plan.shard_count} shards committed", said
    )
    assert f"Resume with: gradsim run {sweep} --out {tmp_path / 'run'}" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("most", STOP_SECONDS)
def test_a_run_on_dask(sweep: Path, tmp_path: Path, most: float) -> None:
    """The same, and none of Dask's processes is left."""
    pytest.importorskip("distributed")
    process = start(sweep, tmp_path / "run", "--engine", "dask-local:2")
    wait_for_commits(tmp_path / "run", 1, process)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 2
    code, seconds, said = stopped(process, signal.SIGTERM)
    assert (code, "Resume with" in said) == (75, True)
    assert seconds < most
    wait_until_gone(children)


# In the order in which a run imports them; before the first there is Python's own start and some milliseconds.
MODULES = [
    "gradsim.cli.commands", "click.core", "gradsim.cli.run", "gradsim.runs", "numpy", "pandas", "pyarrow",
    "scipy.special", "gradsim.engines.local", "gradsim_core.simulator", "numba",
]  # fmt: skip
SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1]
IMPORTS = [
    pytest.param(signal.SIGTERM, MODULES[::3], 60, id="quick"),
    pytest.param(signal.SIGINT, MODULES[:1], 60, id="quick-interrupt"),
    *(pytest.param(number, MODULES, 2, id=f"full-{number}", marks=pytest.mark.faults) for number in SIGNALS),
]


@pytest.mark.parametrize(("number", "modules", "most"), IMPORTS)
def test_while_it_imports(sweep: Path, tmp_path: Path, number: signal.Signals, modules: list[str], most: float) -> None:
    """The import is seen and held up there: no import has to end for the program to stop."""
    for module in modules:
        folder = tmp_path / module
        folder.mkdir()
        as_json = ("--log-format", "json") if number == signal.SIGTERM else ()
        process = start(sweep, folder / "run", *as_json, **announcing(folder, module, held=True))
        assert process.stdout.readline() == "importing\n", module
        code, seconds, said = stopped(process, number)
        assert (code, seconds < most) == (75, True), (module, said)
        if as_json:
            event = json.loads(said.splitlines()[-1])  # "start" may come before
            assert (event["event"], event["kind"]) == ("error", "Interrupted")
            said = "gradsim: " + event["text"]
        words = " ".join(
            ["gradsim run", str(sweep), "--out", str(folder / "run"), "--no-plot --progress none", *as_json]
        )
        if module == "numba":  # imported while the run computes, which stops by itself
            assert said.startswith(f"gradsim: {folder / 'run'}: stopped with 0 of 20 shards committed.")
            assert as_json or f"Resume with: {words}" in said
        else:
            assert said.strip() == f"gradsim: stopped. Resume with: {words}"


@pytest.mark.parametrize("most", STOP_SECONDS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_lessons(tmp_path: Path, number: signal.Signals, most: float) -> None:
    """They stop at once, while they import, compile or train, and say how to go on; what was done is kept."""
    pytest.importorskip("matplotlib")
    words = ["lesson", "training-speeds", "--out", str(tmp_path / "out"), "--progress", "none"]
    process = subprocess.Popen(
        [sys.executable, "-m", "gradsim", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_until(lambda: psutil.Process(process.pid).cpu_times().user > 5, process)
    code, seconds, said = stopped(process, number)
    assert (code, said) == (75, f"\ngradsim: stopped. Resume with: gradsim {' '.join(words)}\n")
    assert seconds < most
    assert not list(tmp_path.rglob("*.html"))


def test_other_commands(tmp_path: Path) -> None:
    """They end at once, and have nothing to resume."""
    for number in (signal.SIGTERM, signal.SIGINT):
        process = subprocess.Popen(
            [sys.executable, "-m", "gradsim", "theory", "tanh"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | announcing(tmp_path, "numpy", held=True),
        )
        assert process.stdout.readline() == "importing\n"
        code, _, said = stopped(process, number)
        assert (code, said) == (75, "\ngradsim: stopped.\n")


@pytest.mark.parametrize("redirection", ["", "2>&-"])
def test_standard_error_is_closed_or_the_directory_is_no_text(sweep: Path, tmp_path: Path, redirection: str) -> None:
    """The exit code stays 75, and what is said can be given to a shell."""
    out = os.fsencode(tmp_path) + b"/\xff\x1b"
    command = [sys.executable, "-m", "gradsim", "run", str(sweep), "--out", out]
    process = subprocess.Popen(
        ["bash", "-c", f'exec "$@" {redirection}', "bash", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | announcing(tmp_path, "numpy", held=True),
    )
    assert process.stdout.readline() == "importing\n"
    code, _, said = stopped(process, signal.SIGTERM)
    assert code == 75
    word = f"$'{tmp_path}/\\xff\\x1b'"
    assert said == ("" if redirection else f"\ngradsim: stopped. Resume with: gradsim run {sweep} --out {word}\n")


# A planted error: a run that does not listen, and says what it sees.
HANGING = """
import sys, time
import gradsim.runs as runs
from gradsim.cli import main

def hang(*arguments, stop, **options):
    print("runs", flush=True)
    while not stop.is_set():  # not wait: a signal in the midst of it waits for its lock
        time.sleep(0.001)
    print("told", flush=True)
    while True:
        time.sleep(0.1)

runs.run = hang
main(sys.argv[1:])
"""


@pytest.mark.parametrize("most", STOP_SECONDS)
@pytest.mark.parametrize("again", [True, False])
def test_a_second_signal(sweep: Path, tmp_path: Path, again: bool, most: float) -> None:
    """A run that does not listen ends all the same: by itself after 1.5 s, at once when told again."""
    command = [sys.executable, "-c", HANGING, "run", str(sweep), "--out", str(tmp_path / "run")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "runs\n"
    if again:
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "told\n"
    code, seconds, said = stopped(process, signal.SIGTERM)
    words = {75: "stopped. Resume with", 128 + signal.SIGTERM: "stopped at once"}
    assert code in words
    assert words[code] in said
    # The second one may come later than 1.5 s where this machine is busy; the strict form says which it has to be.
    assert code == (128 + signal.SIGTERM if again else 75) or (again and most > 2)
    assert seconds < most


@pytest.mark.parametrize(
    ("count", "most"), [pytest.param(5, 60, id="quick"), pytest.param(200, 2, id="full", marks=pytest.mark.faults)]
)
def test_random_moments(sweep: Path, clean: str, tmp_path: Path, count: int, most: float) -> None:
    """SIGTERM at random moments of real runs, with kernels from the cache, and every fifth time to be compiled."""
    rng, seconds, redone = random.Random(9), [], []
    for i in range(count):
        out, cache = tmp_path / "run", tmp_path / "cache"
        compiling = i % 5 == 4
        changes = {"GRADSIM_CACHE_DIR": str(cache)} if compiling else {}
        first = {4: "numba", 3: rng.choice(MODULES)}.get(i % 5, MODULES[0])
        process = start(sweep, out, **announcing(tmp_path, first), **changes)
        assert process.stdout.readline() == "importing\n"
        time.sleep(rng.uniform(0, 0.1 if i % 5 == 3 else 4.0))  # any moment will do
        before = manifests(out)
        code, took, said = stopped(process, signal.SIGTERM)
        assert code in (75, 0), said
        assert "Traceback" not in said
        assert before <= manifests(out)
        if not compiling:
            seconds.append(took)
        redone.append(work_dropped(out))
        shutil.rmtree(cache, ignore_errors=True)
        if code == 0:
            assert verify(Dataset.open(out)).digest == clean
            shutil.rmtree(out)
    print(f"{count} signals: exit after {np.median(seconds):.2f} s, p99 {np.quantile(seconds, 0.99):.2f} s")
    assert np.quantile(seconds, 0.99) <= most
    assert max(redone) <= 1
    out = tmp_path / "run"
    assert gs.run(SWEEP, out, progress="none").verify().digest == clean


def manifests(out: Path) -> set[str]:
    return set(os.listdir(out / "manifests")) if (out / "manifests").is_dir() else set()


def work_dropped(out: Path) -> int:
    """Shards that were begun and are to be computed again: those with tables and no manifest, or none."""
    if not (out / "manifests").is_dir():
        return 0
    named = {name.removesuffix(".json") for name in os.listdir(out / "manifests")}
    tables = {name[5:-8] for kind in ("layers", "histograms") for name in os.listdir(out / "data" / kind)}
    return len(tables - named)


@pytest.mark.parametrize("most", STOP_SECONDS)
def test_an_event_stops_a_run_in_python(tmp_path: Path, most: float) -> None:
    stop, moments = stop_after_commits(tmp_path / "run")
    with pytest.raises(Interrupted, match="resume"):
        gs.run(SWEEP.replace(networks=10**6), tmp_path / "run", progress="none", stop=stop)
    assert time.monotonic() - moments[0] < most


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
    wait_for_commits(tmp_path / "run", 2, process)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=PATIENCE)
    assert said.startswith("Interrupted")
    assert not gs.open(tmp_path / "run").complete
    assert gs.run(SWEEP, tmp_path / "run", progress="none").verify().digest == clean
