"""Runs on GPUs, by a stand-in for the driver: the CPU's digest, resumed across devices, and whatever can fail."""

from __future__ import annotations

import json
import math
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest

import gradsim as gs
from gradsim.engines import calibration
from gradsim.errors import DeviceError, DeviceLostError, Interrupted, SweepError
from gradsim.runs.slurm import Resources, script
from gradsim.simulation import devices
from gradsim_core import jit
from gradsim_core.cuda import driver, texts
from gradsim_core.cuda.interface import GpuError

pytestmark = pytest.mark.skipif(jit.disabled(), reason="nothing is compiled")
if not jit.disabled():
    from tests.core.cuda.stand_in import FACTS, StandIn

CELLS = {"activation": "relu", "sigma_w": [1.4, 1e20], "sigma_b": 0.1, "depth": 3, "width": 8, "networks": 40}
SWEEP = gs.Sweep(**CELLS, seed=1, method="conditional", shard_size=2000)
LISTED = gs.Sweep(**CELLS, seed=1, method="explicit", law="orthogonal", record="networks")


class Driver:
    """Two GPUs. The launch with the number `fail_at` fails; `on_use` is called before each block."""

    def __init__(self, memory: int = FACTS.memory) -> None:
        self.facts = [FACTS._replace(number=i, memory=memory) for i in range(2)]
        self.launches, self.fail_at, self.on_use = 0, 0, lambda: None

    def open_stream(self, number: int, share: float) -> StandIn:
        stream, launch = (
            StandIn(self.facts[number]._replace(memory=int(share * self.facts[number].memory))),
            StandIn.launch,
        )

        def counted(*arguments):
            self.launches += 1
            if self.launches == self.fail_at:
                raise GpuError("lost", "The GPU has failed.")
            launch(stream, *arguments)

        stream.launch, stream.activate = counted, self.on_use
        return stream


@pytest.fixture
def gpus(monkeypatch):
    """Install a driver; returns the function that does."""

    def install(made: Driver) -> Driver:
        devices._opened.cache_clear()
        monkeypatch.setattr(driver, "gpus", lambda: made.facts)
        monkeypatch.setattr(driver, "driver_version", lambda: "13.0")
        monkeypatch.setattr(driver, "open_stream", made.open_stream)
        return made

    yield install
    devices._opened.cache_clear()


def digest(run) -> str:
    found = run.verify()
    assert not found.problems
    return found.digest


def devices_of(path) -> set[str]:
    return {json.loads(file.read_bytes())["environment"]["device"] for file in (path / "manifests").iterdir()}


@pytest.fixture(scope="module")
def expected(tmp_path_factory) -> str:
    return digest(gs.run(SWEEP, tmp_path_factory.mktemp("cpu") / "run", progress="none"))


def test_a_schedule_without_a_route_runs_on_the_cpu(gpus, tmp_path, expected, monkeypatch) -> None:
    made = gpus(Driver())
    monkeypatch.delitem(texts.ROUTES, "conditional")
    run = gs.run(SWEEP, tmp_path / "run", device="cuda", progress="none")
    assert made.launches == 0
    assert digest(run) == expected


def test_the_same_digest(gpus, tmp_path, expected) -> None:
    made = gpus(Driver())
    run = gs.run(SWEEP, tmp_path / "run", device="cuda", progress="none")
    assert made.launches
    assert digest(run) == expected
    assert devices_of(run.path) == {"cuda:0 (stand-in), cuda:1 (stand-in)"}
    assert run.computed == 80


def test_begun_on_one_and_resumed_on_the_other(gpus, tmp_path, expected) -> None:
    gpus(Driver())
    for first, second in (("cuda:1", "cpu"), ("cpu", "cuda:0")):
        out = tmp_path / first
        gs.run(SWEEP, out, device=first, shard="1/2", progress="none")
        run = gs.run(SWEEP, out, device=second, progress="none")
        assert digest(run) == expected
        assert len(devices_of(out)) == 2
    compacted = run.compact(tmp_path / "compacted")
    assert digest(compacted) == expected
    assert devices_of(compacted.path) == {"cpu, cuda:0 (stand-in)"}


def test_what_gpus_cannot_do_the_processor_does(gpus, tmp_path) -> None:
    made = gpus(Driver())
    run = gs.run(LISTED, tmp_path / "gpu", device="cuda", progress="none")
    assert digest(run) == digest(gs.run(LISTED, tmp_path / "cpu", progress="none"))
    assert not made.launches


def test_simulate(gpus) -> None:
    gpus(Driver())
    cell = {"activation": "relu", "sigma_w": 1.4, "sigma_b": 0.1, "depth": 3, "width": 8, "networks": 21}
    cell |= {"method": "conditional"}
    for a, b in zip(gs.simulate(**cell), gs.simulate(**cell, device="cuda:1"), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("at", [1, 6])
def test_a_gpu_that_fails(gpus, tmp_path, expected, at) -> None:
    """What is committed stays, and the run goes on on the CPU."""
    made = gpus(Driver())
    made.fail_at = at
    with pytest.raises(DeviceLostError, match=r"run: The GPU has failed. Finished shards are kept: .* --device cpu"):
        gs.run(SWEEP, tmp_path / "run", device="cuda:0", progress="none")
    assert not gs.open(tmp_path / "run").verify().problems
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("gradsim-shard")]
    assert digest(gs.run(SWEEP, tmp_path / "run", progress="none")) == expected


def test_one_set_of_streams(gpus) -> None:
    """Threads that ask first at the same time, and names of the same GPUs, get the same: the memory is given once."""
    gpus(Driver())
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(devices.Gpus.of, ["cuda", "cuda:0,1", "cuda", "cuda:0,1"]))
    assert len(found) == 1
    assert 0.2 * FACTS.memory < found.pop().memory < 0.25 * FACTS.memory


def test_memory_that_is_too_small(gpus, tmp_path, expected) -> None:
    gpus(Driver(memory=2**14))
    with pytest.raises(DeviceError, match="memory is full"):
        gs.run(SWEEP, tmp_path / "run", device="cuda", progress="none")
    assert digest(gs.run(SWEEP, tmp_path / "run", progress="none")) == expected


def test_a_stop(gpus, tmp_path, expected) -> None:
    made, stop = gpus(Driver()), Event()
    made.on_use = stop.set
    with pytest.raises(Interrupted):
        gs.run(SWEEP, tmp_path / "run", device="cuda:0", progress="none", stop=stop)
    run = gs.run(SWEEP, tmp_path / "run", progress="none")
    assert digest(run) == expected


def test_what_is_refused(gpus, tmp_path) -> None:
    gpus(Driver())
    for device in ("gpu", "cuda:", "cuda:a", "cuda:0,", "cuda:-1", "", 0, None):
        with pytest.raises(SweepError, match="device"):
            gs.run(SWEEP, tmp_path / "run", device=device)
    with pytest.raises(SweepError, match=r"GPUs that are there: 0 \(stand-in\), 1 \(stand-in\)"):
        gs.run(SWEEP, tmp_path / "run", device="cuda:2")
    with pytest.raises(SweepError, match="One process drives all GPUs"):
        gs.run(SWEEP, tmp_path / "run", device="cuda", engine="dask-local:2")
    assert not (tmp_path / "run").exists()


def test_the_command_line(gpus, tmp_path, call, monkeypatch) -> None:
    made = gpus(Driver())
    monkeypatch.setattr(calibration, "_NORMALS_ON_GPU", 1e4)
    assert "cuda:1        stand-in, compute capability 9.0, 0 GiB" in call("info")[1]
    (tmp_path / "sweep.toml").write_text(SWEEP.to_toml())
    options = ("--device", "cuda:0", "--out", tmp_path / "run")
    code, out, _ = call("run", tmp_path / "sweep.toml", *options, "--dry-run")
    assert code == 0
    assert "on cuda:0 (stand-in) (from a measurement of 1 s)" in out
    pool = ("--engine", "dask://10.0.0.1:8786", "--device", "cuda", "--out", tmp_path / "run", "--dry-run")
    made.fail_at = made.launches + 1
    assert "on 2 threads (from" in call("run", tmp_path / "sweep.toml", *pool, "--threads", "2")[1]
    made.fail_at = 0
    assert call("warmup", tmp_path / "sweep.toml", "--device", "cuda")[0] == 0


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        (ImportError("No module named 'cuda'"), "The package cuda-core is needed .* pip install 'gradsim\\[cuda\\]'"),
        (type("DynamicLibNotFoundError", (Exception,), {})("cuda"), "no NVIDIA driver on this machine"),
        (RuntimeError("CUDA_ERROR_NO_DEVICE: no CUDA-capable device"), "finds no GPU .* CUDA_VISIBLE_DEVICES"),
        (RuntimeError("CUDA_ERROR_UNSUPPORTED_PTX_VERSION: x"), "Update it: CUDA 12 or later"),
    ],
)
def test_what_is_missing_is_told(missing, words, monkeypatch, tmp_path, call) -> None:
    """Without the package, the driver or a GPU: before anything is written."""

    def absent():
        if isinstance(missing, ImportError):
            raise GpuError("missing", f"The package cuda-core is needed for GPUs ({missing}). {driver.INSTALL}.")
        raise GpuError(*driver.in_words(missing))

    devices._opened.cache_clear()
    monkeypatch.setattr(driver, "gpus", absent)
    with pytest.raises(DeviceError, match=words):
        gs.run(SWEEP, tmp_path / "run", device="cuda")
    assert not (tmp_path / "run").exists()
    assert "GPU           none. " in call("info")[1]


def test_slurm(call) -> None:
    memory = [
        int(re.search(r"--mem=(\d+)M", call("submit", "slurm", "phase-tanh", "--array", "2", *gpus)[1])[1])
        for gpus in (("--gpus", "1"), ("--gpus", "2"))
    ]
    assert memory[1] - memory[0] == 10 * 2**10  # 8 GiB and a quarter
    text = script("phase-tanh", "out", Resources(array=4, gpus=2))
    assert "#SBATCH --gpus=2\n" in text
    assert text.count("--device cuda") == 2  # to warm up, and to run
    assert "--gpus" not in script("phase-tanh", "out", Resources(array=4))
    with pytest.raises(SweepError, match="gpus"):
        Resources(array=4, gpus=0)


def test_workers_use_their_own_gpus(gpus, tmp_path, expected) -> None:
    """Any engine passes the device on; this process does not look for GPUs then."""
    made = gpus(Driver())
    with ThreadPoolExecutor(2) as pool:
        run = gs.run(SWEEP, tmp_path / "run", engine=pool, device="cuda:1", progress="none")
    assert made.launches
    assert digest(run) == expected
    assert devices_of(run.path) == {"cuda:1 (stand-in)"}


def test_an_own_activation(gpus, tmp_path) -> None:
    """The CPU's digest where it calls no libm; what GPUs do not have is refused before anything is written."""
    gpus(Driver())
    words = {"sigma_w": 1.4, "depth": 3, "width": 8, "networks": 16, "method": "conditional", "seed": 1}
    own = gs.Activation("own", lambda h: h / (1.0 + abs(h)), lambda h: 1.0 / (1.0 + abs(h)) ** 2)
    runs = [
        gs.run(gs.Sweep(activation=[own], **words), tmp_path / device, device=device, progress="none")
        for device in ("cpu", "cuda")
    ]
    assert digest(runs[0]) == digest(runs[1])
    gamma = gs.Activation("gamma", lambda h: math.gamma(3.0 + math.tanh(h)))
    with ThreadPoolExecutor(1) as pool:
        for engine in ("local", pool):
            with pytest.raises(SweepError, match=r"'math.gamma' .* on GPUs"):
                gs.run(gs.Sweep(activation=[gamma], **words), tmp_path / "gamma", device="cuda", engine=engine)
    assert not (tmp_path / "gamma").exists()
