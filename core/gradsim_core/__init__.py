"""The compiled core of gradsim: NumPy and Numba only. See `core/README.md` for the architecture.

Importing it imports no Numba; kernels compile when a `cpu.Simulator` first runs.
"""
