"""Whole networks: the PTX of each kernel, run by the interpreter, gives the CPU's sums and exponents in every bit."""

from __future__ import annotations

import itertools
import random
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from gradsim_core import jit
from gradsim_core.activations import ACTIVATIONS
from gradsim_core.laws import LAWS
from tests.core.conftest import Cell
from tests.core.cuda.test_leaves import SLOPPY

pytestmark = pytest.mark.skipif(jit.disabled(), reason="nothing is compiled")
if not jit.disabled():
    from tests.core.cuda.kernels import Case, complete, fast, finished, finished_on_cpu, on_cpu, same_bits
    from tests.core.cuda.precision import check_float64

# Kind of kernel, schedule, activation, law, precision; width, depth, sigma_w, sigma_b; first network.
QUICK = [
    ("fast", "conditional", "tanh", "gaussian", "float32", (13, 6, 1.5, 0.3), 160),
    ("fast", "explicit", "relu", "gaussian", "float32", (29, 6, 3.0, 0.3), 10),
    pytest.param(("fast", "conditional", "relu", "gaussian", "float32", (3, 8, 1.4, 0.0), 0), marks=pytest.mark.verify),
    pytest.param(("fast", "explicit", "tanh", "sparse(0.3)", "float32", (8, 4, 1.2, 0.0), 0), marks=pytest.mark.verify),
    pytest.param(("whole", "narrow", "relu", "gaussian", "float32", (5, 5, 1e8, 0.0), 32), marks=pytest.mark.verify),
]
MOST_REGISTERS = 128
SIZES = [2, 3, 4, 5, 8, 13, 16, 17, 31, 64]
AXES = {
    "activation": list(ACTIVATIONS),
    "law": ["gaussian", "uniform", "truncated_normal", "rademacher", "sparse(0.4)"],
    "dtype": ["float32", "float64"],
    "sigma_b": [0.0, 0.3],
    "width": SIZES,
    "sigma_w": [1e-12, 1e-3, 0.7, 1.5, 30.0, 1e8],
}


EVERY = 3  # of the combinations: all of them take an hour on one core (1 runs them all)


def all_pairs(axes: dict[str, list], seed: int = 1) -> list[dict]:
    """Few combinations in which every two values of two axes meet."""
    names, rng, rows = list(axes), random.Random(seed), []
    missing = {
        ((a, x), (b, y)) for a, b in itertools.combinations(names, 2) for x in axes[a] for y in axes[b]
    }  # fmt: skip
    while missing:
        tried = [{name: rng.choice(values) for name, values in axes.items()} for _ in range(40)]
        pairs = [set(itertools.combinations(row.items(), 2)) for row in tried]
        best = max(range(len(tried)), key=lambda i: len(pairs[i] & missing))
        rows.append(tried[best])
        missing -= pairs[best]
    return rows


def case_of(schedule: str, words: tuple[str, str, str], numbers: tuple, first: int = 0) -> Case:
    """Words are activation, law and precision; numbers are width, depth, sigma_w, sigma_b."""
    method = "conditional" if schedule == "conditional" else "explicit"
    named = dict(zip(("width", "depth", "sigma_w", "sigma_b"), numbers, strict=True))
    cell = Cell(*words, method, key=12345, **named)
    return Case(cell, schedule, 6 if schedule == "explicit" else 48, first, slots=2)


@pytest.mark.parametrize("quick", QUICK)
def test_bits(quick, tmp_path) -> None:
    """The CPU's bits, from a text with a rounding in every float operation, by threads that stay together."""
    kind, schedule, *words, numbers, first = quick
    case, texts = case_of(schedule, words, numbers, first), []
    if kind == "fast":
        launched = fast(case, lambda text: texts.append(text) or text)
        check_text(texts[0], tmp_path, words)
        check_float64(texts[0], (kind, "sparse" if "sparse" in words[1] else schedule))
    else:
        launched = complete(case)
    assert not launched.failed.any()
    assert same_bits(launched, on_cpu(case))
    assert launched.steps < 1.1 * launched.instructions, "threads part without meeting again at once"


@pytest.mark.verify
@pytest.mark.parametrize("schedule", ["conditional", "explicit"])
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_fast_kernels_fit_the_registers(activation: str, schedule: str, tmp_path) -> None:
    case, texts = case_of(schedule, (activation, "gaussian", "float32"), (5, 2, 1.5, 0.3)), []
    fast(case, lambda text: texts.append(text) or text)
    check_text(texts[0], tmp_path, [activation, "gaussian"])
    check_float64(texts[0], ("fast", schedule))


@pytest.mark.verify
@pytest.mark.parametrize("schedule", ["narrow", "conditional"])
def test_whole_kernels_compute_in_float32(schedule: str) -> None:
    """But for sums of squares, and logarithms of what underflowed."""
    case, texts = case_of(schedule, ("gelu", "gaussian", "float32"), (5, 3, 1.5, 0.3)), []
    complete(case, lambda text: texts.append(text) or text)
    check_float64(texts[0], ("whole", schedule))


@pytest.mark.verify
def test_a_planted_float64_is_found() -> None:
    case, texts = case_of("conditional", ("tanh", "gaussian", "float32"), (3, 3, 1.5, 0.3)), []
    fast(case, lambda text: texts.append(text) or text)
    check_float64(texts[0], ("fast", "conditional"))
    products = list(re.finditer(r"\tmul\.rn\.f32 \t%\w+, (%\w+), %\w+;\n", texts[0]))
    for each in (products[len(products) // 3], products[2 * len(products) // 3]):
        line = f"\tcvt.f64.f32 \t%rd1, {each[1]};\n\tadd.rn.f64 \t%rd1, %rd1, %rd1;\n"
        with pytest.raises(AssertionError):
            check_float64(texts[0][: each.start()] + line + texts[0][each.start() :], ("fast", "conditional"))


def assembler() -> str | None:
    """NVIDIA's assembler, from the path or from the package nvidia-cuda-nvcc."""
    packages = sorted(Path(sysconfig.get_path("purelib")).glob("nvidia/*/bin/ptxas"))
    return shutil.which("ptxas") or (str(packages[-1]) if packages else None)


def check_text(text: str, folder: Path, words: list[str]) -> None:
    """No float operation without a rounding, no call; in the registers, where NVIDIA's assembler is there to say so."""
    assert not SLOPPY.search(text)
    ptxas = assembler()
    if ptxas is None or "sparse" in words[1]:  # which has the search for lost elements, and 155 registers
        return
    (folder / "kernel.ptx").write_text(text)
    command = [ptxas, "-v", "-arch", "sm_90", "kernel.ptx", "-o", "kernel.cubin"]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stderr
    assert int(re.search(r"Used (\d+) registers", said)[1]) <= MOST_REGISTERS
    assert "0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads" in said


@pytest.mark.verify
@pytest.mark.parametrize("row", all_pairs(AXES)[::EVERY], ids=lambda row: "-".join(map(str, row.values())))
def test_all_pairs(row) -> None:
    """Both methods; each schedule that can take the law. What a fast kernel gives up, the whole one runs."""
    words = row["activation"], row["law"], row["dtype"]
    numbers = row["width"], 3 + row["width"] % 6, row["sigma_w"], row["sigma_b"]
    of_conditional = {"whole": complete, "fast": fast} if LAWS[row["law"].split("(")[0]].conditional else {}
    for kind, run in of_conditional.items():
        case = case_of("conditional", words, numbers)
        assert same_bits(run(case), on_cpu(case)), kind
    if not row["law"].startswith("sparse"):
        case = case_of("narrow", words, numbers)
        assert same_bits(complete(case), on_cpu(case))
    case = case_of("explicit", words, numbers)
    assert same_bits(fast(case), on_cpu(case))


@pytest.mark.verify
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ["tanh", "gelu", "leaky_relu"])
def test_haar_matrices(activation, dtype) -> None:
    for width, sigma_w, sigma_b in ((2, 1.5, 0.0), (12, 1.5, 0.2), (16, 1e-9, 0.0), (5, 1e7, 0.1)):
        case = case_of("conditional", (activation, "orthogonal", dtype), (width, 6, sigma_w, sigma_b))
        assert same_bits(complete(case), on_cpu(case))


def test_what_leaves_the_range_is_marked() -> None:
    """Nothing is wrong in silence: of what a fast kernel cannot do it says so, and goes on with the next network."""
    case = case_of("explicit", ("relu", "gaussian", "float32"), (8, 8, 1e8, 0.0))
    launched = fast(case)
    assert launched.failed.all()
    case = case_of("conditional", ("relu", "gaussian", "float32"), (16, 8, 1e20, 0.0))
    assert fast(case).failed.all()


def test_quantities() -> None:
    """From the same sums of squares the CPU's quantities and status: live, dead, not finite, beyond all logarithms."""
    case = case_of("conditional", ("relu", "gaussian", "float32"), (2, 9, 1.4, 0.0))
    sums, exponents = on_cpu(case)
    sums[0, 3, 4], sums[1, 5, 2], sums[2, 7, 8], exponents[2, 9, 0] = np.inf, np.nan, 0.0, 2.0**60
    expected, expected_status = finished_on_cpu(case, (sums, exponents))
    values, status = finished(case, (sums, exponents))
    np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(status, expected_status)
    assert set(expected_status) == {0, 1, 2}


def contracted(text: str) -> str:
    """Each sum of a product as one operation, as compilers make it that may."""
    products = {r: (a, b) for r, a, b in re.findall(r"mul\.rn\.f32 \t(%\w+), (%\w+), (%\w+);", text)}

    def fused(found: re.Match) -> str:
        total, a, b = found.groups()
        for product, rest in ((a, b), (b, a)):
            if product in products:
                return f"fma.rn.f32 \t{total}, {', '.join(products[product])}, {rest};"
        return found[0]

    return re.sub(r"add\.rn\.f32 \t(%\w+), (%\w+), (%\w+);", fused, text)


# Errors that a careless change could bring.
PLANTED = {
    "contracted": contracted,
    "another thread": lambda text: re.sub(r"(shfl\.sync\.bfly\.b32 \t\S+ %\w+), 8,", r"\1, 4,", text),
    "another order of sums": lambda text: re.sub(r"(shfl\.sync\.bfly\.b32 \t\S+ %\w+), 1,", r"\1, 2,", text),
    "no barrier": lambda text: re.sub(r"\tbar\.warp\.sync \t%\w+;", "", text),
    "no vote": lambda text: re.sub(r"vote\.sync\.any\.pred \t(%p\d+), (%p\d+), %\w+;", r"mov.pred \t\1, \2;", text),
}


@pytest.mark.verify
@pytest.mark.parametrize("error", PLANTED)
def test_a_planted_error_is_caught(error: str) -> None:
    """Without its vote a network decides for itself, and the sixteen of a group do not go the same way."""
    if error in ("no vote", "contracted"):
        case = case_of("conditional", ("tanh", "gaussian", "float32"), (3, 8, 3.5, 0.0))
    else:
        case = case_of("explicit", ("relu", "gaussian", "float32"), (29, 6, 3.0, 0.3))
    texts = []
    assert same_bits(fast(case, lambda text: texts.append(text) or text), on_cpu(case))
    assert PLANTED[error](texts[0]) != texts[0]
    with pytest.raises(AssertionError):
        assert same_bits(fast(case, PLANTED[error]), on_cpu(case))
