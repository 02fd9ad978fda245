"""Functions of the theory over arrays: the frame holds what the function says of each combination."""

from __future__ import annotations

import numpy as np
import pytest

from gradsim import theory
from gradsim_core.activations import Activation

CASES = {
    "mean_field": ({"sigma_w": [0.9, 1.5], "sigma_b": 0.1}, ["q_star", "c_star", "chi_1", "xi_q", "xi_c", "xi_grad"]),
    "chi_1": ({"sigma_w": [0.9, 1.5]}, ["chi_1"]),
    "chi_c": ({"sigma_w": [0.9, 1.5]}, ["chi_c"]),
    "q_map": ({"q": [0.0, 2.0], "sigma_w": 1.5}, ["next_q"]),
    "c_map": ({"c": [-0.5, 0.2], "sigma_w": 1.5}, ["next_c"]),
    "critical_sigma_w": ({"sigma_b": [0.0, 0.2]}, ["sigma_w"]),
    "boundary": ({"depth": [4, 8]}, ["sigma_w"]),
    "typical_sigma_w": ({"depth": [4, 8], "width": 256}, ["sigma_w"]),
    "gains": ({"depth": [4, 8]}, ["forward", "backward", "critical"]),
}
EXACT = {
    "quenched_sigma_w": ({"width": [4, 8]}, ["sigma_w"]),
    "log_factor_mean": ({"width": [4, 8]}, ["log_factor_mean"]),
    "moment_sigma_w": ({"s": [0.5, 1.0], "width": 8}, ["sigma_w"]),
    "gain_spread": ({"depth": 4, "width": [4, 8], "sigma_w": 1.4}, list(theory.GainSpread._fields)),
}


@pytest.mark.parametrize("name", [*CASES, *EXACT])
def test_a_row_is_what_the_function_returns(name):
    arguments, columns = (CASES | EXACT)[name]
    function, activation = getattr(theory, name), "relu" if name in EXACT else "tanh"
    frame = function(activation, **arguments)
    assert list(frame)[-len(columns) - 1 :] == [*columns, "reason"]
    assert len(frame) == 2
    for k, row in frame.iterrows():
        point = {key: value if np.ndim(value) == 0 else value[k] for key, value in arguments.items()}
        found = function(activation, **point)
        np.testing.assert_array_equal(row[columns].to_numpy(float), np.atleast_1d(found))
        assert row["activation"] == activation
        assert all(row[key] == value for key, value in point.items())
        assert row["reason"] is None


def test_frames_of_several_points_are_joined():
    found = theory.fixed_points(["tanh", "gelu"], [0.9, 1.5])
    alone = theory.fixed_points("gelu", 1.5)
    np.testing.assert_array_equal(found.loc[found["activation"] == "gelu", alone.columns], alone)
    assert found["sigma_w"].tolist() == [0.9, 1.5, 1.5, 1.5]


def test_what_has_no_result_says_why():
    found = theory.critical_sigma_w(["tanh", "softplus"])
    assert found["sigma_w"].isna().tolist() == [False, True]
    assert "infinite q" in found["reason"][1]
    squeezed = theory.moment_sigma_w(["relu", "tanh"], [[1.0], [2.0]], 16)
    assert squeezed["reason"].map(type).tolist() == [type(None), str, type(None), str]


def test_own_activations_stand_by_their_names():
    mine = Activation("mine", lambda h: 2.0 * h, lambda h: 2.0 + 0.0 * h)
    found = theory.chi_1([mine, "linear"], 1.5)
    assert found["activation"].tolist() == ["mine", "linear"]
    assert found["chi_1"].tolist() == pytest.approx([9.0, 2.25])


def test_an_empty_array_gives_an_empty_frame():
    assert list(theory.chi_1("tanh", [])) == ["activation", "sigma_w", "sigma_b", "chi_1", "reason"]
    assert theory.plane("tanh", [], [0.1]).empty


def test_the_plane_is_all_pairs():
    plane = theory.plane("erf", [1.0, 2.0, 3.0], [0.0, 0.5])
    assert plane["sigma_w"].tolist() == [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]
    row = plane.iloc[3]
    assert tuple(row[list(theory.MeanField._fields)]) == theory.mean_field("erf", 2.0, 0.5)
    assert row["chi_c"] == theory.chi_c("erf", 2.0, 0.5)
