"""Quantities, computed from sums of squares, and statistics of quantities, which merge exactly."""
