"""What every schedule draws, beside the version of its random numbers.

Where a digest changes because other numbers are drawn, raise the `generator` of the schedule, and write both here: else
a dataset would be continued with other numbers.
"""

from __future__ import annotations

import hashlib

import pytest

from gradsim_core.activations import resolve_activation
from gradsim_core.architectures import Network
from gradsim_core.laws import resolve_law
from gradsim_core.simulator import Simulator

SCHEDULES = {
    "narrow": ("explicit", Network(), 8, 2, "c00661a5b11e8b38"),
    "explicit": ("explicit", Network(), 40, 1, "954750ee7b3bdda7"),
    "conditional": ("conditional", Network(), 40, 1, "ece5c274f95fb8f2"),
    "radial": ("radial", Network(), 70, 2, "5f21ee3f6d02e999"),
    "streams": ("conditional", Network("residual"), 40, 1, "eba06dd6052e9d5c"),
    "radial_streams": ("radial", Network("residual2"), 70, 2, "264526afb4161617"),
}
"""By name: method, kind of network, width, version and digest."""


@pytest.mark.parametrize("name", SCHEDULES)
def test_numbers_belong_to_a_version(name):
    method, network, width, generator, digest = SCHEDULES[name]
    one = Simulator(resolve_activation("relu"), resolve_law("gaussian"), "float32", method, network=network)
    params = one.params(7, 6, width, 1.4)
    schedule = one.schedule(params)
    values, _ = one.block(params, 0, 20)
    assert (schedule.name, schedule.generator) == (name, generator)
    assert hashlib.sha256(values.tobytes()).hexdigest()[:16] == digest
