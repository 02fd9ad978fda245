"""The table of architectures, and the choice of a schedule, which always goes through it."""

from __future__ import annotations

from dataclasses import dataclass

from gradsim_core.laws import WeightLaw
from gradsim_core.schedules.table import SCHEDULES, Schedule


@dataclass(frozen=True)
class Architecture:
    """A row of the table: a kind of network, its formula, and the schedules that can run it, in order of preference."""

    name: str
    formula: str
    schedules: tuple[Schedule, ...]


ARCHITECTURES: dict[str, Architecture] = {
    row.name: row for row in (Architecture("plain", "h^l = W^l x^(l-1) + b^l, x^l = phi(h^l), one width", SCHEDULES),)
}


def choose_schedule(
    method: str, law: WeightLaw, depth: int, width: int, *, architecture: str = "plain", device: str = "cpu"
) -> Schedule:
    """The first schedule of an architecture that has the method and the device and applies to the law and the shape.

    Raises
    ------
    ValueError
        If there is none.
    """
    for schedule in ARCHITECTURES[architecture].schedules:
        if (schedule.method, schedule.device) == (method, device) and schedule.applies(law, depth, width):
            return schedule
    raise ValueError(
        f"no schedule runs {architecture} networks of depth {depth} and width {width} with {law.name} weights by the "
        f"{method} method on {device!r}."
    )
