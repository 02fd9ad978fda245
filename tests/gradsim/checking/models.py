"""Small PyTorch models: sound ones, and the same with one fault of initialisation each.

Every entry of `SOUND` and `FAULTY` is a factory of (model, batch). They are written as users write them: no module or
argument tells gradsim what was planted.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from math import sqrt

import torch
from torch import nn
from torch.nn import functional, init

TOKENS, WORDS, SAMPLES = 16, 96, 4


def _normal(matrix: nn.Module, std: float) -> None:
    init.normal_(matrix.weight, 0.0, std)
    if getattr(matrix, "bias", None) is not None:
        init.zeros_(matrix.bias)


def _words() -> torch.Tensor:
    return torch.randint(0, WORDS, (SAMPLES, TOKENS))


class Attention(nn.Module):
    def __init__(self, width, heads=4, causal=True, bias=True):
        super().__init__()
        self.heads, self.causal = heads, causal
        for name in ("query", "key", "value", "out"):
            setattr(self, name, nn.Linear(width, width, bias=bias))

    def forward(self, x):
        samples, tokens, width = x.shape
        parts = (matrix(x).view(samples, tokens, self.heads, -1).transpose(1, 2)
                 for matrix in (self.query, self.key, self.value))  # fmt: skip
        mixed = functional.scaled_dot_product_attention(*parts, is_causal=self.causal)
        return self.out(mixed.transpose(1, 2).reshape(samples, tokens, width))


class Feedforward(nn.Module):
    def __init__(self, width, act=functional.gelu, bias=True):
        super().__init__()
        self.up, self.down, self.act = nn.Linear(width, 4 * width, bias), nn.Linear(4 * width, width, bias), act

    def forward(self, x):
        return self.down(self.act(self.up(x)))


class SwiGLU(nn.Module):
    def __init__(self, width):
        super().__init__()
        hidden = 8 * width // 3
        self.w1, self.w2 = nn.Linear(width, hidden, bias=False), nn.Linear(width, hidden, bias=False)
        self.w3 = nn.Linear(hidden, width, bias=False)

    def forward(self, x):
        return self.w3(functional.silu(self.w1(x)) * self.w2(x))


class RMSNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * self.weight


class PreNorm(nn.Module):
    def __init__(self, width, norm, attention, mlp):
        super().__init__()
        self.norm1, self.attn, self.norm2, self.mlp = norm(width), attention, norm(width), mlp

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class GPT(nn.Module):
    """GPT-2 in small: learned positions, pre-LN, gelu, head tied to the embedding."""

    def __init__(self, width=64, depth=8, std=0.02, embedding_std=None, branches=0.5, scaled=("out", "down")):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(WORDS, width), nn.Embedding(TOKENS, width)
        self.blocks = nn.ModuleList(
            PreNorm(width, nn.LayerNorm, Attention(width), Feedforward(width)) for _ in range(depth)
        )
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, WORDS, bias=False)
        self.head.weight = self.wte.weight
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear) and module is not self.head:
                small = name.rpartition(".")[2] in scaled
                _normal(module, std * (2 * depth) ** -branches if small else std)
        init.normal_(self.wte.weight, 0.0, embedding_std or std)
        init.normal_(self.wpe.weight, 0.0, std)

    def forward(self, words):
        x = self.wte(words) + self.wpe(torch.arange(words.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class Llama(nn.Module):
    """RMS norms, SwiGLU, no biases, an untied head, output matrices at std / sqrt(2 L)."""

    def __init__(self, width=96, depth=8, std=0.1, scaled=("out", "w3"), per_block=False):
        super().__init__()
        self.embed = nn.Embedding(WORDS, width)
        self.layers = nn.ModuleList(
            PreNorm(width, RMSNorm, Attention(width, bias=False), SwiGLU(width)) for _ in range(depth)
        )
        self.norm, self.head = RMSNorm(width), nn.Linear(width, WORDS, bias=False)
        _normal(self.embed, std)
        _normal(self.head, std)
        for index, layer in enumerate(self.layers):
            for name, module in layer.named_modules():
                if isinstance(module, nn.Linear):
                    times = 2 * (index + 1) if per_block else 2 * depth
                    _normal(module, std / sqrt(times) if name.rpartition(".")[2] in scaled else std)

    def forward(self, words):
        x = self.embed(words)
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x))


class PostNorm(nn.Module):
    def __init__(self, width, alpha):
        super().__init__()
        self.attn, self.mlp = Attention(width, causal=False), Feedforward(width, functional.relu)
        self.norm1, self.norm2, self.alpha = nn.LayerNorm(width), nn.LayerNorm(width), alpha

    def forward(self, x):
        x = self.norm1(self.alpha * x + self.attn(x))
        return self.norm2(self.alpha * x + self.mlp(x))


class Encoder(nn.Module):
    """Post-LN encoder at Xavier; with `deepnorm`, alpha = (2 L)^(1/4) and beta = (8 L)^(-1/4) as in DeepNet."""

    def __init__(self, width=64, depth=24, deepnorm=True):
        super().__init__()
        alpha, beta = ((2 * depth) ** 0.25, (8 * depth) ** -0.25) if deepnorm else (1.0, 1.0)
        self.embed = nn.Embedding(WORDS, width)
        self.layers = nn.ModuleList(PostNorm(width, alpha) for _ in range(depth))
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                init.xavier_normal_(module.weight, 1.0 if name.endswith(("query", "key")) else beta)
                init.zeros_(module.bias)

    def forward(self, words):
        x = self.embed(words)
        for layer in self.layers:
            x = layer(x)
        return x


class DefaultEncoder(nn.Module):
    """Pre-LN encoder of PyTorch's own layers as they come, each made anew."""

    def __init__(self, width=64, depth=8):
        super().__init__()
        self.embed = nn.Embedding(WORDS, width)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 4, 4 * width, 0.1, norm_first=True, batch_first=True)
            for _ in range(depth)
        )
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, WORDS)

    def forward(self, words):
        x = self.embed(words)
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x))


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)

    def forward(self, x):
        out = functional.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x
        return functional.relu(out)


class ResNet(nn.Module):
    def __init__(self, width=24, depth=8):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.blocks = nn.Sequential(*(Residual(width) for _ in range(depth)))
        self.head = nn.Linear(width, 10)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x):
        x = self.blocks(functional.relu(self.norm(self.stem(x))))
        return self.head(x.mean((2, 3)))


class MixerBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.tokens, self.channels = Feedforward(TOKENS), Feedforward(width)

    def forward(self, x):
        x = x + self.tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.norm2(x))


class Mixer(nn.Module):
    def __init__(self, width=64, depth=8):
        super().__init__()
        self.stem = nn.Linear(48, width)
        self.blocks = nn.Sequential(*(MixerBlock(width) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, patches):
        return self.head(self.norm(self.blocks(self.stem(patches))).mean(1))


class Recurrent(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.embed, self.rnn, self.head = nn.Embedding(WORDS, width), nn.LSTM(width, width, 2), nn.Linear(width, WORDS)

    def forward(self, words):
        return self.head(self.rnn(self.embed(words).transpose(0, 1))[0])


def chain(act, fill, widths=(96,) * 17, outputs=10):
    """Return Linear + activation, then a head; `fill` sets the weights of the hidden layers."""
    layers = []
    for inputs, width in pairwise(widths):
        matrix = nn.Linear(inputs, width)
        fill(matrix.weight)
        init.zeros_(matrix.bias)
        layers += [matrix, act()]
    head = nn.Linear(widths[-1], outputs)
    init.normal_(head.weight, 0.0, widths[-1] ** -0.5)
    return nn.Sequential(*layers, head)


def _vectors(model, width=96):
    return model, torch.randn(SAMPLES, width)


def _text(model):
    return model, _words()


def he(weight):
    init.kaiming_normal_(weight, nonlinearity="relu")


def truncated_he(weight):
    std = sqrt(2.0 / weight.shape[1])
    init.trunc_normal_(weight, 0.0, std, -2.0 * std, 2.0 * std)


def corrected_truncated_he(weight):
    std = sqrt(2.0 / weight.shape[1]) / 0.87962566103423978
    init.trunc_normal_(weight, 0.0, std, -2.0 * std, 2.0 * std)


def fan_out_he(weight):
    init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")


def tanh_gain(weight):
    init.xavier_normal_(weight, init.calculate_gain("tanh"))


def lecun(weight):
    init.normal_(weight, 0.0, weight.shape[1] ** -0.5)


FUNNEL = (512, 384, 256, 192, 128, 96, 64, 48, 32)
IMAGES = (SAMPLES, 3, 8, 8)

SOUND = {
    "he-relu": lambda: _vectors(chain(nn.ReLU, he)),
    "he-relu-truncated": lambda: _vectors(chain(nn.ReLU, corrected_truncated_he)),
    "he-relu-funnel": lambda: _vectors(chain(nn.ReLU, he, FUNNEL), FUNNEL[0]),
    "xavier-tanh": lambda: _vectors(chain(nn.Tanh, partial(init.xavier_uniform_, gain=1.3))),
    "orthogonal-tanh": lambda: _vectors(chain(nn.Tanh, partial(init.orthogonal_, gain=1.3))),
    "lecun-selu": lambda: _vectors(chain(nn.SELU, lecun)),
    "gpt": lambda: _text(GPT()),
    "llama": lambda: _text(Llama()),
    "llama-per-block": lambda: _text(Llama(per_block=True)),
    "default-encoder": lambda: _text(DefaultEncoder()),
    "deepnorm": lambda: _text(Encoder()),
    "resnet": lambda: (ResNet(), torch.randn(IMAGES)),
    "mixer": lambda: (Mixer(), torch.randn(SAMPLES, TOKENS, 48)),
    "lstm": lambda: _text(Recurrent()),
}


def _zeroed():
    model = Llama()
    init.zeros_(model.layers[5].mlp.w3.weight)
    return _text(model)


FAULTY = {
    "depth scale on the query": lambda: _text(Llama(scaled=("query",))),
    "fan_out for fan_in": lambda: _vectors(chain(nn.ReLU, fan_out_he, FUNNEL), FUNNEL[0]),
    "truncation without correction": lambda: _vectors(chain(nn.ReLU, truncated_he)),
    "no depth scale": lambda: _text(Llama(depth=12, scaled=())),
    "embedding at 0.6": lambda: _text(GPT(embedding_std=0.6)),
    "gain of tanh with relu": lambda: _vectors(chain(nn.ReLU, tanh_gain)),
    "depth scale twice": lambda: _text(GPT(branches=1.0)),
    "post-LN at Xavier": lambda: _text(Encoder(deepnorm=False)),
    "zeroed branch": _zeroed,
    "tied head": lambda: _text(GPT(embedding_std=1.0)),
}
