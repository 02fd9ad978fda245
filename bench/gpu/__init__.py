"""The CUDA path on a real GPU, checked and measured in one command of a few minutes.

From the root of the repository, on a machine that need have no more than an NVIDIA GPU with its driver and Python with
NumPy, Numba and PyTorch::

    PYTHONPATH=.:core:data python -m bench.gpu --json out/gpu.json

The packages cuda-core and cuda-bindings may lie in any folder that PYTHONPATH names too. Without pandas, pydantic and
what else gradsim needs, the part that runs whole sweeps is left out, and says so. The exit code is 0 if all went well,
1 if any bit differs from the CPU's, 2 if a part failed, was not reached or could not be tried.

`cases` says what is run, `lab` is the GPU, and each of `bits`, `loading`, `timing`, `blocks`, `torch_peers` and `tools`
is a part. After every part the JSON file is written again, so that little is lost if the process is killed.
"""
