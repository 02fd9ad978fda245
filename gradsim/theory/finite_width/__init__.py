"""Exact laws at finite width, and the first correction in 1/width."""
