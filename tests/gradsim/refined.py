"""A small run whose boundaries are refined in a moment, by several extensions."""

from __future__ import annotations

from pathlib import Path

import gradsim as gs
from tests.gradsim.small_dataset import contents

SWEEP = gs.Sweep(
    activation="tanh",
    sigma_w=[1.0, 1.2, 1.4, 1.6, 1.8, 2.0],
    depth=[8, 16],
    width=32,
    networks=200,
    seed=5,
    method="conditional",
    shard_size=1_000_000,
)
TARGET = 0.015


def base(path: Path) -> gs.Run:
    return gs.run(SWEEP, path, progress="none")


def refined(path: Path, target: float = TARGET, **options: object) -> gs.Run:
    """The run, refined; what was begun there goes on."""
    return base(path).refine(target, progress="none", **options).run


def same(run: gs.Run, clean: gs.Run) -> None:
    """The bytes of all tables, what manifests say of them, the extensions and the digest are equal; no problem."""
    assert contents(run.path) == contents(clean.path)
    assert [one.parts for one in run.dataset.manifests()] == [one.parts for one in clean.dataset.manifests()]
    assert run.dataset.plan.extensions == clean.dataset.plan.extensions
    found = run.verify()
    assert (found.problems, found.digest) == ([], clean.verify().digest)
