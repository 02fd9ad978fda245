"""What a tape refuses, and where it puts its values."""

from __future__ import annotations

import numpy as np
import pytest

from gradsim_core.tapes import Tape
from gradsim_core.tapes.tape import BATCH, LAYER
from tests.core.tapes.networks import blocks, numbers, run

REFUSED = {
    "activate: the value has 2 parts": lambda tape: tape.activate(tape.multiply(0, 8, parts=2)),
    "gate: the value has 1 parts": lambda tape: tape.gate(tape.input),
    r"add: .* \(8, 1\) and \(9, 1\)": lambda tape: tape.add(0, tape.multiply(0, 9)),
    "a batch of 1 row": lambda tape: Tape(1, 8).standardise(0, BATCH),
    "attend: the value has 4 parts": lambda tape: tape.attend(tape.multiply(0, 8, parts=4), 1.0, True),
    "sigma nan": lambda tape: tape.multiply(0, 8, sigma=float("nan")),
    "standardise: the value has 3 parts": lambda tape: tape.standardise(tape.multiply(0, 8, parts=3), LAYER),
}


@pytest.mark.parametrize("told", REFUSED)
def test_refused(told):
    with pytest.raises(ValueError, match=told):
        REFUSED[told](Tape(4, 8))


def test_values_follow_one_another():
    tape = Tape(3, 40)
    tape.gate(tape.multiply(tape.input, 8, parts=2))
    assert [value.start for value in tape.values] == [0, 3 * 64, 3 * 128]
    assert tape.deviations == [40**-0.5]


def test_networks_are_reproducible_and_differ():
    """A function of the key and the network's number alone, whatever ran before in the same arrays."""
    tape = Tape(3, 16)
    program = tape.program(blocks(tape, 16, 1, LAYER, heads=2))
    first, again, other = (run(program, "gelu", network) for network in (4, 4, 5))
    np.testing.assert_array_equal(first.values.numbers, again.values.numbers)
    np.testing.assert_array_equal(first.errors.numbers, again.errors.numbers)
    assert not np.array_equal(numbers(first.values, program, 0), numbers(other.values, program, 0))
    assert (first.gradients > 0).all()
