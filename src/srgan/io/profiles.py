"""ICC profiles of colours that a file gives by numbers: primaries, white and a transfer curve.

PNG has them in gAMA, cHRM and cICP, AVIF in nclx, BMP in its header, and cameras say "Adobe RGB" in
EXIF. A profile says the same to every program. See ICC.1:2022 and ITU-T H.273.
"""

import struct
from typing import NamedTuple

import numpy as np

_SRGB_WHITE = (0.3127, 0.3290)
_C = (0.310, 0.316)
_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
# Of IEC 61966-2-1: gamma, a, b, c, d of the curve (a x + b)^gamma from d on, and c x before.
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_SRGB_GAMMA = 2.2  # what stands for it in gAMA

Curve = float | tuple[float, ...]


class Colours(NamedTuple):
    """What numbers of pixels mean.

    Attributes:
        name: For people.
        primaries: x and y of red, green, blue and white.
        curve: From samples to light: a gamma, or the five numbers of ICC's third function.
    """

    name: str
    primaries: tuple[float, ...]
    curve: Curve = _SRGB_CURVE

    @property
    def is_srgb(self) -> bool:
        """Whether they are sRGB, as near as matters."""
        return self.curve == _SRGB_CURVE and np.allclose(
            self.primaries, _PRIMARIES[1][1], atol=2e-3
        )


_PRIMARIES = {  # H.273, table 2
    1: ("sRGB", (0.640, 0.330, 0.300, 0.600, 0.150, 0.060, *_SRGB_WHITE)),
    4: ("Rec. 470 M", (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, *_C)),
    5: ("Rec. 601 625", (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *_SRGB_WHITE)),
    6: ("Rec. 601 525", (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_SRGB_WHITE)),
    8: ("Film", (0.681, 0.319, 0.243, 0.692, 0.145, 0.049, *_C)),
    9: ("Rec. 2020", (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_SRGB_WHITE)),
    10: ("XYZ", (1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1 / 3, 1 / 3)),
    11: ("DCI-P3", (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351)),
    12: ("Display P3", (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_SRGB_WHITE)),
    22: ("EBU 3213", (0.630, 0.340, 0.295, 0.605, 0.155, 0.077, *_SRGB_WHITE)),
}
_PRIMARIES[7] = _PRIMARIES[6]
# H.273, table 3. The curves of video (1, 6, 14, 15) are shown as sRGB's by all programs.
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0, 17: 2.6}
_HDR = {16: "PQ", 18: "HLG"}

ADOBE_RGB = Colours(
    "Adobe RGB (1998)", (0.64, 0.33, 0.21, 0.71, 0.15, 0.06, *_SRGB_WHITE), 563 / 256
)


def hdr(transfer: int) -> str:
    """The name of a transfer function whose white is brighter than a page, or ""."""
    return _HDR.get(transfer, "")


def from_codes(primaries: int, transfer: int) -> Colours:
    """Returns the colours that H.273 means by two numbers; what is not known is sRGB's."""
    name, places = _PRIMARIES.get(primaries, _PRIMARIES[1])
    if transfer not in _GAMMAS:
        return Colours(name, places)
    return Colours(f"{name}, gamma {_GAMMAS[transfer]:g}", places, _GAMMAS[transfer])


def from_gamma(gamma: float | None, primaries: tuple[float, ...] | None) -> Colours | None:
    """Returns the colours of a PNG or BMP file, or None if its numbers cannot be true.

    Args:
        gamma: From samples to light; None if it is not said.
        primaries: As `Colours` has them; None if they are not said.
    """
    if (gamma is not None and not 0.1 <= gamma <= 10) or not _is_possible(primaries):
        return None
    colours = Colours("", primaries or _PRIMARIES[1][1])
    is_usual = not gamma or (colours.is_srgb and abs(gamma / _SRGB_GAMMA - 1) < 0.02)
    curve = _SRGB_CURVE if is_usual or not gamma else gamma
    name = f"gamma {gamma:.4g}" if gamma else "sRGB curve"
    return Colours(f"{name}, own primaries" if primaries else name, colours.primaries, curve)


def is_whole(data: bytes) -> bool:
    """Whether bytes that claim to be an ICC profile can be one."""
    return data[36:40] == b"acsp" and 128 < int.from_bytes(data[:4]) <= len(data)


def profile(colours: Colours, grey: bool = False) -> bytes:
    """Returns an ICC profile, of version 4.

    Args:
        colours: What it says.
        grey: It is for pictures of one channel.
    """
    tags = {
        b"desc": _text(f"{colours.name}{', grey' if grey else ''}"),
        b"cprt": _text("CC0"),
        b"wtpt": _xyz(_D50),
    }
    curve = _curve(colours.curve)
    if grey:
        tags[b"kTRC"] = curve
    else:
        adaptation, columns = _matrices(colours.primaries)
        tags[b"chad"] = b"sf32\0\0\0\0" + _fixed(*adaptation.ravel())
        tags |= {b"rXYZ": _xyz(columns[:, 0]), b"gXYZ": _xyz(columns[:, 1])}
        tags |= {b"bXYZ": _xyz(columns[:, 2])}
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    return _assembled(tags, b"GRAY" if grey else b"RGB ")


def _is_possible(primaries: tuple[float, ...] | None) -> bool:
    if primaries is None:
        return True
    places = np.array(primaries).reshape(4, 2)
    if not (places[:, 1] > 1e-4).all() or not (np.abs(places) <= 1.5).all():
        return False
    a, b = places[1] - places[0], places[2] - places[0]
    return bool(abs(a[0] * b[1] - a[1] * b[0]) > 1e-2)  # twice the triangle's area


def _matrices(primaries: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The adaptation of white to D50, and what red, green and blue are after it."""
    x, y = np.array(primaries).reshape(4, 2).T
    y = np.maximum(y, 1e-9)  # of XYZ's own primaries
    xyz = np.stack([x / y, np.ones(4), (1 - x - y) / y])
    white = xyz[:, 3]
    if not y[:3].min() > 1e-6:
        xyz[:, :3] = np.eye(3)
    colours = xyz[:, :3] * np.linalg.solve(xyz[:, :3], white)
    cones = np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white))
    adaptation = np.linalg.solve(_BRADFORD, cones @ _BRADFORD)
    return adaptation, adaptation @ colours


def _curve(curve: Curve) -> bytes:
    kind, numbers = (3, curve) if isinstance(curve, tuple) else (0, (curve,))
    return b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + _fixed(*numbers)


def _xyz(values: np.ndarray) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(*values)


def _text(text: str) -> bytes:
    data = text.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II4sII", 1, 12, b"enUS", len(data), 28) + data


def _fixed(*numbers: float) -> bytes:
    return struct.pack(f">{len(numbers)}i", *(round(65536 * number) for number in numbers))


def _assembled(tags: dict[bytes, bytes], space: bytes) -> bytes:
    """A profile for displays: header, table of tags, and what they say, each value once."""
    places: dict[bytes, int] = {}
    table, body, start = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, value in tags.items():
        if value not in places:
            places[value] = start + len(body)
            body += value + bytes(-len(value) % 4)
        table += name + struct.pack(">II", places[value], len(value))
    head = struct.pack(">I4xI4s4s4s", start + len(body), 0x04400000, b"mntr", space, b"XYZ ")
    # The date is a constant, so that equal files give equal results.
    date = struct.pack(">6H", 2026, 1, 1, 0, 0, 0)
    return head + date + b"acsp" + bytes(28) + _fixed(*_D50) + bytes(48) + table + body
