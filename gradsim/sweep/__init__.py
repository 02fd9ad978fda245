"""What is simulated: a validated, frozen `Sweep` and the cells in it."""

from gradsim.sweep.model import AXES, Sweep

__all__ = ["AXES", "Sweep"]
