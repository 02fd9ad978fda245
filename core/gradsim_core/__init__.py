"""The compiled core of gradsim, which depends on NumPy and Numba only. `core/README.md` describes the architecture.

Importing the package does not import Numba; kernels compile when a `simulator.Simulator` first runs.
"""
