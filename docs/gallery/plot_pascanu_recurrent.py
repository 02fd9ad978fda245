r"""
Gradients through time
======================

How the gradient of a recurrent network changes on its way back through time, for recurrent matrices of different
spectral radius: the setting of Pascanu, Mikolov and Bengio (2013, `arXiv:1211.5063
<https://arxiv.org/abs/1211.5063>`_), section 2. The paper proves the conditions and has no figure of this decay.

Lines are medians over eight networks of 32 neurons, by ``gs.lessons.recurrent``; dotted lines have the slope of
ρ^k, the spectral radius to the power of the number of steps.

**Agrees:** without a nonlinearity the gradient changes by the spectral radius at each step: measured from 20 to 59
steps back, the factors are 1.998, 1.193, 0.995, 0.800 and 0.500 for ρ = 2, 1.2, 1, 0.8 and 0.5. An
orthogonal matrix keeps the length to rounding. No sequence exceeds the paper's bound, the power k of
max \|φ'\| times the largest singular value of W.

**Differs:** with tanh a radius above 1 is not sufficient for exploding gradients. At ρ = 1.2 the gradient
still vanishes, by a factor 0.85 a step, and at 2 it grows by 1.06 only. An orthogonal matrix then loses a factor 0.77 a
step.
"""

import matplotlib.pyplot as plt

import gradsim as gs

REPLICAS, STEPS = 8, 60
table = gs.lessons.recurrent(replicas=REPLICAS, steps=STEPS)
median = table.groupby(["activation", "matrix", "distance"])["ratio"].median()
with gs.plots.style("double"):
    figure, axes = plt.subplots(1, 2, figsize=(7, 3.4), sharey=True)
    for ax, activation in zip(axes, ("linear", "tanh"), strict=True):
        for matrix in ("2.0", "1.2", "1.0", "0.8", "0.5", "orthogonal"):
            curve = median[activation, matrix]
            ax.plot(curve.index, curve, label=matrix if matrix == "orthogonal" else f"ρ = {matrix}")
            if activation == "linear" and matrix != "orthogonal":
                half = STEPS // 2
                ax.plot(curve.index, curve[half] * float(matrix) ** (curve.index - half), "k:", linewidth=1)
        ax.set(title=activation, xlabel="steps k back in time", yscale="log", ylim=(1e-24, 1e22))
    axes[0].set_ylabel("|δ| k steps back, over |δ| at the end")
    axes[1].legend(ncols=2, loc="upper left")
plt.show()
