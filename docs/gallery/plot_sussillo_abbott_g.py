r"""
The scale of weights that keeps the typical gradient
====================================================

The scale g of the weights, their standard deviation times the square root of the width N, at which the mean logarithm
of the gradient stays the same from layer to layer: Sussillo and Abbott (2014, `arXiv:1412.6558
<https://arxiv.org/abs/1412.6558>`_).

The authors derive exp(1 / 2N) for linear networks and fit √2 exp(1.2 / (max(N, 6) - 2.4)) for
relu (dashed). Lines are the exact roots of ``gs.theory.quenched_sigma_w``, dots come from 20,000 simulated networks
each.

**Agrees:** from width 12 on, the fit for relu is within 0.15 % of the exact root, and within 0.004 % at 16; the formula
for linear networks is within 0.26 % from width 8 on. The simulated dots are within 0.2 % of the exact roots.

**Differs:** for narrow networks the fit for relu is too large, by 0.4 % at width 10, 1.5 % at 8 and 6.7 % at 6. Below 6
it is constant while the root goes on rising, and at width 4 it is 2.5 % too small. Networks with a dead layer, whose
logarithm is minus infinity, are left out here.
"""

import matplotlib.pyplot as plt
import numpy as np

import gradsim as gs

NETWORKS, DEPTH = 20_000, 20
widths = np.unique(np.geomspace(3, 1000, 60).astype(int))
relu_fit = np.sqrt(2) * np.exp(1.2 / (np.maximum(widths, 6) - 2.4))
with gs.plots.style("double"):
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.3))
    for color, activation, fit in (("#0072B2", "relu", relu_fit), ("#D55E00", "linear", np.exp(1 / (2 * widths)))):
        exact = gs.theory.quenched_sigma_w(activation, widths)["sigma_w"].to_numpy()
        left.plot(widths, exact, color, label=f"{activation}: exact")
        for width in (4, 6, 8, 16, 32, 64, 128):
            ens = gs.simulate(activation, depth=DEPTH, width=width, networks=NETWORKS, method="conditional")
            mean = ens.log_gain[ens.status == 0, 0].mean()  # at sigma_w = 1; it grows by 2 ln sigma_w a layer
            left.plot(width, np.exp(-mean / (2 * (DEPTH - 1))), "o", color=color)
        left.plot(widths, fit, "k--", linewidth=0.9, label="formulas of 2014" if activation == "linear" else None)
        right.plot(widths, 100 * (fit / exact - 1), color, label=activation)
    left.set(xlabel="width N", ylabel="g that keeps the mean of ln |δ|", xscale="log")
    right.set(xlabel="width N", ylabel="formula over exact value - 1 (%)", xscale="log", ylim=(-4, 8))
    right.axhline(0, color="grey", linewidth=0.6)
    left.legend()
    right.legend()
plt.show()
