"""Extensions of a sweep: validated, canonical, in a chain of hashes."""

from __future__ import annotations

import hashlib
import json

import pytest

from gradsim.errors import SweepError, SweepFileError
from gradsim.sweep import Sweep
from gradsim.sweep.extension import Extension

PARENT = "ab" * 32
CELLS = Sweep(activation="tanh", sigma_w=[1, 2], depth=[3, 4], width=8, networks=10, seed=1).cells()


def make(**changes: object) -> Extension:
    return Extension(**{"parent": PARENT, "cells": ((0, 1.5),), "networks": ((1, 20), (4, 30)), **changes})


def test_the_text_is_canonical_and_reads_back() -> None:
    one = make(cells=[[0, 1.2500000000001], [2, 1.5]], networks=[[4, 5], [5, 6]])
    assert one.cells == ((0, 1.25), (2, 1.5))
    assert Extension.from_text(one.text().encode(), "file") == one
    lines = [line for line in one.text().splitlines() if not line.startswith("#")]
    assert lines[:3] == [f'parent = "{PARENT}"', "cells = [[0, 1.25], [2, 1.5]]", "networks = [[4, 5], [5, 6]]"]


def test_the_hash_is_that_of_the_content() -> None:
    text = json.dumps({"cells": [[0, 1.5]], "networks": [[1, 20], [4, 30]], "parent": PARENT}, separators=(",", ":"))
    assert make().content_hash == hashlib.sha256(text.encode()).hexdigest()
    others = [make(parent="cd" * 32), make(cells=((0, 1.6),)), make(networks=((1, 21), (4, 30))), make(cells=())]
    assert len({make().content_hash, *(one.content_hash for one in others)}) == 5


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"parent": "0"}, "parent = '0' is refused; allowed: 64 hexadecimal digits"),
        ({"networks": ()}, "networks"),
        ({"networks": ((4, 0),)}, "networks"),
        ({"networks": ((4, 2**48 + 1),)}, "networks"),
        ({"networks": ((4, 30), (1, 20))}, "ascending order"),
        ({"networks": ((4, 30), (4, 20))}, "each once"),
        ({"cells": ((0, 1.5), (0, 1.5 + 1e-14))}, "each once"),
        ({"cells": ((0, 0.0),)}, "cells"),
        ({"cells": ((0, float("nan")),)}, "cells"),
        ({"cells": ((-1, 1.0),)}, "cells"),
        ({"seed": 3}, "one of the keys parent, cells, networks"),
    ],
)
def test_wrong_values_are_refused(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(SweepError, match=sentence):
        make(**changes)


def test_new_cells_go_on_from_the_last() -> None:
    found = make(cells=((0, 1.5), (3, 1.1)), networks=((4, 1), (5, 1))).new_cells(CELLS)
    assert found == [CELLS[0]._replace(cell_id=4, sigma_w=1.5), CELLS[3]._replace(cell_id=5, sigma_w=1.1)]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"cells": ((4, 1.5),)}, "a cell_id from 0 to 3"),
        ({"cells": ((1, 1.0),)}, "Add networks to cell 0, which is the same"),
        ({"cells": ((0, 1.5), (1, 1.5)), "networks": ((4, 1), (5, 1))}, "Add networks to cell 4"),
        ({"networks": ((1, 20),)}, "among them all 1 new ones"),
        ({"networks": ((4, 20), (5, 1))}, "networks of cells 0 to 4"),
    ],
)
def test_what_does_not_fit_the_cells_is_refused(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(SweepError, match=sentence):
        make(**changes).new_cells(CELLS)


def test_any_changed_value_of_the_text_is_found() -> None:
    text = make().text()
    for old, new in (("1.5]", "1.6]"), ("20]", "21]"), ("abab", "abac"), ("[[0", "[[1")):
        with pytest.raises(SweepError, match="A value in it was changed"):
            Extension.from_text(text.replace(old, new, 1).encode(), "file")
    with pytest.raises(SweepError, match="content_hash"):
        Extension.from_text("\n".join(text.splitlines()[:-1]).encode(), "file")
    with pytest.raises(SweepFileError):
        Extension.from_text(text[:-5].encode(), "file")
