"""What is simulated: a validated, frozen `Sweep` and the cells in it."""

from gradsim.sweep.model import AXES, METHODS, Sweep

__all__ = ["AXES", "METHODS", "Sweep"]
