"""Values of an axis in the types of NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from gradsim.errors import SweepError
from gradsim.sweep.axes import expand


def test_grids_take_numbers_of_numpy() -> None:
    grid = {"start": np.float32(0.5), "stop": np.int16(3), "num": np.int64(26)}
    assert expand("sigma_w", grid) == expand("sigma_w", {"start": 0.5, "stop": 3.0, "num": 26})


@pytest.mark.parametrize(
    "values", [np.ma.array([1.0, 2.0], mask=[False, True]), [1.0, np.ma.masked], np.ma.masked, np.ma.masked_all(3)]
)
def test_masked_values_are_refused(values: object) -> None:
    with pytest.raises(SweepError, match="sigma_w = masked is refused; allowed: values without a mask"):
        expand("sigma_w", values)
