"""Sweeps: what is accepted, what is refused and how, and what stays the same for ever."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from gradsim.activations import OwnActivation
from gradsim.errors import GradsimError, SweepError, SweepFileError
from gradsim.sweep import Sweep, files
from gradsim.sweep.axes import CELL_CAP
from gradsim.sweep.cells import Cell, cell_key, round12
from gradsim_core.activations import Activation

BASE = {"activation": "tanh", "sigma_w": 1.5, "depth": 4, "width": 8, "networks": 10, "seed": 1}


def make(**changes: object) -> Sweep:
    return Sweep(**{**BASE, **changes})


def test_scalars_lists_ranges_arrays_and_grids_are_equal() -> None:
    forms = ([1, 2, 3], (1.0, 2, 3), range(1, 4), np.arange(1, 4), np.linspace(1, 3, 3, dtype=np.float32))
    hashes = {make(sigma_w=form).content_hash for form in forms}
    hashes.add(make(sigma_w={"start": 1, "stop": 3, "num": 3}).content_hash)
    assert len(hashes) == 1
    assert make(sigma_w=range(1, 4)) == make(sigma_w=[1.0, 2.0, 3.0])
    assert make(depth=np.int32(4), networks=np.int64(10)) == make()


def test_grids_hit_both_ends_and_have_twelve_digits() -> None:
    grid = make(sigma_w={"start": 0.5, "stop": 3.0, "num": 26}).sigma_w
    assert grid == tuple(round12(0.5 + k / 10) for k in range(26))
    log = make(sigma_w={"start": 0.3, "stop": 70, "num": 7, "spacing": "log"}).sigma_w
    assert (log[0], log[-1]) == (0.3, 70.0)
    np.testing.assert_allclose(log, np.geomspace(0.3, 70, 7), rtol=1e-11)
    assert make(sigma_w={"start": 1e30, "stop": 1e-30, "num": 3, "spacing": "log"}).sigma_w[1] == 1.0
    assert make(sigma_w={"start": 2, "stop": 5, "num": 1}).sigma_w == (2.0,)
    assert make(depth={"start": 4, "stop": 64, "num": 5, "spacing": "log"}).depth == (4, 8, 16, 32, 64)
    assert make(sigma_w=np.linspace(0.5, 3, 26)) == make(sigma_w={"start": 0.5, "stop": 3.0, "num": 26})


def test_cells_are_numbered_in_order_with_sigma_w_fastest() -> None:
    sweep = make(activation=["tanh", "relu"], sigma_w=[1, 2], depth=[4, 8], width=[8, 16])
    cells = sweep.cells()
    assert [cell.cell_id for cell in cells] == list(range(16)) == list(range(sweep.cell_count))
    assert cells[0] == Cell(0, "tanh", "gaussian", 1.0, 0.0, 4, 8)
    assert [cell.sigma_w for cell in cells[:3]] == [1.0, 2.0, 1.0]
    assert [(cell.activation, cell.width, cell.depth) for cell in cells[::2]][:3] == [
        ("tanh", 8, 4),
        ("tanh", 8, 8),
        ("tanh", 16, 4),
    ]
    assert cells[8].activation == "relu"
    assert sweep.normals(cells[3]) == 8 * 8 * 8
    assert sweep.replace(method="conditional").normals(cells[3]) == 2 * 8 * 8


def test_keys_never_change() -> None:
    # A change here changes every stored number of every user. The first 8 bytes of the SHA-256 of
    # {"activation":"tanh","depth":32,"seed":1,"sigma_w":1.5,"width":64}
    tanh_key = 8057264658670134588
    # {"activation":"relu","depth":4,"law":"sparse(0.1)","seed":9223372036854775807,
    #  "sigma_b":0.25,"sigma_w":2.0,"width":16} without the line break
    relu_key = 18300515115251568435
    assert cell_key(Cell(0, "tanh", "gaussian", 1.5, 0.0, 32, 64), 1) == tanh_key
    assert cell_key(Cell(9, "tanh", "gaussian", 1.5 + 1e-14, -0.0, 32, 64), 1) == tanh_key
    assert cell_key(Cell(0, "relu", "sparse(0.1)", 2, 0.25, 4, 16), 2**63 - 1) == relu_key
    assert cell_key(Cell(0, "relu", "sparse(0.1)", 2.0, 0.25, 4, 16), 2**63 - 1) == relu_key


def test_every_part_of_the_physics_changes_the_key() -> None:
    cell = Cell(0, "tanh", "gaussian", 1.5, 0.0, 32, 64)
    others = [
        cell._replace(activation="erf"), cell._replace(law="uniform"), cell._replace(sigma_w=1.6),
        cell._replace(sigma_b=0.1), cell._replace(depth=33), cell._replace(width=65),
    ]  # fmt: skip
    assert len({cell_key(other, 1) for other in others} | {cell_key(cell, 1), cell_key(cell, 2)}) == 8


@pytest.mark.parametrize(
    "change",
    [{"seed": 2}, {"networks": 11}, {"dtype": "float64"}, {"record": "networks"}, {"shard_size": 5},
     {"sigma_w": [1.5, 2]}, {"sigma_b": 0.1}, {"activation": "relu"}, {"law": "uniform"}],
)  # fmt: skip
def test_every_key_changes_the_content_hash(change: dict[str, object]) -> None:
    assert make(**change).content_hash != make().content_hash


def test_text_round_trip(tmp_path) -> None:
    sweep = make(activation=["tanh", "leaky_relu(0.2)"], sigma_w=[1e-5, 1e22, 1 / 3], sigma_b=[0, 0.1], seed=2**63 - 1)
    path = tmp_path / "sweep.toml"
    path.write_text(sweep.to_toml(), encoding="utf-8")
    again = Sweep.from_toml(path)
    assert again == sweep
    assert again.to_toml() == sweep.to_toml()
    assert again.content_hash == sweep.content_hash
    path.write_bytes(b"\xef\xbb\xbf" + sweep.to_toml().encode())
    assert Sweep.from_toml(str(path)) == sweep


def test_shipped_sweeps() -> None:
    assert files.shipped() == (
        "norm-placement",
        "phase-relu",
        "phase-sigmoid",
        "phase-tanh",
        "presets",
        "residual-depth",
    )
    sweeps = {name: Sweep.from_toml(name) for name in files.shipped()}
    tanh = sweeps["phase-tanh"]
    assert tanh.cell_count * tanh.networks == 1_064_960
    assert (tanh.sigma_w[0], tanh.sigma_w[-1], len(tanh.sigma_w)) == (0.5, 3.0, 26)
    for sweep in sweeps.values():
        assert sum(map(sweep.normals, sweep.cells())) * sweep.networks < 1.1e11


def test_replace_validates() -> None:
    assert make().replace(networks=99) == make(networks=99)
    with pytest.raises(SweepError, match="networks = 0 is refused"):
        make().replace(networks=0)


def test_frozen_and_hashable() -> None:
    assert len({make(), make(), make(seed=2)}) == 2
    with pytest.raises(ValueError, match="frozen"):
        make().seed = 3  # type: ignore[misc]


REFUSED = [
    ({"sigmaw": 1}, "sigmaw = 1 is refused", "nearest is sigma_w"),
    ({"activation": "tahn"}, "activation = 'tahn' is refused", "nearest is tanh"),
    ({"activation": ["tanh", "reul"]}, r"activation\[1\] = 'reul'", "nearest is relu"),
    ({"activation": 3}, "activation = 3", "tanh"),
    ({"activation": []}, r"activation = \[\]", "one or more"),
    ({"activation": ["tanh", "tanh"]}, r"activation\[1\] = 'tanh'", "each value once"),
    ({"method": "conditionel"}, "method = 'conditionel'", "nearest is conditional"),
    ({"method": ["explicit"]}, r"method = \['explicit'\]", "one of explicit, conditional"),
    ({"law": "normal"}, "law = 'normal'", "nearest is gaussian"),
    ({"activation": "tanh()"}, r"activation = 'tanh\(\)'", "Write for example 'tanh'"),
    ({"law": "gausian"}, "law = 'gausian'", "nearest is gaussian"),
    ({"sigma_w": 0}, "sigma_w = 0 is refused", "numbers > 0"),
    ({"sigma_w": [1, -2.5]}, r"sigma_w\[1\] = -2.5", "numbers > 0"),
    ({"sigma_w": float("nan")}, "sigma_w = nan", "finite"),
    ({"sigma_w": float("inf")}, "sigma_w = inf", "finite"),
    ({"sigma_w": "1.5"}, "sigma_w = '1.5'", "sigma_w = 1.5"),
    ({"sigma_w": True}, "sigma_w = True", "numbers > 0"),
    ({"sigma_w": [[1]]}, r"sigma_w\[0\] = \[1\]", "numbers"),
    ({"sigma_w": []}, r"sigma_w = \[\]", "one or more"),
    ({"sigma_w": np.ones((2, 2))}, r"sigma_w = \(2, 2\)", "Flatten"),
    ({"sigma_w": [1.0, 1.0000000000001]}, r"sigma_w\[1\] = 1.0", "12 significant digits"),
    ({"sigma_w": {"start": 1, "stop": 2, "num": 0}}, "sigma_w: num = 0", "from 1"),
    ({"sigma_w": {"start": 1, "stop": 2, "num": 10**12}}, "sigma_w: num = 1000000000000", str(CELL_CAP)),
    ({"sigma_w": {"start": 1, "stop": 2}}, "sigma_w: num is missing", "whole number"),
    ({"sigma_w": {"start": 1, "stop": 2, "nm": 3}}, "sigma_w: nm = 3", "nearest is num"),
    ({"sigma_w": {"start": 0, "stop": 2, "num": 3, "spacing": "log"}}, "start and stop", "> 0"),
    ({"sigma_w": {"start": 1, "stop": 2, "num": 3, "spacing": "cubic"}}, "spacing = 'cubic'", "linear"),
    ({"sigma_b": -1}, "sigma_b = -1", ">= 0"),
    ({"depth": 0}, "depth = 0", "from 1"),
    ({"depth": 2**20 - 1}, "depth = 1048575", "to 1048574"),
    ({"depth": 2.5}, "depth = 2.5", "whole"),
    ({"depth": {"start": 1.5, "stop": 3, "num": 2}}, "depth: start = 1.5", "whole"),
    ({"depth": {"start": 1, "stop": 3, "num": 9}}, r"depth\[1\] = 1", "each value once"),
    ({"depth": range(1, 10**30)}, "depth = range", "at most"),
    ({"depth": range(1, 1001), "width": range(1, 1002)}, "1001 width x 1000 depth", "at most"),
    ({"width": 0}, "width = 0", "from 1"),
    ({"width": 2**20 + 1}, "width = 1048577", "to 1048576"),
    ({"networks": 0}, "networks = 0", "from 1"),
    ({"networks": 1e4}, "networks = 10000.0", "whole"),
    ({"networks": True}, "networks = True", "whole"),
    ({"networks": 2**48 + 1}, "networks", r"2\^48"),
    ({"seed": -1}, "seed = -1", r"2\^63"),
    ({"seed": 2**63}, "seed = 9223372036854775808", r"2\^63"),
    ({"method": "x"}, "method = 'x'", "explicit"),
    ({"dtype": "float16"}, "dtype = 'float16'", "float32"),
    ({"record": "all"}, "record = 'all'", "layers"),
    ({"shard_size": 0}, "shard_size = 0", ">= 1"),
]


@pytest.mark.parametrize(
    ("change", "got", "remedy"), REFUSED, ids=[f"{i}-{next(iter(r[0]))}" for i, r in enumerate(REFUSED)]
)
def test_refused_with_field_value_and_remedy(change: dict[str, object], got: str, remedy: str) -> None:
    with pytest.raises(SweepError, match=got) as caught:
        make(**change)
    caught.match(remedy)
    assert caught.value.exit_code == 2
    assert len(str(caught.value).splitlines()) == 1


def test_one_sentence_for_each_fault() -> None:
    with pytest.raises(SweepError) as caught:
        Sweep(activation="tanh", sigmaw=1, depth=0, width=8, networks=5, seed=-1)
    lines = str(caught.value).splitlines()
    assert [line.split()[0] for line in lines] == ["sigmaw", "sigma_w", "depth", "seed"]
    assert "sigma_w is missing" in lines[1]
    assert caught.value.field == "sigmaw"


def test_conditional_needs_a_known_law() -> None:
    assert make(method="conditional", law=["gaussian", "orthogonal"]).may_be("conditional")
    with pytest.raises(SweepError, match="only theirs have a known law"):
        make(method="conditional", law=["gaussian", "sparse(0.5)"])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"depth = [4\nwidth = 8\n", "line 2"),
        (b"depth = 4\nwidth = \xff\n", r"not UTF-8 text \(at line 2\)"),
        (b"#" * (2**20 + 1), "larger than 1 MiB"),
        (b"x = " + b"[" * 5000, "not a TOML file"),
        (b"seed = " + b"9" * 5000, "not a TOML file"),
    ],
)
def test_files_that_are_no_sweep(tmp_path, data: bytes, message: str) -> None:
    path = tmp_path / "sweep.toml"
    path.write_bytes(data)
    with pytest.raises(SweepFileError, match=message) as caught:
        Sweep.from_toml(path)
    assert caught.value.exit_code == 2
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("phase-tan", "nearest is phase-tanh"),
        ("/dev/null/x", "no such"),
        ("", "directory"),
        ("a" * 5000, "cannot be read"),
    ],
)
def test_missing_files(name: str, message: str) -> None:
    with pytest.raises(GradsimError, match=message) as caught:
        Sweep.from_toml(name)
    assert caught.value.exit_code == 2


@pytest.mark.skipif(os.name == "nt", reason="needs /dev/fd")
def test_a_sweep_from_a_pipe() -> None:
    """As `<(sed … sweep.toml)` and `/dev/stdin` give one; it is read to its end, however it arrives."""
    text, (reading, writing) = make().to_toml().encode(), os.pipe()

    def write() -> None:
        with open(writing, "wb", buffering=0) as file:
            for i in range(0, len(text), 7):
                file.write(text[i : i + 7])

    with ThreadPoolExecutor(1) as pool, open(reading, "rb"):
        pool.submit(write)
        assert Sweep.from_toml(f"/dev/fd/{reading}") == make()
    with pytest.raises(SweepFileError, match="1 MiB"):
        Sweep.from_toml("/dev/zero")


def test_a_directory_does_not_hide_a_shipped_sweep(tmp_path, monkeypatch) -> None:
    (tmp_path / "phase-tanh").mkdir()
    monkeypatch.chdir(tmp_path)
    assert Sweep.from_toml("phase-tanh").networks == 8192


def cube(h):
    return h * h * h


def cube_slope(h):
    return 3 * h * h


def test_own_activations() -> None:
    mine = Activation("cube", cube, cube_slope)
    sweep = make(activation=["tanh", mine])
    assert [cell.activation for cell in sweep.cells()] == ["tanh", "cube"]
    assert sweep.find_activation("cube") is mine
    assert sweep.find_activation("tanh").name == "tanh"
    with pytest.raises(SweepError, match="cube"):
        sweep.to_toml()
    other = Activation("cube", cube, lambda h: 3.5 * h * h, surrogate=True)
    assert make(activation=["tanh", other]).content_hash != sweep.content_hash
    again = Sweep.from_stored_text(sweep.stored_text().encode(), "sweep.toml")
    assert again.content_hash == sweep.content_hash
    assert isinstance(again.activation[1], OwnActivation)
    with pytest.raises(SweepError, match="with its functions"):
        again.find_activation("cube")


def test_own_activations_keep_off_the_names_of_the_table() -> None:
    with pytest.raises(SweepError, match="own name"):
        make(activation=Activation("tanh", cube, cube_slope))
    assert make(activation=make().find_activation("tanh")) == make()
