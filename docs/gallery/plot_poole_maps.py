r"""
Maps of length and correlation
==============================

How one layer of a tanh network changes the mean square q of the preactivations, and the correlation c of two inputs:
figures 1A and 2A of Poole, Lahiri, Raghu, Sohl-Dickstein and Ganguli (2016, `arXiv:1606.05340
<https://arxiv.org/abs/1606.05340>`_).

Biases have standard deviation 0.3. Lines are the theory of infinite width, dots the mean of six random layers of 1,000
neurons; stars are fixed points, for q as ten layers of simulated networks reach them. Where the map of c meets the
diagonal below 1, two inputs that are nearly alike move apart: the network is chaotic.

**Agrees:** the fixed points are q* = 0.6070, 4.0791 and 12.6041, and c* = 1, 0.1221 and 0.0297. The slope of the map of
c at 1 is 0.9398, 1.5852 and 2.3673, so that only the first network is in the ordered phase. The dots lie within 3 % of
the map of q and within 0.04 of the map of c.

**Differs:** the paper prints no numbers, so those above are solutions of its equations 3 and 5. At width 1,000 a single
layer scatters by about 10 % around the map of q; the dots are means over random inputs and networks, none of them
trained.
"""

import matplotlib.pyplot as plt
import numpy as np

import gradsim as gs

NETWORKS, WIDTH, POINTS, SIGMA_B = 6, 1000, 31, 0.3
(q, c), z = np.linspace(0, (15, 1), POINTS).T, np.random.default_rng(1).normal(size=(NETWORKS, 2, WIDTH))
with gs.plots.style("double"):
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.4))
    for color, sigma_w in (("#0072B2", 1.3), ("#D55E00", 2.5), ("#009E73", 4.0)):
        left.plot(q, gs.theory.q_map("tanh", q, sigma_w, SIGMA_B)["next_q"], color, label=rf"$\sigma_w$ = {sigma_w}")
        right.plot(c, gs.theory.c_map("tanh", c, sigma_w, SIGMA_B)["next_c"], color)
        q_star, c_star = gs.theory.mean_field("tanh", sigma_w, SIGMA_B)[:2]
        ens = gs.simulate("tanh", sigma_w, SIGMA_B, depth=10, width=WIDTH, networks=NETWORKS)
        for ax, x, y in ((left, q_star, np.exp(ens.log_q[:, -1]).mean()), (right, c_star, c_star)):
            ax.plot(x, y, "*", color=color, markersize=11, markeredgecolor="black")
        next_q, next_c = [], []
        for network, (z1, z2) in enumerate(z):  # a layer of each, for inputs of any length and correlation
            net = gs.weights(network, activation="tanh", sigma_w=sigma_w, sigma_b=SIGMA_B, depth=1, width=WIDTH)
            pair = np.array([z1, *(r * z1 + np.sqrt(1 - r**2) * z2 for r in c[2::4])])
            h, *others = np.tanh(np.sqrt(q_star) * pair) @ net.W[0].T + net.b[0]
            next_q.append([np.mean((np.tanh(np.sqrt(x) * z1) @ net.W[0].T + net.b[0]) ** 2) for x in q[2::4]])
            next_c.append(np.array(others) @ h / WIDTH / q_star)
        left.plot(q[2::4], np.mean(next_q, axis=0), "o", color=color)
        right.plot(c[2::4], np.mean(next_c, axis=0), "o", color=color)
    for ax, name in ((left, "mean square q"), (right, "correlation c")):
        ax.axline((0, 0), slope=1, color="grey", linewidth=0.7)
        ax.set(xlabel=f"{name} in a layer", ylabel=f"{name} in the next layer")
    figure.legend(loc="outside upper left", ncols=3)
plt.show()
