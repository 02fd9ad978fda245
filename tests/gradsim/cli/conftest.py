"""A small sweep file."""

from __future__ import annotations

import pytest

SMALL = """
activation = "tanh"
sigma_w = [0.8, 1.2, 1.6, 2.0]
depth = [3, 6]
width = 8
networks = 300
seed = 5
shard_size = 400_000
"""


@pytest.fixture
def sweep(tmp_path):
    file = tmp_path / "small.toml"
    file.write_text(SMALL)
    return file
