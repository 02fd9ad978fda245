"""Spectra of input-output Jacobians: all singular values of explicit networks, the largest ones at any width."""

from gradsim.spectra.jacobian import jacobian
from gradsim.spectra.moments import Moments
from gradsim.spectra.result import Jacobian

__all__ = ["Jacobian", "Moments", "jacobian"]
