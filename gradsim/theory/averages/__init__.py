"""Gaussian averages of an activation: what all of the theory is made of."""
