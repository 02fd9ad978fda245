"""A PyTorch model's initialisation, checked: what its layers do over seeds, beside presets and gradsim's laws."""

from gradsim.checking.bands import expected_band
from gradsim.checking.check import check
from gradsim.checking.result import Check

__all__ = ["Check", "check", "expected_band"]
