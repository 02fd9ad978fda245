"""From the core's text to PTX: a Numba target, LLVM's back end, and the functions of a user's own activation."""
