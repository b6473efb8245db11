"""Networks of ncnn, made byte by byte; and what they compute, in plain NumPy."""

import struct
from collections import Counter

import numpy as np
import pytest


class Network:
    """Lines of a .param file, and the bytes of a .bin file."""

    def __init__(self, half=False):
        self.lines, self.data, self.half = ["Input in 0 1 data"], b"", half

    def layer(self, kind, inputs, outputs, *parameters):
        name = f"{kind.lower()}{len(self.lines)}"
        words = (kind, name, len(inputs), len(outputs), *inputs, *outputs, *parameters)
        self.lines.append(" ".join(map(str, words)))

    def _with_splits(self):
        """The lines, and one more behind each that several others take the result of."""
        rows = [line.split() for line in self.lines]
        inputs = [row[4 : 4 + int(row[2])] for row in rows]
        taken = Counter(name for names in inputs for name in names)
        left, lines = Counter(taken), []
        for row, names in zip(rows, inputs, strict=True):
            for i, name in enumerate(names):
                if taken[name] > 1:
                    left[name] -= 1
                    row[4 + i] = f"{name}_{left[name]}"
            lines.append(" ".join(row))
            for name in row[4 + int(row[2]) :][: int(row[3])]:
                if (count := taken[name]) > 1:
                    copies = " ".join(f"{name}_{k}" for k in range(count))
                    lines.append(f"Split split_{name} 1 {count} {name} {copies}")
        return lines

    def kernel(self, values):
        """Adds weights, and returns them as they are stored."""
        flag, dtype = (0x01306B47, np.float16) if self.half else (0, np.float32)
        stored = values.astype(dtype)
        data = stored.tobytes()
        self.data += struct.pack("<I", flag) + data + bytes(-len(data) % 4)
        return stored.astype(np.float32)

    def vector(self, values):
        self.data += values.astype(np.float32).tobytes()
        return values.astype(np.float32)

    def write(self, path):
        """Writes both files, and returns that of the layers."""
        lines = self._with_splits()
        path.write_text("\n".join(["7767517", f"{len(lines)} 99", *lines, ""]))
        path.with_suffix(".bin").write_bytes(self.data)
        return path


def convolved(x, kernel, bias):
    """A 3x3 convolution of `(channels, height, width)`, padded with zeros."""
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1)])
    height, width = x.shape[1:]
    windows = [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    taps = kernel.reshape(*kernel.shape[:2], 9)
    total = sum(np.einsum("oi,ihw->ohw", taps[..., k], windows[k]) for k in range(9))
    return total + bias[:, None, None]


def repeated(x, factor):
    return x.repeat(factor, axis=1).repeat(factor, axis=2)


def shuffled(x, factor):
    channels, height, width = x.shape
    parts = x.reshape(channels // factor**2, factor, factor, height, width)
    return parts.transpose(0, 3, 1, 4, 2).reshape(-1, height * factor, width * factor)


@pytest.fixture
def make_compact(tmp_path):
    """Writes an SRVGGNetCompact, and returns its path and what it computes of `(3, h, w)`."""

    def make(half=False, scale=2, channels=6, blocks=2, gain=0.3):
        rng, net, steps = np.random.default_rng(0), Network(half), []
        x, inside = "data", 3
        for i in range(blocks + 2):
            count = channels if i <= blocks else 3 * scale**2
            deviation = 0.2 * (gain if i > blocks else 1)
            kernel = net.kernel(rng.normal(0, deviation, (count, inside, 3, 3)))
            bias = net.vector(rng.normal(0, 0.05, count))
            size = (f"0={count}", "1=3", "4=1", "5=1", f"6={kernel.size}")
            net.layer("Convolution", [x], [f"c{i}"], *size)
            x, inside = f"c{i}", count
            slopes = None
            if i <= blocks:
                slopes = net.vector(rng.uniform(0.05, 0.4, count))
                net.layer("PReLU", [x], [f"p{i}"], f"0={count}")
                x = f"p{i}"
            steps.append((kernel, bias, slopes))
        net.layer("PixelShuffle", [x], ["large"], f"0={scale}")
        net.layer("Interp", ["data"], ["near"], "0=1", f"1={scale:e}", f"2={scale:e}")
        net.layer("BinaryOp", ["large", "near"], ["out"], "0=0")

        def compute(lr):
            features = lr
            for kernel, bias, slopes in steps:
                features = convolved(features, kernel, bias)
                if slopes is not None:
                    features = np.where(features > 0, features, slopes[:, None, None] * features)
            return shuffled(features, scale) + repeated(lr, scale)

        return net.write(tmp_path / "net.param"), compute

    return make


@pytest.fixture
def make_rrdbnet(tmp_path):
    """Likewise for an RRDBNet x4 of one block, whose activations are part of its convolutions."""

    def make(half=False, channels=4, growth=3):
        rng, net = np.random.default_rng(0), Network(half)
        found = {}

        def conv(source, target, count, inside, slope=None):
            kernel = net.kernel(rng.normal(0, 0.15, (count, inside, 3, 3)))
            bias = net.vector(rng.normal(0, 0.05, count))
            ending = () if slope is None else ("9=2", f"-23310=1,{slope:e}")
            size = (f"0={count}", "1=3", "4=1", "5=1", f"6={kernel.size}", *ending)
            net.layer("Convolution", [source], [target], *size)
            found[target] = (kernel, bias, slope)

        conv("data", "first", channels, 3)
        x = "first"
        for k in range(3):
            parts = [x]
            for j in range(5):
                source = parts[0]
                if j:
                    source = f"cat{k}{j}"
                    net.layer("Concat", parts, [source], "0=0")
                inside = channels + growth * j
                conv(
                    source,
                    f"d{k}{j}",
                    growth if j < 4 else channels,
                    inside,
                    0.2 if j < 4 else None,
                )
                parts.append(f"d{k}{j}")
            net.layer("Eltwise", [parts[-1], x], [f"e{k}"], "0=1", "-23301=2,2e-1,1e0")
            x = f"e{k}"
        net.layer("Eltwise", [x, "first"], ["block"], "0=1", "-23301=2,2e-1,1e0")
        conv("block", "body", channels, channels)
        net.layer("BinaryOp", ["first", "body"], ["sum"], "0=0")
        for i, source in enumerate(("sum", "u0")):
            net.layer("Interp", [source], [f"n{i}"], "0=1", "1=2.0", "2=2.0")
            conv(f"n{i}", f"u{i}", channels, channels, 0.2)
        conv("u1", "h", channels, channels, 0.2)
        conv("h", "out", 3, channels)

        def compute(lr):
            def run(name, x):
                kernel, bias, slope = found[name]
                y = convolved(x, kernel, bias)
                return y if slope is None else np.where(y > 0, y, slope * y)

            x = first = run("first", lr)
            for k in range(3):
                parts = [x]
                for j in range(5):
                    parts.append(run(f"d{k}{j}", np.concatenate(parts)))
                x = np.float32(0.2) * parts[-1] + x
            x = first + run("body", np.float32(0.2) * x + first)
            for i in range(2):
                x = run(f"u{i}", repeated(x, 2))
            return run("out", run("h", x))

        return net.write(tmp_path / "rrdb.param"), compute

    return make


@pytest.fixture
def network():
    """The maker of such files."""
    return Network
