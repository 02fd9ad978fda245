"""What is simulated: a validated, immutable `Sweep` and its cells."""

from gradsim.sweep.model import AXES, Sweep

__all__ = ["AXES", "Sweep"]
