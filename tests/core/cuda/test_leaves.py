"""Each leaf's PTX, run by the interpreter, gives the bits of the compiled CPU vectors."""

from __future__ import annotations

import re

import numpy as np
import pytest

from gradsim_core import jit
from gradsim_core.lanes import LANES, lane_max, lane_sum, splat, synchronise, transpose
from tests.core.cuda.leaves import Leaf, inputs, leaves, on_cpu, on_gpu

pytestmark = pytest.mark.skipif(jit.disabled(), reason="nothing is compiled")
if not jit.disabled():
    from gradsim_core.cuda.arguments import parameters
    from gradsim_core.cuda.texts import CAPABILITIES
    from tests.core.cuda.stand_in import StandIn

QUICK = ("tanh-32", "erf-64", "log1p-32", "sin-64", "gelu-phi-32", "silu-dphi-64", "celu-log_dphi-64", "elu-phi-32")


def _parameters() -> list:
    named = {f"{leaf.name}-{leaf.bits}": leaf for leaf in leaves()}
    assert set(QUICK) <= set(named)
    return [
        pytest.param(leaf, id=name, marks=[] if name in QUICK else pytest.mark.verify) for name, leaf in named.items()
    ]


LEAVES = _parameters()
SLOPPY = re.compile(r"\.ftz|\.approx|\.full|\b(?:mul|add|sub|mad|fma|div|sqrt|rcp)\.f(?:32|64)|\bcall")
"""Flushed subnormals, approximations, float operations without a rounding, and calls."""


def text_of(leaf: Leaf, capability: tuple[int, int] = (9, 0)) -> str:
    from gradsim_core.cuda.compiler.text import ptx_text

    return ptx_text(*on_gpu(leaf), capability)


def interpreted(text: str, leaf: Leaf, x: np.ndarray) -> np.ndarray:
    stream = StandIn()
    on_device, out = stream.upload(x), stream.zeros(x.shape, x.dtype)
    values = (on_device, out) if leaf.alpha is None else (on_device, out, leaf.alpha)
    stream.launch(text, len(x) // 256, 256, parameters(values))
    return stream.read(out)


def differences(leaf: Leaf, text: str, count: int = 2**17) -> int:
    """How many numbers have other bits than on the CPU; NaN has many."""
    x = inputs(leaf.bits, count)
    found, expected = interpreted(text, leaf, x), on_cpu(leaf, x)
    whole = f"u{leaf.bits // 8}"
    same = (found.view(whole) == expected.view(whole)) | (np.isnan(found) & np.isnan(expected))
    return int((~same).sum())


@pytest.mark.parametrize("leaf", LEAVES)
def test_bits(leaf: Leaf) -> None:
    text = text_of(leaf)
    assert differences(leaf, text) == 0
    assert not SLOPPY.search(text)
    if leaf.bits == 32:
        used = set(re.findall(r"\b\w[\w.]*\.f64\b", re.sub(r"ld\.param\S*|\.param.*", "", text)))
        assert used <= {"cvt.rn.f32.f64"}, used  # of alpha


@pytest.mark.parametrize("leaf", LEAVES)
def test_processors_differ_in_the_header_alone(leaf: Leaf) -> None:
    texts = {text_of(leaf, capability) for capability in CAPABILITIES}
    assert len(texts) == len(CAPABILITIES)
    assert len({text[text.index(".visible") :] for text in texts}) == 1


def _largest(x):
    return splat(x, lane_max(x))


def _total(x):
    return splat(x, lane_sum(x))


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("function", [_largest, _total])
def test_across_lanes(function, bits) -> None:
    """All threads of a vector get the CPU's number, also beside NaN and infinity: they take branches by it."""
    leaf = Leaf(function.__name__, bits, jit.make_compilable(function), None)
    assert differences(leaf, text_of(leaf), 2**14) == 0


def test_a_contracted_product_is_caught() -> None:
    """The planted error: what a compiler would make of an operation without its rounding."""
    leaf = Leaf("product and sum", 32, jit.make_compilable(_product_and_sum), None)
    text = text_of(leaf)
    assert differences(leaf, text) == 0
    lines = re.search(r"\tmul\.rn\.f32 \t(%\w+), (%\w+), (%\w+);\n\tadd\.rn\.f32 \t(%\w+), \1, (%\w+);", text)
    product, a, b, total, c = lines.groups()
    contracted = text.replace(lines[0], f"\tfma.rn.f32 \t{total}, {a}, {b}, {c};")
    assert product not in contracted.split("fma")[1]
    assert differences(leaf, contracted) > 100


def _product_and_sum(x):
    return x * x + x


def test_transposed_tiles() -> None:
    """Sixteen vectors of each group become sixteen rows of a longer array: each thread moves its own numbers."""
    from numba import types

    from gradsim_core.cuda.compiler.text import ptx_text
    from gradsim_core.cuda.kernels.threads import slot_of_thread

    tile, stride, groups = LANES * LANES, 20, 16

    def move(source, target):
        slot = slot_of_thread()
        synchronise()
        transpose(source, slot * tile, target, slot * LANES * stride + 3, stride)

    array, stream = types.float64[::1], StandIn()
    x = np.random.default_rng(1).normal(size=groups * tile)
    out = stream.zeros((groups * LANES * stride,), x.dtype)
    stream.launch(ptx_text(move, (array, array), (9, 0)), 1, 256, parameters((stream.upload(x), out)))
    found = stream.read(out).reshape(groups, LANES, stride)
    np.testing.assert_array_equal(found[..., 3 : 3 + LANES], x.reshape(groups, LANES, LANES).swapaxes(1, 2))
    assert not found[..., :3].any()
    assert not found[..., 3 + LANES :].any()
