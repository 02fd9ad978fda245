"""Models that no threshold was chosen by: other sizes, architectures, and faults in other places."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn
from torch.nn import functional, init

from tests.gradsim.checking.models import (
    FUNNEL,
    GPT,
    SAMPLES,
    TOKENS,
    WORDS,
    Attention,
    DefaultEncoder,
    Encoder,
    Feedforward,
    Llama,
    ResNet,
    _normal,
    _text,
    _vectors,
    chain,
    he,
    lecun,
    tanh_gain,
    truncated_he,
)


class Bert(nn.Module):
    """Post-LN with a normalised embedding, everything at 0.02."""

    def __init__(self, width=128, depth=12):
        super().__init__()
        self.words, self.norm = nn.Embedding(WORDS, width), nn.LayerNorm(width)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 4, 4 * width, 0.1, "gelu", batch_first=True) for _ in range(depth)
        )
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1:
                init.trunc_normal_(parameter, 0.0, 0.02)
            elif "norm" not in name:
                init.zeros_(parameter)

    def forward(self, words):
        x = self.norm(self.words(words))
        for layer in self.layers:
            x = layer(x)
        return x


class ViT(nn.Module):
    """Patches by a convolution, a class token, positions, LayerScale; timm's truncated normal at 0.02."""

    def __init__(self, width=64, depth=10, scale=1e-4):
        super().__init__()
        self.patch = nn.Conv2d(3, width, 4, 4)
        self.token, self.places = nn.Parameter(torch.zeros(1, 1, width)), nn.Parameter(torch.zeros(1, 17, width))
        self.blocks = nn.ModuleList(Scaled(width, scale) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 10)
        init.zeros_(self.head.weight)
        for parameter in (self.token, self.places):
            init.trunc_normal_(parameter, std=0.02)
        for module in self.blocks.modules():
            if isinstance(module, nn.Linear):
                init.trunc_normal_(module.weight, std=0.02)

    def forward(self, images):
        x = self.patch(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.places
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])


class Scaled(nn.Module):
    def __init__(self, width, scale):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn, self.mlp = Attention(width, causal=False), Feedforward(width)
        self.scale1, self.scale2 = (nn.Parameter(scale * torch.ones(width)) for _ in range(2))

    def forward(self, x):
        x = x + self.scale1 * self.attn(self.norm1(x))
        return x + self.scale2 * self.mlp(self.norm2(x))


class Fixup(nn.Module):
    """Residual MLP without norms, whose branches end in zeros."""

    def __init__(self, width=64, depth=12):
        super().__init__()
        self.ups = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.downs = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.head = nn.Linear(width, 10)
        for up, down in zip(self.ups, self.downs, strict=True):
            init.kaiming_normal_(up.weight)
            init.zeros_(down.weight)
            init.zeros_(down.bias)

    def forward(self, x):
        for up, down in zip(self.ups, self.downs, strict=True):
            x = x + down(functional.relu(up(x)))
        return self.head(x)


class Parallel(nn.Module):
    """GPT-J: attention and feed-forward beside each other, rotary positions, output matrices at std / sqrt(2 L)."""

    def __init__(self, width=64, depth=12, std=0.06):
        super().__init__()
        self.embed, self.norm = nn.Embedding(WORDS, width), nn.LayerNorm(width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(depth))
        self.attns = nn.ModuleList(Rotary(width) for _ in range(depth))
        self.mlps = nn.ModuleList(Feedforward(width) for _ in range(depth))
        self.head = nn.Linear(width, WORDS, bias=False)
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                _normal(module, std / (2 * depth) ** 0.5 if name.endswith(("out", "down")) else std)
        init.normal_(self.embed.weight, 0.0, std)

    def forward(self, words):
        x = self.embed(words)
        for norm, attn, mlp in zip(self.norms, self.attns, self.mlps, strict=True):
            h = norm(x)
            x = x + attn(h) + mlp(h)
        return self.head(self.norm(x))


class Rotary(Attention):
    def forward(self, x):
        samples, tokens, width = x.shape
        parts = [matrix(x).view(samples, tokens, self.heads, -1).transpose(1, 2)
                 for matrix in (self.query, self.key, self.value)]  # fmt: skip
        angles = torch.arange(tokens)[:, None] / 10.0 ** torch.arange(width // self.heads)[None]
        turned = [part * angles.cos() + torch.cat(part.chunk(2, -1)[::-1], -1) * angles.sin() for part in parts[:2]]
        mixed = functional.scaled_dot_product_attention(*turned, parts[2], is_causal=True)
        return self.out(mixed.transpose(1, 2).reshape(samples, tokens, width))


class Convolutions(nn.Module):
    def __init__(self, depth=10, width=32):
        super().__init__()
        layers = [nn.Conv2d(3, width, 3, padding=1), nn.ReLU(inplace=True)]
        for _ in range(depth):
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU(inplace=True)]
        self.layers, self.head = nn.Sequential(*layers), nn.Linear(width, 10)
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def forward(self, x):
        return self.head(self.layers(x).mean((2, 3)))


def _images(model):
    return model, torch.randn(SAMPLES, 3, 16, 16)


def _gru():
    model = nn.GRU(64, 64, 3, batch_first=True)
    return model, torch.randn(SAMPLES, TOKENS, 64)


def _own_tanh(weight):
    init.normal_(weight, 0.0, 1.25 * weight.shape[1] ** -0.5)


def _leaky():
    return nn.LeakyReLU(0.2)


def _tied_default():
    model = DefaultEncoder(depth=6)
    model.head.weight = model.embed.weight
    return _text(model)


def _copies():
    layer = nn.TransformerEncoderLayer(64, 4, 128, 0.0, norm_first=True, batch_first=True)
    return nn.TransformerEncoder(layer, 6, enable_nested_tensor=False), torch.randn(SAMPLES, TOKENS, 64)


def _zeroed_attention():
    model = GPT(depth=10)
    init.zeros_(model.blocks[2].attn.out.weight)
    return _text(model)


def _all_dead():
    model = Fixup()
    for up in model.ups:
        init.zeros_(up.weight)
        init.zeros_(up.bias)
    return _vectors(model, 64)


SOUND = {
    "gpt, wide": lambda: _text(GPT(width=128, depth=12)),
    "gpt, untied at 0.04": lambda: _text(GPT(depth=16, std=0.04)),
    "llama at 0.02": lambda: _text(Llama(depth=12, std=0.02)),
    "llama of 4 blocks": lambda: _text(Llama(depth=4)),
    "bert": lambda: _text(Bert()),
    "post-LN of 6 blocks": lambda: _text(Encoder(depth=6, deepnorm=False)),
    "deepnorm of 12 blocks": lambda: _text(Encoder(depth=12)),
    "vit, LayerScale": lambda: _images(ViT()),
    "fixup": lambda: _vectors(Fixup(), 64),
    "parallel": lambda: _text(Parallel()),
    "convolutions": lambda: _images(Convolutions()),
    "resnet, deep": lambda: _images(ResNet(16, 16)),
    "encoder of 16 blocks": lambda: _text(DefaultEncoder(depth=16)),
    "gru": _gru,
    "leaky": lambda: _vectors(chain(_leaky, partial(init.kaiming_uniform_, a=0.2))),
    "orthogonal relu": lambda: _vectors(chain(nn.ReLU, partial(init.orthogonal_, gain=2**0.5))),
    "normal tanh, deep": lambda: _vectors(chain(nn.Tanh, _own_tanh, (64,) * 25), 64),
}

FAULTY = {
    "no depth scale, gpt": ("depth scale missing", lambda: _text(GPT(depth=16, scaled=()))),
    "no depth scale, parallel": ("depth scale missing", lambda: _text(_without_scale(Parallel()))),
    "depth scale on the key": ("depth scale misplaced", lambda: _text(GPT(depth=12, scaled=("key",)))),
    "depth scale on the gate": ("depth scale misplaced", lambda: _text(Llama(depth=6, scaled=("w1",)))),
    "depth scale twice, llama": ("depth scale twice", lambda: _text(_twice(Llama(depth=10)))),
    "embedding at 1, untied": ("branches drowned", lambda: _text(_loud(GPT(depth=12)))),
    "post-LN of 18 blocks": ("post-norm too deep", lambda: _text(Encoder(depth=18, deepnorm=False))),
    "zeroed attention": ("zeroed matrix", _zeroed_attention),
    "zeros before zeros": ("no gradient", _all_dead),
    "copies": ("copied blocks", _copies),
    "tied default": ("tied head", _tied_default),
    "cut He, leaky": ("truncation without correction", lambda: _vectors(chain(_leaky, truncated_he, (64,) * 9), 64)),
    "fan_out LeCun": ("fan_out for fan_in", lambda: _vectors(chain(nn.SELU, _fan_out_lecun, FUNNEL), FUNNEL[0])),
    "gain of tanh with selu": ("gain", lambda: _vectors(chain(nn.SELU, tanh_gain, (64,) * 20), 64)),
    "overflow": ("not finite", lambda: _vectors(chain(nn.ReLU, _huge, (64,) * 12), 64)),
    "narrow relu": ("dead networks", lambda: _vectors(chain(nn.ReLU, he, (3,) * 30), 3)),
    "LeCun with relu": ("gain", lambda: _vectors(chain(nn.ReLU, lecun, (128,) * 13), 128)),
}


def _fan_out_lecun(weight):
    init.normal_(weight, 0.0, weight.shape[0] ** -0.5)


def _huge(weight):
    init.normal_(weight, 0.0, 1e4)


def _without_scale(model):
    for name, module in model.named_modules():
        if name.endswith(("out", "down")):
            _normal(module, 0.06)
    return model


def _twice(model):
    for name, module in model.named_modules():
        if name.endswith(("out", "w3")):
            _normal(module, 0.1 / 20)
    return model


def _loud(model):
    model.head = nn.Linear(64, WORDS, bias=False)
    _normal(model.head, 0.02)
    _normal(model.wte, 1.0)
    return model
