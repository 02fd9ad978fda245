r"""
Relu networks that are born dead
================================

The probability that a random relu network is dead, that is, that some layer has no active neuron and all gradients are
zero, against depth and for several widths N: Lu, Shin, Su and Karniadakis (2019, `arXiv:1903.06733
<https://arxiv.org/abs/1903.06733>`_), who plot it for networks dead for all inputs.

Lines are exact (``gs.theory.gain_law``), dots 20,000 simulated networks each. Right: the number of layers at which half
of all networks are dead.

**Agrees:** the formula 1 - (1 - 2^-N)^L for L hidden layers is the exact probability to the last digit of
float64, and all 30 dots lie within 1.7 standard errors of it. Half of the networks are dead at 2.4 layers for N = 2, at
177 for N = 8 and at 45,426 for N = 16.

**Differs:** a network is called dead here if it is so for its one input. The paper asks for networks that are dead for
all inputs; the formula is an upper bound of that probability.
"""

import matplotlib.pyplot as plt
import numpy as np

import gradsim as gs

NETWORKS, DEPTH, POINTS = 20_000, 100, 40
depths = np.unique(np.geomspace(2, DEPTH, POINTS).astype(int))
some, widths = np.array([2, 5, 10, 20, 40, 80]), np.arange(1, 17)
with gs.plots.style("double"):
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.6))
    for width in (2, 3, 4, 6, 8):
        exact = [gs.theory.gain_law("relu", int(depth), width, np.sqrt(2)).dead_fraction for depth in depths]
        (line,) = left.plot(depths, exact, label=f"N = {width}")
        ens = gs.simulate("relu", np.sqrt(2), depth=DEPTH, width=width, networks=NETWORKS, method="conditional")
        dead = np.isneginf(ens.log_q)  # h of a layer is 0 if a layer before it is dead
        left.plot(some, dead[:, some].mean(axis=0), "o", color=line.get_color())
    left.plot([], [], "ko", label="simulated")
    left.set(xlabel="hidden layers", ylabel="probability of a dead network", xscale="log")
    figure.legend(loc="outside upper left", ncols=6, columnspacing=1)
    right.plot(widths, np.log(0.5) / np.log1p(-(0.5**widths)), "o-", label="exact")
    right.plot(widths, np.log(2) * 2.0**widths, "k:", label=r"$2^N \, \ln 2$")
    right.set(xlabel="width N", ylabel="layers at which half are dead", yscale="log", xticks=range(2, 17, 2))
    right.legend()
plt.show()
