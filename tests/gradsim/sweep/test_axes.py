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


def test_tensors_of_any_type_and_with_a_gradient() -> None:
    torch = pytest.importorskip("torch")
    for options in ({"requires_grad": True}, {"dtype": torch.bfloat16}, {"dtype": torch.float64}):
        assert expand("sigma_w", torch.tensor([1.0, 1.5], **options)) == [1.0, 1.5]
        assert expand("sigma_b", torch.tensor(0.5, **options)) == [0.5]
    assert expand("width", [torch.tensor(8), np.array(16)], whole=True) == [8, 16]


def test_tensors_without_numbers() -> None:
    torch = pytest.importorskip("torch")
    for tensor in (torch.empty(2, device="meta"), torch.ones(2).to_sparse()):
        with pytest.raises(SweepError, match=r"sigma_w = .*NumPy cannot read it: can't convert"):
            expand("sigma_w", tensor)
    with pytest.raises(SweepError, match="Flatten"):
        expand("sigma_w", torch.ones(2, 2, requires_grad=True))
