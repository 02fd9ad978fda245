"""Schedules: the ways in which a block of networks runs through the processor."""
