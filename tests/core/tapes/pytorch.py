"""The same architectures in PyTorch: a writer of tapes whose values are tensors and whose matrices are given."""

from __future__ import annotations

import torch

from gradsim_core.operations.standardise import EPSILON
from gradsim_core.tapes.tape import BATCH, LAYER


class Tensors:
    """Has the methods of `Tape`; rows are inputs or tokens, and values are kept in the order in which they are made."""

    def __init__(self, x, matrices, phi, biases=(), tied=(), draws=()):
        self.biases, self.draws, self.spare, self.tied = iter(biases), iter(draws), iter(tied), {}
        self.matrices, self.phi, self.parts = [torch.tensor(w, requires_grad=True) for w in matrices], phi, []
        self.values, self.layers, self.used = [], [], 0
        self.input = self._made(torch.tensor(x, requires_grad=True), 1)

    def _made(self, value, parts):
        value.retain_grad()
        self.values.append(value)
        self.parts.append(parts)
        return len(self.values) - 1

    def multiply(self, x, n, parts=1, sigma=1.0):
        self.used += 1
        return self._made(self.values[x] @ self.matrices[self.used - 1].T, parts)

    def multiply_tied(self, x, name, n, sigma):
        if name not in self.tied:
            self.tied[name] = torch.tensor(next(self.spare))
        return self._made(self.values[x] @ self.tied[name].T, 1)

    def embed(self, tokens, n, vocabulary, sigma):
        self.embedding = torch.tensor(next(self.spare), requires_grad=True)
        assert self.embedding.shape == (vocabulary, n)
        return self._made(self.embedding[self.values[tokens][:, 0].long()], 1)

    def unembed(self, x):
        return self._made(self.values[x] @ self.embedding.T, 1)

    def window(self, x, taps):
        value = self.values[x]
        return self._made(torch.cat([value.roll(taps // 2 - j, 0) for j in range(taps)], 1), taps)

    def draw(self, n):
        return self._made(torch.tensor(next(self.draws), requires_grad=True), 1)

    def shift(self, x, sigma, name=""):
        return self._made(self.values[x] + torch.tensor(next(self.biases)), self.parts[x]) if sigma > 0.0 else x

    def squash(self, x):
        return self._made(torch.tanh(self.values[x]), self.parts[x])

    def end_layer(self, value):
        self.layers.append(value)

    def join(self, x, other):
        return self._made(torch.cat([self.values[x], self.values[other]], 1), self.parts[x] + self.parts[other])

    def activate(self, x):
        return self._made(self.phi(self.values[x]), self.parts[x])

    def gate(self, x):
        g, u = self.values[x].chunk(2, 1)
        return self._made(self.phi(g) * u, 1)

    def add(self, x, branch, factor=1.0):
        return self._made(self.values[x] + factor * self.values[branch], self.parts[x])

    def standardise(self, x, norm):
        value = self.values[x]
        if norm == LAYER:
            return self._made(torch.nn.functional.layer_norm(value, value.shape[1:], eps=EPSILON), 1)
        if norm == BATCH:
            return self._made((value - value.mean(0)) / (value.var(0, unbiased=False) + EPSILON).sqrt(), 1)
        return self._made(value / (value.square().mean(1, keepdim=True) + EPSILON).sqrt(), 1)

    def attend(self, x, scale, causal):
        heads, tokens = self.parts[x] // 3, self.values[x].shape[0]
        q, k, v = (each.reshape(tokens, heads, -1).transpose(0, 1) for each in self.values[x].chunk(3, 1))
        answer = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal, scale=scale)
        return self._made(answer.transpose(0, 1).reshape(tokens, -1), heads)
