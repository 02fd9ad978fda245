r"""
Weights that keep a moment of the gradient
==========================================

The weight variance at which a moment of the gradient, the mean of its length to the power of s, stays the same through
the layers of a relu network: Gürbüzbalaban and Hu (2020, `arXiv:2005.11878 <https://arxiv.org/abs/2005.11878>`_).

The authors set σ_w² = 2 + 5 (2 - s) / (2n) to first order in the width n. Solid lines are exact, by
``gs.theory.moment_sigma_w``. The paper gives the formula and has no figure of its error.

**Agrees:** s = 2 gives He's value 2 at every width. At s = 1 the first order is within 0.04 % at width 64 and 0.002 %
at 256. The exact roots for s = 1/2, 1 and 3/2 at width 16 are 2.27006, 2.16918 and 2.07994, as the paper's condition
demands.

**Differs:** in narrow networks the first order is too small: at width 16 by 0.6 % for s = 1, and by 2.8 % for s = 0.1.
"""

import matplotlib.pyplot as plt
import numpy as np

import gradsim as gs

moments = np.linspace(0.1, 2, 39)
with gs.plots.style("double"):
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.3))
    for color, width in (("#0072B2", 16), ("#D55E00", 64), ("#009E73", 256)):
        exact = gs.theory.moment_sigma_w("relu", moments, width)["sigma_w"].to_numpy() ** 2
        first_order = 2 + 5 * (2 - moments) / (2 * width)
        left.plot(moments, exact, color, label=f"width {width}")
        left.plot(moments, first_order, "--", color=color, linewidth=0.9)
        right.plot(moments, 100 * (first_order / exact - 1), color)
    left.plot([], [], "k--", linewidth=0.9, label="first order in 1 / width")
    left.set(xlabel="moment s", ylabel=r"$\sigma_w^2$ that keeps the mean of $|\delta|^s$")
    right.set(xlabel="moment s", ylabel="first order over exact value - 1 (%)")
    left.legend()
plt.show()
