"""The table of architectures. A schedule is always chosen through its row."""

from __future__ import annotations

from dataclasses import dataclass

from gradsim_core.laws import WeightLaw
from gradsim_core.schedules.table import SCHEDULES, Schedule

METHODS = ("explicit", "conditional")
"""With real weights, or by their exact law given what was seen of them."""


@dataclass(frozen=True)
class Architecture:
    """A row of the table: a kind of network, and the schedules that can run it, in order of preference."""

    name: str
    formula: str
    schedules: tuple[Schedule, ...]


ARCHITECTURES: dict[str, Architecture] = {
    row.name: row for row in (Architecture("plain", "h^l = W^l x^(l-1) + b^l, x^l = phi(h^l), one width", SCHEDULES),)
}


def choose_schedule(
    method: str, law: WeightLaw, depth: int, width: int, *, architecture: str = "plain", device: str = "cpu"
) -> Schedule:
    """Return the schedule that runs networks of an architecture, method and shape on a device.

    Raises
    ------
    ValueError
        If none does.
    """
    for schedule in ARCHITECTURES[architecture].schedules:
        if (schedule.method, schedule.device) == (method, device) and schedule.applies(law, depth, width):
            return schedule
    raise ValueError(
        f"no schedule runs {architecture} networks of depth {depth} and width {width} with {law.name} weights by the "
        f"{method} method on {device!r}."
    )
