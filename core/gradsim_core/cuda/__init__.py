"""The same kernels for NVIDIA GPUs: the core's own text, compiled to PTX by Numba and LLVM's NVPTX back end."""
