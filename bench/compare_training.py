"""Training of replicas beside PyTorch, in one run: `python -m bench.compare_training --help`.

The job of the lessons: replicas of 784-30-30-30-30-10 (sigmoid, cross-entropy, L2), full-batch descent on 1,000
images, float32. All contenders begin at the same weights, are checked to end at the same cost, and take turns.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from bench.compare_peers import machine
from gradsim.lessons.images import load_images
from gradsim.training import Recipe, train

RECIPE = Recipe(hidden=(30, 30, 30, 30), eta=0.1, l2=5.0, epochs=500, replicas=16)


def ours(recipe: Recipe) -> np.ndarray:
    """Cost at the end of each replica."""
    history = train(recipe, load_images()).history
    return history[history["epoch"] == recipe.epochs]["cost"].to_numpy()


def prepare(recipe: Recipe):
    """Data and starts as PyTorch takes them."""
    import torch

    data = load_images()
    begun = train(recipe.model_copy(update={"epochs": 0}), data)
    biases = biases_of(recipe)
    weights = [[torch.tensor(layer) for layer in replica] for replica in begun.starts]
    return torch, torch.tensor(data.images), torch.tensor(data.targets), weights, biases


def biases_of(recipe: Recipe):
    """Biases of every replica and layer at the start."""
    import torch

    from gradsim.training import draw_starts, trainer_for
    from gradsim_core.training.layout import views

    data = load_images()
    trainer = trainer_for(recipe, data)
    return [
        [torch.tensor(np.array(b)) for _, b, _ in views(trainer.network, one)]
        for one in draw_starts(recipe, data, trainer)
    ]


def optimiser(torch, recipe: Recipe, weights, biases):
    decay = recipe.l2 / 1000
    return torch.optim.SGD([{"params": weights, "weight_decay": decay}, {"params": biases}], lr=recipe.eta)


def one_by_one(recipe: Recipe) -> np.ndarray:
    """PyTorch, one replica after the other, as most people write it."""
    torch, images, targets, weights, biases = prepare(recipe)
    function, costs = torch.nn.functional, []
    for replica in range(recipe.replicas):
        W, b = ([part.clone().requires_grad_() for part in side[replica]] for side in (weights, biases))
        steps = optimiser(torch, recipe, W, b)

        def cost(W=W, b=b):
            x = images
            for layer in range(len(W) - 1):
                x = torch.sigmoid(function.linear(x, W[layer], b[layer]))
            h = function.linear(x, W[-1], b[-1])
            return function.binary_cross_entropy_with_logits(h, targets, reduction="sum") / len(images)

        for _ in range(recipe.epochs):
            steps.zero_grad()
            cost().backward()
            steps.step()
        costs.append(cost().item())
    return np.array(costs)


def batched(recipe: Recipe) -> np.ndarray:
    """PyTorch with all replicas at once: one wide product for the first layer, batched products above."""
    torch, images, targets, weights, biases = prepare(recipe)
    count, function = recipe.replicas, torch.nn.functional
    W = [torch.stack(layer).requires_grad_() for layer in zip(*weights, strict=True)]
    b = [torch.stack(layer).unsqueeze(1).requires_grad_() for layer in zip(*biases, strict=True)]
    steps, everyone = optimiser(torch, recipe, W, b), targets.expand(count, -1, -1)

    def outputs():
        width = W[0].shape[1]
        x = torch.sigmoid((images @ W[0].reshape(count * width, -1).T).reshape(-1, count, width).transpose(0, 1) + b[0])
        for layer in range(1, len(W) - 1):
            x = torch.sigmoid(torch.baddbmm(b[layer], x, W[layer].transpose(1, 2)))
        return torch.baddbmm(b[-1], x, W[-1].transpose(1, 2))

    for _ in range(recipe.epochs):
        steps.zero_grad()
        (function.binary_cross_entropy_with_logits(outputs(), everyone, reduction="sum") / len(images)).backward()
        steps.step()
    losses = function.binary_cross_entropy_with_logits(outputs(), everyone, reduction="none")
    return losses.sum((1, 2)).detach().numpy() / len(images)


CONTENDERS: dict[str, Callable[[Recipe], np.ndarray]] = {
    "gradsim": ours,
    "PyTorch, one after another": one_by_one,
    "PyTorch, batched": batched,
}


def main() -> None:
    """Measure in rounds, and print seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of all contenders [%(default)s]")
    parser.add_argument("--epochs", type=int, default=500, help="full-batch epochs [%(default)s]")
    chosen = parser.parse_args()
    recipe = RECIPE.model_copy(update={"epochs": chosen.epochs})
    print(machine())
    short = recipe.model_copy(update={"epochs": 20})
    expected = ours(short)
    for contender in CONTENDERS.values():
        np.testing.assert_allclose(contender(short), expected, rtol=1e-4)
    seconds: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for _ in range(chosen.rounds):
        for name, contender in CONTENDERS.items():
            start = time.perf_counter()
            contender(recipe)
            seconds[name].append(time.perf_counter() - start)
    for name, times in seconds.items():
        ratios = np.array(times) / np.array(seconds["gradsim"])
        print(f"{name:28} {np.median(times):6.2f} s ({min(times):.2f} - {max(times):.2f})", end="  ")
        print(f"ratio {np.median(ratios):.2f} ({ratios.min():.2f} - {ratios.max():.2f})")


if __name__ == "__main__":
    main()
