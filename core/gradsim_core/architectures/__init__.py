"""Architectures: the kinds of networks that can be simulated, and the schedules that run them."""

from .methods import METHODS, Method
from .table import ARCHITECTURES, Architecture, choose_schedule

__all__ = ["ARCHITECTURES", "METHODS", "Architecture", "Method", "choose_schedule"]
