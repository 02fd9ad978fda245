"""A user's own activations in sweeps and datasets: never two functions in one, and no refusal that needs decoding."""

from __future__ import annotations

import functools
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gradsim as gs
from gradsim.activations import OwnActivation
from gradsim.dataset.dataset import Dataset
from gradsim.errors import CorruptDataError, RunExistsError, SweepError
from gradsim.simulation import devices
from gradsim.simulation.plan import Plan

slope = 0.5
CELLS = {"sigma_w": [1.0, 1.5], "depth": 3, "width": 4, "networks": 4, "seed": 1}


def bent(h):
    return slope * math.tanh(h)


def sweep(phi=bent, dphi=None):
    return gs.Sweep(activation=gs.Activation("mine", phi, dphi), **CELLS)


def test_shards_of_two_functions_never_meet(tmp_path, monkeypatch):
    Dataset.create(tmp_path / "out", Plan(sweep()))
    monkeypatch.setitem(globals(), "slope", 5.0)
    with pytest.raises(RunExistsError, match="activation differs"):
        gs.run(sweep(), tmp_path / "out", shard="2/2", progress="none")
    monkeypatch.setitem(globals(), "slope", 0.5)
    assert Dataset.create(tmp_path / "out", Plan(sweep()))


def test_a_value_that_changes_after_the_sweep_was_made_is_noticed(monkeypatch):
    made = sweep()
    assert made.find_activation("mine").phi is bent
    monkeypatch.setitem(globals(), "slope", 5.0)
    with pytest.raises(SweepError, match=r"the same values as when the sweep was made.*Set the values back"):
        made.find_activation("mine")
    assert sweep().content_hash != made.content_hash


def test_fields_beside_the_functions_count():
    plain, bounded = (gs.Activation("mine", bent, **extra) for extra in ({}, {"slope_inf": (0.0, 0.0)}))
    assert sweep().own["mine"].code == gs.Sweep(activation=plain, **CELLS).own["mine"].code
    assert gs.Sweep(activation=bounded, **CELLS).content_hash != sweep().content_hash


def test_a_dataset_with_an_older_digest_is_read_and_not_resumed(tmp_path):
    older = sweep().replace(activation=OwnActivation("mine", "ab" * 32))
    Dataset.create(tmp_path / "out", Plan(older))
    assert gs.open(tmp_path / "out").cells()["activation"].tolist() == ["mine", "mine"]
    with pytest.raises(RunExistsError, match=r"made by an older gradsim.*activation 'mine'.*Read it with gs.open"):
        gs.run(sweep(), tmp_path / "out", progress="none")
    with pytest.raises(RunExistsError, match="activation differs"):  # another name, whatever the digest
        Dataset.create(tmp_path / "out", Plan(sweep().replace(activation=gs.Activation("other", bent))))


@pytest.mark.parametrize("name", ["a\x1b[2Jb", "a\nb", ""])
def test_a_stored_name_that_cannot_be_printed_is_refused(tmp_path, name):
    Dataset.create(tmp_path / "out", Plan(sweep()))
    file = tmp_path / "out" / "sweep.toml"
    escaped = name.encode("unicode_escape").decode().replace("\\x", "\\u00")
    file.write_text(file.read_text().replace('name = "mine"', f'name = "{escaped}"'))
    with pytest.raises(CorruptDataError, match="a name of printable text"):
        gs.open(tmp_path / "out")


REFUSED = {
    "phi is a functools.partial, whose content cannot": functools.partial(math.pow, 1.0),
    "phi → folder is a pathlib.*, whose content cannot": (lambda folder: lambda h: h if folder else 0.0)(Path()),
    "phi of activation 'mine': for a number it returns array": lambda h: np.where(h > 0, h, 0.0),
    "phi of activation 'mine': Numba cannot compile it: Untyped global name 'bent'": lambda h: bent(h),
}


@pytest.mark.parametrize("words", REFUSED)
def test_functions_that_cannot_be_simulated_are_refused_with_the_sweep(words):
    with pytest.raises(SweepError, match=words) as error:
        sweep(REFUSED[words])
    assert error.value.field == "activation"
    assert len(str(error.value)) < 600


@pytest.mark.parametrize(
    "call",
    [
        "gs.simulate('tanh', depth=2, width=2, networks=1)",
        "gs.weights(activation='tanh', depth=2, width=2)",
        "gs.run(gs.Sweep(activation='tanh', sigma_w=1.0, depth=2, width=2, networks=1, seed=1), sys.argv[1])",
    ],
)
def test_an_interpreter_in_place_of_the_compiler_is_refused(call, tmp_path):
    """Its numbers have other bits."""
    program = f"import sys, gradsim as gs\ntry: {call}\nexcept gs.errors.SweepError as error: print(error)"
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-c", program, str(tmp_path / "out")]
    out = subprocess.check_output(command, env=environment, text=True)
    assert out.startswith("NUMBA_DISABLE_JIT = 1 is refused; allowed: 0 or nothing")
    assert not (tmp_path / "out").exists()


def test_training_without_the_compiler_is_refused(monkeypatch):
    from gradsim.training.train import trainer_for

    monkeypatch.setattr(devices.jit, "disabled", lambda: True)
    with pytest.raises(SweepError, match="NUMBA_DISABLE_JIT"):
        trainer_for(None, None)
