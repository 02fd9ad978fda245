r"""
Edges of chaos of five activations
==================================

The scales of weights and biases at which gradients neither vanish nor explode in wide networks: Hayou, Doucet and
Rousseau (2019, `arXiv:1902.06853 <https://arxiv.org/abs/1902.06853>`_), figure 3.

On the lines χ₁, the factor of the squared gradient per layer, is 1.

**Agrees:** smooth activations have a curve. Without biases it begins at σ_w = 1 for tanh and elu, whose
slope at 0 is 1, and at √π / 2 = 0.8862 for erf.

**Differs:** for relu the paper has a single point, σ_w = √2 without biases, since it also asks that
the length of the preactivations stays finite; χ₁ alone is 1 on a whole line. The curve of gelu begins only
at σ_b = 0.4158, with σ_w = 1.4082: with smaller biases χ₁ jumps over 1 where the
length runs to infinity. Axes are standard deviations of the weights and biases, the weights' times
√width.
"""

import matplotlib.pyplot as plt
import numpy as np

import gradsim as gs

POINTS = 21
sigma_b = np.linspace(0, 1.4, POINTS) ** 2
activations = ["tanh", "erf", "elu(1)", "gelu", "relu"]
table = gs.theory.critical_sigma_w(activations, sigma_b=sigma_b[:, None]).set_index("activation")
with gs.plots.style("double"):
    figure, ax = plt.subplots(figsize=(7, 3.4))
    for name in activations:
        ax.plot(table.loc[name, "sigma_w"], table.loc[name, "sigma_b"], label=name)
    ax.set(xlabel=r"$\sigma_w$", ylabel=r"$\sigma_b$")
    ax.legend()
plt.show()
