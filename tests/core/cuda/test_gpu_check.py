"""The check for real GPUs (bench/gpu) on the stand-in for one: each part runs, and whatever differs is found."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from gradsim_core import jit

pytestmark = pytest.mark.skipif(jit.disabled(), reason="nothing is compiled")
if not jit.disabled():
    from bench.gpu import bits, blocks, loading, own, timing, torch_peers
    from bench.gpu.lab import Device
    from bench.gpu.markdown import markdown
    from bench.gpu.record import Part, run_parts
    from bench.gpu.recorder import Recorder
    from gradsim_core.cuda import driver
    from gradsim_core.cuda.simulator import GpuSimulator
    from tests.core.cuda import fake_cuda
    from tests.core.cuda.gpu_lab import CONDITIONAL, SIZES, OneBit, StandInLab, bench_of
    from tests.core.cuda.stand_in import StandIn
    from tests.core.cuda.test_kernels import assembler


def test_bits_and_run_to_run() -> None:
    bench = bench_of()
    bits.bits(bench)
    bits.again(bench)
    rows = bench.report.parts["bits"]["cases"]
    assert [(row["networks"], row["in_blocks_that_differ"]) for row in rows] == [(24, 0), (6, 0)]
    (found,) = bench.report.parts["again"].values()
    assert len(found) == 7
    assert len(set(found.values())) == 1
    assert (bench.report.code, bench.report.problems) == (0, {})


def test_one_bit_that_differs_is_told_in_detail(tmp_path) -> None:
    """It makes the exit code 1, names quantity, network and layer, and is in the file."""
    bench = bench_of(StandInLab(OneBit), SIZES._replace(bits=(CONDITIONAL,)), path=tmp_path / "out" / "gpu.json")
    run_parts(bench, [Part("bits", 1, bits.bits)], lambda words: None)
    assert bench.report.code == 1
    told = json.loads((tmp_path / "out" / "gpu.json").read_text())["differences"]
    assert [each["differ"] for each in told] == [1]
    assert told[0].keys() >= {"case", "array", "quantity", "network", "layer", "gpu", "cpu"}
    gpu, cpu = (int(told[0][who].split()[-1], 16) for who in ("gpu", "cpu"))
    assert gpu ^ cpu == 1
    assert "DIFFERENT" in markdown(bench.report)


def test_a_sum_that_differs() -> None:
    """Of the same values, which are compared before."""
    case = CONDITIONAL._replace(networks=16)
    bench = bench_of()
    found, expected = bits.on_gpu(case, StandIn(), 5, 16), bits.on_cpu(case, 5, 16, bench.threads)
    assert bits.difference(case, 5, found, expected) is None
    found.sums.total[1, 2] += 1
    told = bits.difference(case, 5, found, expected)
    assert told is not None
    assert (told["array"], told["differ"], told["place"]) == ("total", 1, (1, 2))
    nan = [np.array([0x7FF8000000000001 + i, 0], np.uint64).view(np.float64) for i in range(2)]
    assert bits.same(*nan)


def test_loading_and_timing(monkeypatch) -> None:
    """Kernels, the benchmark's own, variants, whole blocks; the network's sums are the same whatever the variant."""
    monkeypatch.setattr(blocks, "BLOCKS", 1)
    lab = StandInLab()
    bench = bench_of(lab)
    loading.loading(bench)
    timing.timing(bench)
    blocks.blocks(bench)
    report = bench.report
    assert (report.differences, report.problems) == ([], {})
    assert {"normals", "weights", "storing"} <= set(report.parts["loading"])
    assert any(".maxnreg 96" in text for text in lab.loaded)
    for timed in SIZES.timed:
        found = report.parts["timing"][str(timed)]["kernels"]
        assert {"fast", "finish", "sum", "count", "64 threads", "128 threads, at most 96 registers"} <= set(found)
        assert {f"{n} streams" for n in SIZES.streams} == set(report.parts["blocks"][str(timed)])
    assert "over the best peer" not in markdown(report)
    assert "| storing |" in markdown(report)


def test_a_variant_that_differs() -> None:
    """Of the networks' kernel: its sums and exponents are compared with those of the usual one."""
    timed, bench, recorder = SIZES.timed[0], bench_of(), Recorder(StandIn())
    machine, cell = timed.case().machine()
    GpuSimulator(machine).block(recorder, cell, 0, timed.networks)
    usual = recorder.named(runs_fast=True)["fast"]
    timing.check_variants(bench, timed, recorder, {"usual": usual.reshaped(64)})
    assert bench.report.differences == []
    wrong = usual._replace(text=usual.text.replace("sqrt.rn.f32", "neg.f32"))
    timing.check_variants(bench, timed, recorder, {"wrong": wrong})
    (told,) = bench.report.differences
    assert "wrong" in told["array"]


def test_own_kernels_add_up_random_numbers() -> None:
    """As many as networks have, with the variance that they should have."""
    for timed, name, numbers in ((SIZES.timed[0], "normals", 2 * 8 * 3), (SIZES.timed[1], "weights", 32 * 32 * 2)):
        recorder = Recorder(StandIn())
        own.launch(name, recorder, timed)
        sums = recorder.read(recorder.arrays[-1]).astype(float)
        networks = timed.networks if name == "normals" else timed.networks * 16
        variance = (sums**2).sum() / networks / (timed.job.scale**2 * numbers * (1 if name == "normals" else 1 / 16))
        assert 0.4 < variance < 2.0


@pytest.mark.skipif(jit.disabled() or assembler() is None, reason="NVIDIA's assembler is not there")
def test_limits_of_registers_are_understood(tmp_path) -> None:
    lab = StandInLab()
    loading.warm(lab, SIZES, "-".join(SIZES.timed[0].case().kind()), ThreadPoolExecutor(1))
    text = next(each for each in lab.loaded if ".maxnreg 96" in each)
    (tmp_path / "kernel.ptx").write_text(text)
    command = [assembler(), "-v", "-arch", "sm_90", "kernel.ptx", "-o", "kernel.cubin"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stderr
    assert int(re.search(r"Used (\d+) registers", said)[1]) <= 96


def test_whole_sweeps(monkeypatch) -> None:
    bench = bench_of()
    blocks.engine(bench)
    assert (bench.report.differences, bench.report.problems) == ([], {})
    found = bench.report.parts["engine"]["conditional"]
    assert len(set(found["digests"])) == 1
    assert found["networks"] == 128
    monkeypatch.setitem(sys.modules, "gradsim", None)
    blocks.engine(bench)
    assert "cannot be imported" in bench.report.parts["engine"]["left_out"]
    assert "left out" in markdown(bench.report)


def test_peers() -> None:
    pytest.importorskip("torch")
    bench = bench_of()
    torch_peers.torch_peers(bench)
    assert (bench.report.differences, bench.report.problems) == ([], {})
    (rows,) = bench.report.parts["PyTorch"].values()
    assert all(row["chunk"] in (4, 8) for row in rows.values())
    assert "PyTorch bmm by hand" in markdown(bench.report)


def test_the_device_itself(monkeypatch, tmp_path) -> None:
    """The driver's module between, on a stand-in for its package."""
    for each in (driver.core, driver._kernel):
        each.cache_clear()
    fake_cuda.install(monkeypatch)
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 1755\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    lab = Device()
    assert lab.clock(0.1) is None
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert lab.clock(0.1) == "1755"
    lab.in_processes = False
    bench = bench_of(lab, SIZES._replace(bits=(CONDITIONAL,), timed=()))
    loading.loading(bench)
    bits.bits(bench)
    for each in (driver.core, driver._kernel):
        each.cache_clear()
    assert (bench.report.code, bench.report.differences) == (0, [])
    (found,) = bench.report.parts["loading"].values()
    assert found["kernels"]["fast"]["registers"] == 80
