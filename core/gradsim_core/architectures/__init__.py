"""Architectures: the kinds of networks that can be simulated, and the schedules that run them."""

from .table import ARCHITECTURES, METHODS, Architecture, choose_schedule

__all__ = ["ARCHITECTURES", "METHODS", "Architecture", "choose_schedule"]
