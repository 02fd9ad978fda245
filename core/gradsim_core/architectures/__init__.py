"""Architectures: the kinds of networks that can be simulated, and the schedules that run them."""

from .methods import METHODS, Method
from .network import PLAIN, Network
from .presets import PRESETS, Preset
from .streams import why_not_radial
from .table import ARCHITECTURES, Architecture, choose_schedule, is_radial, is_separable, normals

__all__ = [
    "ARCHITECTURES", "METHODS", "PLAIN", "PRESETS", "Architecture", "Method", "Network", "Preset", "choose_schedule",
    "is_radial", "is_separable", "normals", "why_not_radial",
]  # fmt: skip
