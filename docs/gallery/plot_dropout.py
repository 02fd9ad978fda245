r"""
The critical line with dropout
==============================

The weight variance at which relu networks with dropout neither vanish nor explode, against the probability p that a
neuron is kept: Pretorius, van Biljon, Kroon and Kamper (2018, `arXiv:1811.00293 <https://arxiv.org/abs/1811.00293>`_).

The critical value is σ_w² = 2 / μ₂, with the second moment μ₂ = 1 / p of the noise. Right:
the mean square of the preactivations for p = 0.7, at this value and at 2.

**Agrees:** at nine values of p the measured critical variance is within 0.5 % of 2p. At σ_w² = 2 the mean
square grows 219-fold over 15 layers; the theory, 0.7⁻¹⁵, has 211.

**Differs:** gradsim has no dropout. It gives the theory without noise, by ``gs.theory.critical_sigma_w``, and the
weights of 20 networks of width 256; a few lines of NumPy add the noise. Only the forward pass is checked. Here kept
neurons are divided by p, so that the mean of the noise is 1.
"""

import matplotlib.pyplot as plt
import numpy as np

import gradsim as gs

NETWORKS, WIDTH, DEPTH, COPIES = 20, 256, 16, 50
keep, layers = np.linspace(0.2, 1, 9), np.arange(1, DEPTH + 1)  # mu_2 = 1 / keep
theory = (gs.theory.critical_sigma_w("relu") / np.sqrt(1 / keep)) ** 2
rng, q = np.random.default_rng(1), np.zeros((DEPTH, len(keep)))
for network in range(NETWORKS):
    net = gs.weights(network, activation="relu", sigma_w=1.0, depth=DEPTH, width=WIDTH)
    x = np.broadcast_to(net.x0, (COPIES, len(keep), WIDTH))
    for layer in range(DEPTH):
        h = x @ net.W[layer].T
        q[layer] += (h**2).mean(axis=(0, 2)) / NETWORKS
        x = np.maximum(h, 0) * (rng.random(h.shape) < keep[:, None]) / keep[:, None]
measured = (q[0] / q[-1]) ** (1 / (DEPTH - 1))  # 1 over the factor a layer at sigma_w = 1
with gs.plots.style("double"):
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.2))
    left.plot(keep, theory, "#0072B2", label=r"theory: $2 / \mu_2$ = 2 p")
    left.plot(keep, measured, "o", color="#D55E00", label="networks with dropout")
    left.set(xlabel="probability p that a neuron is kept", ylabel=r"critical $\sigma_w^2$")
    for color, name, square in (("#D55E00", "2", 2.0), ("#0072B2", "2 p", 2 * keep[5])):
        right.semilogy(layers, q[:, 5] * square**layers, color, label=rf"$\sigma_w^2$ = {name}")
    right.set(xlabel="layer", ylabel="mean square q", title=f"p = {keep[5]:.1f}", xticks=layers[1::2])
    left.legend()
    right.legend()
plt.show()
