"""Schedules: the ways of running a block of networks on a processor."""
