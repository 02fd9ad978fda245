"""The same job in other libraries, each as an expert would write it: many networks, gradients of every layer.

A peer is a function of a `Job` and a chunk size that returns a step: a call that draws, runs and differentiates
`chunk` new random networks and returns ln(|delta^1|^2 / |delta^L|^2) of each, a float array (chunk,). Everything a
step needs is imported and allocated before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Step = Callable[[], np.ndarray]


class Job(NamedTuple):
    """Networks of tanh units without biases: C = v . x^L, v ~ N(0, I / N), W ~ N(0, sigma_w^2 / N)."""

    width: int
    depth: int
    sigma_w: float = 1.5

    @property
    def scale(self) -> float:
        """Standard deviation of a weight."""
        return self.sigma_w / self.width**0.5


def torch_loop(job: Job, chunk: int) -> Step:
    """One network at a time, autograd: what most people write."""
    import torch

    n, layers = job.width, job.depth

    def one() -> float:
        x, hs = torch.randn(n), []
        for _ in range(layers):
            h = torch.randn(n, n).mul_(job.scale) @ x
            hs.append(h.requires_grad_() if not hs else h)
            x = torch.tanh(h)
        deltas = torch.autograd.grad((torch.randn(n) @ x) / n**0.5, hs)
        squares = [float((d * d).sum()) for d in deltas]
        return float(np.log(squares[0] / squares[-1]))

    return lambda: np.array([one() for _ in range(chunk)])


def torch_bmm(job: Job, chunk: int) -> Step:
    """Batched matrix products by hand, no autograd, every array made once."""
    import torch

    n, layers = job.width, job.depth
    W = torch.empty(layers, chunk, n, n)
    xs, y = torch.empty(layers + 1, chunk, n, 1), torch.empty(chunk, n, 1)

    def step() -> np.ndarray:
        with torch.inference_mode():
            W.normal_(0.0, job.scale)
            xs[0].normal_()
            for k in range(layers):
                torch.bmm(W[k], xs[k], out=xs[k + 1])
                xs[k + 1].tanh_()
            y.normal_(0.0, n**-0.5)
            squares = []
            for k in range(layers - 1, -1, -1):
                delta = torch.addcmul(y, xs[k + 1] * xs[k + 1], y, value=-1)
                squares.append((delta * delta).sum(dim=(1, 2)))
                if k:
                    torch.bmm(W[k].transpose(1, 2), delta, out=y)
            return torch.log(squares[-1] / squares[0]).cpu().numpy()

    return step


def torch_vmap(job: Job, chunk: int) -> Step:
    """torch.func: vmap over networks of grad with respect to a perturbation of each preactivation."""
    import torch
    from torch.func import grad, vmap

    def cost(bump, W, x, v):  # type: ignore[no-untyped-def]
        for k in range(job.depth):
            x = torch.tanh(W[k] @ x + bump[k])
        return v @ x

    deltas = vmap(grad(cost))
    zero = torch.zeros(chunk, job.depth, job.width)

    def step() -> np.ndarray:
        W = torch.randn(chunk, job.depth, job.width, job.width).mul_(job.scale)
        x, v = torch.randn(chunk, job.width), torch.randn(chunk, job.width).mul_(job.width**-0.5)
        squares = deltas(zero, W, x, v).square().sum(dim=2)
        return torch.log(squares[:, 0] / squares[:, -1]).cpu().numpy()

    return step


def jax_lean(job: Job, chunk: int) -> Step:
    """jit(vmap) of a forward and a backward scan by hand: delta only."""
    import jax
    import jax.numpy as jnp

    def one(key):  # type: ignore[no-untyped-def]
        key_w, key_x, key_v = jax.random.split(key, 3)
        W = jax.random.normal(key_w, (job.depth, job.width, job.width)) * job.scale

        def forward(x, w):  # type: ignore[no-untyped-def]
            x = jnp.tanh(w @ x)
            return x, x

        def backward(y, layer):  # type: ignore[no-untyped-def]
            w, x = layer
            delta = (1 - x * x) * y
            return w.T @ delta, delta @ delta

        _, xs = jax.lax.scan(forward, jax.random.normal(key_x, (job.width,)), W)
        v = jax.random.normal(key_v, (job.width,)) * job.width**-0.5
        _, squares = jax.lax.scan(backward, v, (W, xs), reverse=True)
        return jnp.log(squares[0] / squares[-1])

    return _jax_step(one, chunk)


def jax_full(job: Job, chunk: int) -> Step:
    """jit(vmap(grad)): automatic differentiation with respect to a perturbation of each preactivation."""
    import jax
    import jax.numpy as jnp

    def one(key):  # type: ignore[no-untyped-def]
        key_w, key_x, key_v = jax.random.split(key, 3)
        W = jax.random.normal(key_w, (job.depth, job.width, job.width)) * job.scale
        v = jax.random.normal(key_v, (job.width,)) * job.width**-0.5

        def cost(bump):  # type: ignore[no-untyped-def]
            start = jax.random.normal(key_x, (job.width,))
            return v @ jax.lax.scan(lambda x, layer: (jnp.tanh(layer[0] @ x + layer[1]), None), start, (W, bump))[0]

        squares = (jax.grad(cost)(jnp.zeros((job.depth, job.width))) ** 2).sum(axis=1)
        return jnp.log(squares[0] / squares[-1])

    return _jax_step(one, chunk)


def _jax_step(one, chunk: int) -> Step:  # type: ignore[no-untyped-def]
    import jax

    run, state = jax.jit(jax.vmap(one)), [jax.random.key(np.random.SeedSequence().entropy % 2**32)]

    def step() -> np.ndarray:
        state[0], key = jax.random.split(state[0])
        return np.asarray(run(jax.random.split(key, chunk)))

    return step


def numpy_matmul(job: Job, chunk: int) -> Step:
    """NumPy's batched matmul and its fastest generator, float32, every large array made once."""
    rng = np.random.Generator(np.random.SFC64())
    n, layers = job.width, job.depth
    W, xs = np.empty((layers, chunk, n, n), np.float32), np.empty((layers + 1, chunk, n, 1), np.float32)

    def step() -> np.ndarray:
        rng.standard_normal(dtype=np.float32, out=W)
        rng.standard_normal(dtype=np.float32, out=xs[0])
        for k in range(layers):
            np.tanh(np.matmul(W[k], xs[k]) * np.float32(job.scale), out=xs[k + 1])
        y = rng.standard_normal((chunk, n, 1), np.float32) * np.float32(n**-0.5)
        squares = []
        for k in range(layers - 1, -1, -1):
            delta = (1 - xs[k + 1] * xs[k + 1]) * y
            squares.append((delta * delta).sum(axis=(1, 2)))
            if k:
                y = np.matmul(W[k].transpose(0, 2, 1), delta) * np.float32(job.scale)
        return np.log(squares[-1] / squares[0])

    return step


PEERS: dict[str, tuple[str, Callable[[Job, int], Step]]] = {
    "PyTorch as users write it": ("torch", torch_loop),
    "PyTorch loop, a process a core": ("torch", torch_loop),
    "PyTorch bmm by hand": ("torch", torch_bmm),
    "PyTorch vmap(grad)": ("torch", torch_vmap),
    "JAX jit(vmap), lean": ("jax", jax_lean),
    "JAX jit(vmap(grad))": ("jax", jax_full),
    "NumPy matmul": ("numpy", numpy_matmul),
}
