r"""
Depth scales, and how deep a network can be trained
===================================================

How many layers information survives in a tanh network, and how its gradient changes: Schoenholz, Gilmer, Ganguli and
Sohl-Dickstein (2017, `arXiv:1611.01232 <https://arxiv.org/abs/1611.01232>`_), figure 5 and section 4.

The biases have variance 0.05. Left: the depth scales of the correlation, the gradient and the length; the grey area
ends at 6 ξ_c, the curve that the paper draws over its training results. Right: the length of the gradient
through 120 layers of 300 neurons, with the slope ½ ln χ₁ of the theory (dotted).

**Agrees:** ξ_c diverges at σ_w² = 1.7610, and is 15.79 layers at 1.5. The gradient falls below
that point and grows above it.

**Differs:** no network is trained here, so that 6 ξ_c as the limit of training is the paper's own result,
not checked by gradsim. At width 300 the simulated ln of the squared gradient changes by -0.0687, -0.0057 and 0.1188 a
layer (standard errors 0.001), where infinite width has -0.0633, 0 and 0.1253. The difference is the correction of order
1 / width: with ``gs.theory.width_correction`` the theory is -0.0685, -0.0056 and 0.1184.
"""

import matplotlib.pyplot as plt
import numpy as np

import gradsim as gs

NETWORKS, WIDTH, DEPTH, POINTS = 200, 300, 120, 151
SIGMA_B = 0.05**0.5
layer, squares = np.arange(1, DEPTH + 1), np.linspace(1, 4, POINTS)
scales = gs.theory.plane("tanh", np.sqrt(squares), SIGMA_B)
critical = gs.theory.critical_sigma_w("tanh", SIGMA_B) ** 2
names = {"xi_c": r"$\xi_c$", "xi_grad": r"$|\xi_\nabla|$", "xi_q": r"$\xi_q$"}
blue, orange, green = "#0072B2", "#D55E00", "#009E73"
with gs.plots.style("double"):
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.3))
    left.fill_between(squares, 1, 6 * scales["xi_c"], color="0.9", label=r"less than $6\,\xi_c$")
    for color, name in zip((blue, orange, green), names, strict=True):
        left.plot(squares, abs(scales[name]), color, label=names[name])
    left.axvline(critical, color="grey", linestyle="--", linewidth=0.8)
    left.set(xlabel=r"$\sigma_w^2$", ylabel="layers", yscale="log", ylim=(1, 1000), xlim=(1, 4))
    left.legend()
    for color, square in zip((blue, green, orange), (1.5, critical, 2.5), strict=True):
        sigma_w = square**0.5
        ens = gs.simulate("tanh", sigma_w, SIGMA_B, depth=DEPTH, width=WIDTH, networks=NETWORKS, method="conditional")
        right.plot(layer, ens.log_gain.mean(axis=0) / np.log(100), color, label=rf"$\sigma_w^2$ = {square:.2f}")
        slope = np.log(gs.theory.chi_1("tanh", sigma_w, SIGMA_B)) / np.log(100)
        right.plot(layer, slope * (DEPTH - layer), "k:", linewidth=1)
    right.set(xlabel="layer", xlim=(0, DEPTH + 5), ylabel="log₁₀ of |δ| over that of the last layer")
    right.legend()
plt.show()
