"""Times the steps of both stages of residual-x4 in a minimal loop of PyTorch.

Run by training.py with a Python that has torch, and nothing else. Networks, batches and losses are
those of the recipe; weights and images are random, and the optimizer is Adam, fused, in both.
Prints JSON: seconds of each step; or the multiplications and additions of a step, and how many a
product of matrices makes in a second.
"""

import argparse
import json
import time

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

SCALE, FILTERS, BLOCKS, HR_FILTERS = 4, 64, 16, 16
TAPS = {"conv2_2": (2.0, 128), "conv3_3": (4.0, 256), "conv4_3": (0.6, 512), "conv5_3": (0.3, 512)}
WINDOW = 96
LUMA = torch.tensor([0.257, 0.504, 0.098])[:, None, None]


class Block(nn.Module):
    """x + conv(leaky_relu(conv(x)))."""

    def __init__(self):
        super().__init__()
        self.one = nn.Conv2d(FILTERS, FILTERS, 3, padding=1)
        self.two = nn.Conv2d(FILTERS, FILTERS, 3, padding=1)

    def forward(self, x):
        return x + self.two(F.leaky_relu(self.one(x), 0.2))


class Generator(nn.Module):
    """`generators.residual`."""

    def __init__(self):
        super().__init__()
        self.head = nn.Conv2d(3, FILTERS, 3, padding=1)
        self.blocks = nn.Sequential(*(Block() for _ in range(BLOCKS)))
        self.trunk = nn.Conv2d(FILTERS, FILTERS, 3, padding=1)
        self.enlarge = nn.Conv2d(FILTERS, HR_FILTERS * SCALE**2, 3, padding=1)
        self.tail = nn.Conv2d(HR_FILTERS, 3, 3, padding=1)

    def forward(self, lr):
        shallow = self.head(lr)
        x = shallow + self.trunk(self.blocks(shallow))
        x = F.pixel_shuffle(F.leaky_relu(self.enlarge(x), 0.2), SCALE)
        return F.interpolate(lr, scale_factor=SCALE, mode="nearest") + self.tail(x).float()


class Vgg(nn.Module):
    """`features.vgg`, frozen."""

    def __init__(self):
        super().__init__()
        self.layers, channels = nn.ModuleDict(), 3
        for block, (count, filters) in enumerate(
            zip((2, 2, 3, 3, 3), (64, 128, 256, 512, 512), strict=True), 1
        ):
            for i in range(1, count + 1):
                layer = nn.Conv2d(channels, filters, 3, padding=1)
                nn.init.kaiming_normal_(layer.weight)
                self.layers[f"conv{block}_{i}"] = layer
                channels = filters
        self.requires_grad_(False)

    def forward(self, x):
        found, x = {}, 255 * x - 115
        for name, layer in self.layers.items():
            if name.endswith("_1") and name != "conv1_1":
                x = F.max_pool2d(x, 2)
            x = F.relu(layer(x))
            if name in TAPS:
                found[name] = x.float() / 128
        return found


class Heads(nn.Module):
    """`discriminators.feature_heads`."""

    def __init__(self):
        super().__init__()
        self.heads = nn.ModuleDict()
        for name, (_, channels) in TAPS.items():
            halvings = max(4 - int(name[4]), 0)
            layers = [nn.Conv2d(channels, FILTERS, 1), nn.LeakyReLU(0.2)]
            for _ in range(max(halvings, 1)):
                layers += [
                    nn.Conv2d(FILTERS, FILTERS, 3, 2 if halvings else 1, 1, bias=False),
                    nn.BatchNorm2d(FILTERS),
                    nn.LeakyReLU(0.2),
                ]
            self.heads[name] = nn.Sequential(*layers, nn.Conv2d(FILTERS, 1, 1))

    def forward(self, features):
        logits = []
        for name, x in features.items():
            x = F.normalize(x, dim=1) * x.shape[1] ** 0.5
            logits.append(self.heads[name](x).float().flatten(1))
        return torch.cat(logits, 1)


DOWN, UP = torch.randn(3, 3, 16, 16) / 768, torch.randn(3 * SCALE**2, 3, 5, 5) / 75


def down(x):
    with torch.autocast("cpu", enabled=False):
        return F.conv2d(F.pad(x, [6] * 4, mode="replicate"), DOWN, stride=SCALE)


def up(x):
    with torch.autocast("cpu", enabled=False):
        return F.pixel_shuffle(F.conv2d(F.pad(x, [2] * 4, mode="replicate"), UP), SCALE)


def project(sr, lr):
    residual = move = correction = lr - down(sr)
    for _ in range(3):
        residual = residual - down(up(move))
        move = 0.8 * residual
        correction = correction + move
    return sr + up(correction)


def chroma(hr, sr):
    error = hr - sr
    luma = (error * (LUMA / LUMA.sum())).sum(1, keepdim=True)
    return (error - luma).abs().mean()


def unit(x):
    return x / (x.square().sum(1, keepdim=True) + 1e-8).sqrt()


def grid(sr):
    taps = torch.exp(-0.5 * torch.arange(-4, 5) ** 2)
    taps = (taps / taps.sum()).expand(3, 1, 1, 9)
    blurred = F.conv2d(F.conv2d(sr, taps, groups=3), taps.transpose(2, 3), groups=3)
    detail = sr[:, :, 4:-4, 4:-4] - blurred
    cells = detail.unflatten(2, (-1, SCALE)).unflatten(4, (-1, SCALE))
    luma = (cells * LUMA[..., None, None]).sum(1)
    energies = luma.var((1, 3), unbiased=False)
    pooled = energies.mean(0)
    uneven = pooled.var(unbiased=False) / (pooled.mean().square() + 1e-12)
    offsets = cells.mean((2, 4)).square().mean((1, 2, 3))
    return uneven + (offsets / (energies.mean((1, 2)) + (4 / 255) ** 2)).mean()


class Learner:
    """A network, its optimizer, and its moving average."""

    def __init__(self, network, clip, average=False):
        self.parameters, self.clip = [*network.parameters()], clip
        self.adam = torch.optim.Adam(self.parameters, 1e-4, betas=(0.9, 0.99), fused=True)
        self.average = [one.detach().clone() for one in self.parameters] if average else []

    def learn(self, loss, retain=False):
        gradients = torch.autograd.grad(loss, self.parameters, retain_graph=retain)
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        nn.utils.clip_grad_norm_(self.parameters, self.clip)

    def apply(self):
        self.adam.step()
        if self.average:
            torch._foreach_lerp_(self.average, [one.detach() for one in self.parameters], 0.001)


def pretraining(wrap):
    generator = Generator().to(memory_format=torch.channels_last)
    run, learner = wrap(generator), Learner(generator, 0.5, average=True)

    def step(lr, hr):
        sr = run(lr)
        learner.learn(((hr - sr).square() + 1e-6).sqrt().mean())
        learner.apply()

    return step, 12, 128


def adversarial(wrap):
    generator, vgg, heads = (
        network.to(memory_format=torch.channels_last) for network in (Generator(), Vgg(), Heads())
    )
    enlarge, see, judge = wrap(generator), wrap(vgg), wrap(heads)
    g, d = Learner(generator, 1.0, average=True), Learner(heads, 1.0)

    def step(lr, hr):
        y, x = torch.randint(4, 12, (2,)).tolist()
        sr = project(enlarge(lr), lr)[:, :, y : y + WINDOW, x : x + WINDOW]
        hr = hr[:, :, y : y + WINDOW, x : x + WINDOW]
        features = see(sr)
        with torch.no_grad():
            truth = see(hr)
        real, fake = judge({name: torch.cat([truth[name], features[name]]) for name in TAPS}).chunk(
            2
        )
        seen = sum(
            weight * (unit(truth[name]) - unit(features[name])).square().sum(1).mean()
            for name, (weight, _) in TAPS.items()
        )
        g_loss = 225 * (hr - sr).square().mean() + 10 * chroma(hr, sr) + seen
        g_loss = g_loss + 3 * F.softplus(-fake).mean() + 4 * grid(sr)
        d_loss = F.softplus(-real).mean() + F.softplus(fake).mean()
        g.learn(g_loss, retain=True)
        d.learn(d_loss)
        g.apply()
        d.apply()

    return step, 8, 112


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("stage", choices=("pretrain", "adversarial"))
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--count", action="store_true")
    arguments = parser.parse_args()
    wrap = torch.compile if arguments.compile else (lambda network: network)
    step, batch, patch = {"pretrain": pretraining, "adversarial": adversarial}[arguments.stage](
        wrap
    )
    hr = torch.rand(batch, 3, patch, patch).to(memory_format=torch.channels_last)
    lr = F.avg_pool2d(hr, SCALE)
    with torch.autocast("cpu", torch.bfloat16):
        if arguments.count:
            from torch.utils.flop_counter import FlopCounterMode

            with FlopCounterMode(display=False) as counter:
                step(lr, hr)
            a = torch.rand(4096, 4096).bfloat16()
            a @ a
            began = time.perf_counter()
            for _ in range(5):
                a @ a
            peak = 5 * 2 * 4096**3 / (time.perf_counter() - began)
            print(json.dumps({"flops": counter.get_total_flops(), "peak": peak}))
            return
        seconds = []
        for _ in range(3 + arguments.steps):
            began = time.perf_counter()
            step(lr, hr)
            seconds.append(time.perf_counter() - began)
    print(json.dumps(seconds[3:]))


if __name__ == "__main__":
    main()
