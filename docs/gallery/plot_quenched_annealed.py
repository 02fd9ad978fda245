r"""
Three boundaries of one network
===============================

The scale of the weights at which gradients of a relu network of 16 layers neither vanish nor explode, by three
definitions of it, from two papers.

The mean of ln gain is 0 on the quenched boundary, as in Sussillo and Abbott (2014, `arXiv:1412.6558
<https://arxiv.org/abs/1412.6558>`_). The mean gain is 1 on the annealed one, √2 at every width, as in He et
al. (2015, `arXiv:1502.01852 <https://arxiv.org/abs/1502.01852>`_). The median gain is 1 on the third. None of the
papers compares them in a figure. Left: exact roots; right: roots measured with 20,000 networks a point, with intervals.

**Agrees:** all 15 measured roots are within 0.25 % of the exact ones, and 12 of 13 intervals of 95 % hold them. The
boundaries meet as the width grows: quenched and annealed are 22 % apart at width 8, 2 % at 64 and 1 % at 128.

**Differs:** the annealed boundary at widths 8 and 16 has no interval. There the mean gain is that of a few rare
networks, so gradsim gives the root without an interval.
"""

import tempfile

import matplotlib.pyplot as plt
import numpy as np

import gradsim as gs

NETWORKS, DEPTH = 20_000, 16
widths, some = np.unique(np.geomspace(4, 256, 40).astype(int)), [8, 16, 32, 64, 128]
roots = {
    "quenched": lambda width: gs.theory.quenched_sigma_w("relu", width)["sigma_w"].to_numpy(),
    "median": lambda width: gs.theory.median_sigma_w("relu", DEPTH, width)["sigma_w"].to_numpy(),
    "annealed": lambda width: gs.theory.moment_sigma_w("relu", 2.0, width)["sigma_w"].to_numpy(),
}
axes = {"sigma_w": {"start": 1.3, "stop": 1.9, "num": 13}, "depth": DEPTH, "width": some}
sweep = gs.Sweep(activation="relu", **axes, networks=NETWORKS, seed=1, method="conditional")
with tempfile.TemporaryDirectory() as folder:
    found = gs.run(sweep, folder, progress="none").boundary().set_index("kind")
with gs.plots.style("double"):
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.2))
    for color, kind, shift in (("#0072B2", "quenched", 1), ("#009E73", "median", 1.06), ("#D55E00", "annealed", 1.12)):
        left.plot(widths, roots[kind](widths), color, label=kind)
        root, low, high = 100 * (found.loc[kind, ["sigma_w", "ci_low", "ci_high"]].to_numpy().T / roots[kind](some) - 1)
        right.errorbar(shift * np.array(some), root, (root - low, high - root), fmt="o", color=color, capsize=2)
    left.set(xlabel="width", ylabel=r"$\sigma_w$ on the boundary: exact", xscale="log")
    right.set(xlabel="width", ylabel="measured over exact - 1 (%), 95 %", xscale="log")
    right.axhline(0, color="grey", linewidth=0.6)
    left.legend()
plt.show()
