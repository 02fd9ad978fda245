"""What is compiled, how often, and that nothing else in the process changes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest

from gradsim_core import jit
from gradsim_core.laws import LAWS
from gradsim_core.results import quantities
from gradsim_core.schedules.table import SCHEDULES
from gradsim_core.simulator import Simulator, _kernel
from gradsim_core.training import compiled, start


def test_what_many_threads_ask_for_at_once_is_built_once():
    built, together = [], threading.Barrier(4)

    @jit.once
    def build(name):
        built.append(name)
        for _ in range(1000):
            os.sched_yield()
        return object()

    def ask(_):
        together.wait()
        return build("kernel")

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(ask, range(4)))) == 1
    assert built == ["kernel"]


def test_all_that_compiles_is_built_once():
    """A plain cache builds for every thread that asks before the first is done."""
    makers = [_kernel, quantities.kernel, compiled._pass, compiled._kernel, start._kernel, jit.compiled, jit.load_numba]
    assert {maker.__code__ for maker in makers} == {jit.once(len).__code__}


@pytest.mark.parametrize("value", ["", "/some/where"])
def test_the_cache_of_numbas_users_is_left_alone(value, tmp_path):
    program = (
        "import numba; from gradsim_core import jit; before = numba.config.CACHE_DIR; jit.load_numba();"
        "jit.compile_kernel(lambda x: x)(1.0); assert numba.config.CACHE_DIR == before == " + repr(value)
    )
    environment = os.environ | {"NUMBA_CACHE_DIR": value, "GRADSIM_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)


@pytest.mark.parametrize("value", ["", "0", "1"])
def test_whether_the_compiler_is_off_is_known_before_and_after_numba_is_imported(value):
    program = (
        "from gradsim_core import jit; import sys; early = jit.disabled(); assert 'numba' not in sys.modules;"
        "import numba; print(early, jit.disabled())"
    )
    environment = os.environ | {"NUMBA_DISABLE_JIT": value} if value else os.environ
    out = subprocess.check_output([sys.executable, "-c", program], env=environment, text=True)
    assert out == f"{value == '1'} {value == '1'}\n"


def test_a_kernel_of_a_users_functions_sees_their_values_of_now(monkeypatch):
    """Also through helpers that were compiled, and keep what they saw then."""
    from gradsim_core.activations import Activation

    values = {"numba": numba, "slope": 0.5}
    exec("helper = numba.njit(lambda h: h * slope)\ncaller = numba.njit(lambda h: helper(h))", values)
    assert values["caller"](2.0) == 1.0
    mine = Activation("mine", eval("lambda h: caller(h)", values), eval("lambda h: slope", values))
    monkeypatch.setattr(jit, "compile_kernel", lambda body, **options: body.__closure__ and options)
    for slope in (0.5, 3.0):
        values["slope"] = slope
        options = _kernel(mine, LAWS["gaussian"], SCHEDULES[0].build, SCHEDULES[0].name, mine.digest)
        assert options["disk_cache"] is False
        assert values["caller"](2.0) == 2 * slope
    assert Simulator(mine, LAWS["gaussian"])._digest == mine.digest
    assert np.isfinite(mine([1.0])).all()
