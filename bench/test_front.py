"""What a user waits for before the first network: a sweep's plan, theory's curve."""

from __future__ import annotations

from gradsim import theory
from gradsim.simulation.plan import plan
from gradsim.sweep import Sweep


def test_plan_of_many_cells(benchmark):
    """A plan of 100,000 cells, one of its shards and its estimate."""
    last = 11 if benchmark.disabled else 1001
    sweep = Sweep(activation="tanh", sigma_w=range(1, last), depth=range(1, 101), width=64, networks=2**48, seed=1)

    def planned():
        made = plan(sweep)
        return made.shard(made.shard_count // 2), made.estimate()

    benchmark(planned)


def test_boundary_by_theory(benchmark):
    """Five depths of the boundary of tanh."""
    benchmark(lambda: [theory.boundary("tanh", depth) for depth in (4, 8, 16, 32, 64)])
