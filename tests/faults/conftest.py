"""What several files of fault tests use."""

from __future__ import annotations

import pytest

from gradsim.dataset.dataset import Dataset
from tests.faults.engine_runs import run


@pytest.fixture(scope="session")
def local_run(tmp_path_factory) -> Dataset:
    """The dataset of SWEEP as the local engine writes it."""
    return run(tmp_path_factory.mktemp("local") / "run", "local").dataset
