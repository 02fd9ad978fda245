"""A user's own pair as PTX, run by the interpreter: the CPU's bits where it calls no libm, else almost."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest

from gradsim_core import jit, lanes
from gradsim_core.activations import Activation
from tests.core.conftest import Cell, mostly_verified
from tests.core.cuda.leaves import Leaf, inputs, on_cpu
from tests.core.cuda.test_leaves import SLOPPY, differences, interpreted, text_of

pytestmark = pytest.mark.skipif(jit.disabled(), reason="nothing is compiled")
if not jit.disabled():
    from numba import njit, vectorize

    from gradsim_core.cuda.compiler import own, powers, real_functions, scalars
    from tests.core.cuda.kernels import Case, complete, fast, same_bits
    from tests.core.cuda.kernels import on_cpu as networks_on_cpu
    from tests.core.cuda.pairs import EXACT, OF_LIBM
else:
    EXACT = OF_LIBM = []


def leaves_of(activation: Activation, bits: int = 64) -> list[Leaf]:
    pair = zip(("phi", "dphi"), own.functions(activation), strict=True)
    return [Leaf(f"{activation.name}-{name}", bits, function, 0.0) for name, function in pair]


def _chosen(activations: list, quick: tuple[str, ...]) -> list:
    marks = lambda name: [] if name in quick else pytest.mark.verify  # noqa: E731
    return [pytest.param(each, id=each.name, marks=marks(each.name)) for each in activations]


QUICK = "rational", "differences", "sawtooth", "array", "gelu"


@pytest.mark.parametrize("activation", _chosen(EXACT, QUICK))
def test_bits(activation: Activation) -> None:
    """Operators, conditions, roots, loops, remainders, a user's own compiled functions, what they capture."""
    own.check_compiles_for_gpu(activation)
    for leaf in leaves_of(activation, 32 if activation.name == "rational" else 64):
        text = text_of(leaf)
        assert not SLOPPY.search(text)
        assert differences(leaf, text, 2**14) == 0, leaf.name


@pytest.mark.parametrize("activation", _chosen(OF_LIBM, QUICK))
def test_functions_of_libm(activation: Activation) -> None:
    """GPU and CPU differ in the last bits; a difference of large numbers does not occur in these."""
    own.check_compiles_for_gpu(activation)
    for leaf in leaves_of(activation):
        text, x = text_of(leaf), inputs(64, 2**14)
        assert not SLOPPY.search(text)
        np.testing.assert_allclose(interpreted(text, leaf, x), on_cpu(leaf, x), rtol=2e-15, atol=2.3e-16)


def case_of(activation: Activation, method: str) -> Case:
    cell = Cell(activation, "gaussian", "float32", method, width=5, depth=3, sigma_w=1.5, sigma_b=0.3)
    return Case(cell, method, 16 if method == "conditional" else 3, slots=1)


@pytest.mark.parametrize(
    "kind", ["fast conditional", "fast explicit", pytest.param("whole conditional", marks=pytest.mark.verify)]
)
def test_networks(kind: str) -> None:
    method = kind.split()[1]
    case, texts = case_of(EXACT[2 if method == "explicit" else 0], method), []
    launched = fast(case, lambda text: texts.append(text) or text) if kind.startswith("fast") else complete(case)
    assert not launched.failed.any()
    assert same_bits(launched, networks_on_cpu(case))
    assert not any(map(SLOPPY.search, texts))


def test_a_value_that_changes_is_seen() -> None:
    """A function of the user's that has been compiled is compiled again: its digest and its text have the new value."""
    values = {"slope": 2.0}
    exec("@njit\ndef inner(h): return slope * h", values | {"njit": njit}, values)
    found = []
    for slope in (2.0, 3.0):
        values["slope"] = slope
        inner = values["inner"]
        inner.py_func.__globals__["slope"] = slope
        activation = Activation("changing", inner, inner, surrogate=True)
        leaf = leaves_of(activation)[0]
        found.append(interpreted(text_of(leaf), leaf, np.ones(256))[0])
    assert found == [2.0, 3.0]


def _recursive():
    @njit
    def again(h):
        return h if h < 1.0 else again(h - 1.0)

    return lambda h: again(h)


def _made_by_vectorize():
    doubled = vectorize(lambda h: 2.0 * h)
    return lambda h: doubled(h)


def _raises(h):
    if h > 1e9:
        raise ValueError
    return h


REFUSED = {
    "recursive": (_recursive, "'again' calls itself, which does not work on GPUs"),
    "raises": (lambda: _raises, "'_raises' raises exceptions, which do not exist on GPUs"),
    "gamma": (lambda: lambda h: math.gamma(2.0 + abs(h)), r"'math\.gamma' is not available on GPUs"),
    "cbrt": (lambda: lambda h: np.cbrt(h), r"'numpy\.cbrt' is not available on GPUs"),
    "vectorize": (_made_by_vectorize, "is made by @vectorize, which does not work on GPUs"),
    "array": (lambda: lambda h: np.zeros(3).sum() + h, "'zeros' makes an array, a list or a text"),
    "random": (lambda: lambda h: h + 0.0 * np.random.random(), "a function of the processor's library"),  # noqa: NPY002
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_run_is_refused(name: str) -> None:
    make, reason = REFUSED[name]
    phi = make()
    activation = Activation("mine", phi, phi, surrogate=True)
    with pytest.raises(TypeError, match=f"^phi of activation 'mine' cannot run on GPUs: .*{reason}.*math module: acos"):
        own.check_compiles_for_gpu(activation)


def test_what_the_cpu_refuses_is_refused_as_there() -> None:
    with pytest.raises(TypeError, match="Numba cannot compile it"):
        own.check_compiles_for_gpu(Activation("mine", lambda h: len({h: 1}) * eval("h"), lambda h: h, surrogate=True))


# The largest error in ulp that each function may have, and an exact function of extended precision.
LIMITS = {
    "acos": (2.5, np.arccos), "acosh": (2.5, np.arccosh), "asin": (2.5, np.arcsin), "asinh": (2.5, np.arcsinh),
    "atan": (1.0, np.arctan), "atanh": (2.5, np.arctanh), "cos": (2.0, np.cos), "cosh": (2.0, np.cosh),
    "exp": (1.0, np.exp), "expm1": (2.0, np.expm1), "log": (1.0, np.log), "log1p": (1.5, np.log1p),
    "sin": (2.0, np.sin), "sinh": (2.5, np.sinh), "tan": (3.2, np.tan), "tanh": (3.0, np.tanh),
    "exp2": (1.1, np.exp2), "log2": (0.6, np.log2), "log10": (0.6, np.log10),
    "atan2": (2.0, np.arctan2), "hypot": (1.1, np.hypot), "power": (1.5, np.power),
}  # fmt: skip
QUICK_LIMITS = "acosh", "hypot", "log1p", "power", "tan"
EXTENDED = np.finfo(np.longdouble).nmant >= 63


def vector_function(name: str):
    return getattr(real_functions, name, None) or getattr(powers, name)


def computed(name: str, *arguments: np.ndarray) -> np.ndarray:
    """A function by vectors of the CPU, which have the bits of GPUs (`test_text_of_functions`)."""
    function, load, store = vector_function(name), lanes.load, lanes.store

    def of_one(x, out):
        for i in range(0, len(x), 16):
            store(out, i, function(load(x, i)))

    def of_two(x, y, out):
        for i in range(0, len(x), 16):
            store(out, i, function(load(x, i), load(y, i)))

    out = np.zeros_like(arguments[0])
    jit.compile_kernel(of_one if len(arguments) == 1 else of_two, disk_cache=False)(*arguments, out)
    return out


def ulps(found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """The error in units of the last place of the exact value; infinite where one is finite and the other is not."""
    with np.errstate(all="ignore"):
        rounded = exact.astype(np.float64)
        same = (found == rounded) | (np.isnan(found) & np.isnan(rounded))
        error = np.abs(found.astype(exact.dtype) - exact) / np.spacing(np.abs(rounded))
    return np.where(same, np.minimum(1.0, np.where(np.isfinite(error), error, 0.0)), np.nan_to_num(error, nan=np.inf))


def samples(name: str, seed: int, count: int = 2**15) -> np.ndarray:
    rng = np.random.default_rng(seed)
    parts = [
        inputs(64, count, seed), rng.uniform(-2, 2, count), rng.uniform(-750, 750, count),
        rng.choice([-1, 1], count) * 2.0 ** rng.uniform(-1000, 1000, count), 1.0 + rng.normal(size=count) * 1e-3,
    ]  # fmt: skip
    x = np.concatenate(parts)
    if name in ("sin", "cos", "tan"):
        x[~(np.abs(x) < 1000)] = 1.0
    return x


@pytest.mark.skipif(not EXTENDED, reason="no extended precision here")
@pytest.mark.parametrize("name", mostly_verified(LIMITS, QUICK_LIMITS))
def test_accuracy(name: str) -> None:
    """Of arguments of all sizes, near 1, subnormal and special ones."""
    limit, exact = LIMITS[name]
    arguments = [samples(name, seed) for seed in range(1, 1 + len(inspect.signature(vector_function(name)).parameters))]
    if name == "power":
        with np.errstate(all="ignore"):
            half = len(arguments[0]) // 2
            arguments[1][:half] = 700 * arguments[1][:half] % 1.0 / np.log(np.abs(arguments[0][:half]))
    found = computed(name, *arguments)
    with np.errstate(all="ignore"):
        expected = exact(*(each.astype(np.longdouble) for each in arguments))
    error = ulps(found, expected)
    worst = int(np.argmax(error))
    assert error[worst] <= limit, (float(error[worst]), [float(each[worst]) for each in arguments])
    signs = np.signbit(found) == np.signbit(expected)
    assert (signs | np.isnan(found))[expected == 0].all(), "a zero with the wrong sign"


@pytest.mark.parametrize(("name", "limit"), [("erf", 1.5), ("erfc", 3.4)])
def test_accuracy_of_error_functions(name: str, limit: float) -> None:
    import mpmath

    rng = np.random.default_rng(5)
    x = np.concatenate([rng.uniform(-6, 6, 400), rng.uniform(0, 26.5, 400), 10.0 ** rng.uniform(-300, 0, 184)])
    with mpmath.workprec(200):
        exact = [getattr(mpmath, name)(mpmath.mpf(float(value))) for value in x]
        found = computed(name, np.append(x, [np.inf, -np.inf, np.nan, 0.0, -0.0, 1e300, -1e300, 5e-324]))
        errors = [abs(mpmath.mpf(float(a)) - b) / np.spacing(abs(float(b))) for a, b in zip(found, exact, strict=False)]
    assert float(max(errors)) <= limit
    ends = found[-8:]
    np.testing.assert_array_equal(ends, [getattr(math, name)(v) for v in (math.inf, -math.inf, math.nan, 0.0, -0.0,
                                                                         1e300, -1e300, 5e-324)])  # fmt: skip


def test_limits_of_power() -> None:
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1, -1, 0.5, -0.5, 2, -2, 3, -3, 2.5, -2.5, 1e308])
    x, y = (np.ascontiguousarray(each.ravel()) for each in np.meshgrid(special, special))
    with np.errstate(all="ignore"):
        expected = np.power(x, y)
    found = computed("power", x, y)
    np.testing.assert_allclose(found, expected, rtol=3e-16)
    assert (np.signbit(found) == np.signbit(expected))[~np.isnan(expected)].all()


def _named() -> list:
    quick = ("log", "pow")
    names = [(f, name) for f, names in scalars.REAL.items() for name in names] if not jit.disabled() else []
    return [
        pytest.param(function, name, id=f"{'np' if isinstance(name, np.ufunc) else 'math'}.{name.__name__}",
                     marks=[] if name.__name__ in quick else pytest.mark.verify)
        for function, name in names
    ]  # fmt: skip


@pytest.mark.parametrize(("function", "name"), _named())
def test_text_of_functions(function, name) -> None:
    """What users write compiles to the text of the vector function: the same bits."""
    if len(inspect.signature(function).parameters) == 1:
        activation = _unchecked(lambda h: name(h))
        expected, x = computed(function.__name__, inputs(64, 2**12)), inputs(64, 2**12)
    else:
        activation, x = _unchecked(lambda h: name(h, 1.7)), inputs(64, 2**12)
        expected = computed(function.__name__, x, np.full_like(x, 1.7))
    leaf = leaves_of(activation)[0]
    text = text_of(leaf)
    assert not SLOPPY.search(text)
    np.testing.assert_array_equal(interpreted(text, leaf, x), expected)


def _unchecked(phi) -> Activation:
    """An activation that need not be finite."""
    found = Activation("unchecked", lambda h: h, lambda h: 1.0)
    object.__setattr__(found, "phi", phi)
    return found
