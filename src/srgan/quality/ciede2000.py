"""CIEDE2000: how far apart two colours look."""

import numpy as np

from srgan.numeric.color import as_pair, levels

# sRGB (IEC 61966-2-1) to CIE XYZ, and its white, D65 for the observer of 2 degrees.
_XYZ = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])
_FAR = 25.0**7  # of the chroma, beyond which blue and grey need a correction


def delta_e(hr: np.ndarray, sr: np.ndarray) -> float:
    """Returns the mean CIEDE2000 colour difference of two images.

    Args:
        hr: Reference, `(height, width, 3)`, sRGB.
        sr: Image to score, likewise.

    Returns:
        0 for equal images; about 1 is just noticeable beside each other.

    Raises:
        ValueError: If the images are not RGB, or differ in shape.
    """
    hr, sr = as_pair(hr, sr)
    pairs = zip(hr, sr, strict=True)  # row by row: there are many intermediate planes
    return float(np.mean([difference(lab(a), lab(b)).mean() for a, b in pairs]))


def lab(image: np.ndarray) -> np.ndarray:
    """Returns CIE L*a*b* (D65) of sRGB colours `(..., 3)`, uint8 or uint16."""
    rgb = levels(image) / 255
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    xyz = linear @ _XYZ.T / _WHITE
    x, y, z = np.moveaxis(np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def difference(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns CIEDE2000 of L*a*b* colours `(..., 3)`, with all weights 1.

    The formulas, and their order, are those of Sharma, Wu and Dalal 2005, "The CIEDE2000
    color-difference formula: implementation notes, supplementary test data, and mathematical
    observations".
    """
    mean_chroma = (np.hypot(*_ab(first)) + np.hypot(*_ab(second))) / 2
    stretch = 1.5 - 0.5 * np.sqrt(mean_chroma**7 / (mean_chroma**7 + _FAR))
    (chroma, hue), (chroma2, hue2) = (_chroma_and_hue(lab, stretch) for lab in (first, second))
    grey = chroma * chroma2 == 0

    lighter = second[..., 0] - first[..., 0]
    turn = np.where(grey, 0, (hue2 - hue + 180) % 360 - 180)
    turn = np.where(turn == -180, np.where(hue2 > hue, 180, -180), turn)
    hue_difference = 2 * np.sqrt(chroma * chroma2) * np.sin(np.radians(turn) / 2)

    lightness = (first[..., 0] + second[..., 0]) / 2 - 50
    mean_chroma = (chroma + chroma2) / 2
    far = np.abs(hue - hue2) > 180
    total = hue + hue2 + np.where(far & ~grey, np.where(hue + hue2 < 360, 360, -360), 0)
    mean_hue = np.where(grey, total, total / 2)
    weight = (
        1
        - 0.17 * _cosine(mean_hue - 30)
        + 0.24 * _cosine(2 * mean_hue)
        + 0.32 * _cosine(3 * mean_hue + 6)
        - 0.20 * _cosine(4 * mean_hue - 63)
    )
    l_part = lighter / (1 + 0.015 * lightness**2 / np.sqrt(20 + lightness**2))
    c_part = (chroma2 - chroma) / (1 + 0.045 * mean_chroma)
    h_part = hue_difference / (1 + 0.015 * mean_chroma * weight)
    blue = 60 * np.exp(-(((mean_hue - 275) / 25) ** 2))  # twice 30 degrees
    turned = 2 * np.sqrt(mean_chroma**7 / (mean_chroma**7 + _FAR)) * np.sin(np.radians(blue))
    return np.sqrt(l_part**2 + c_part**2 + h_part**2 - turned * c_part * h_part)


def _ab(lab: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return lab[..., 1], lab[..., 2]


def _chroma_and_hue(lab: np.ndarray, stretch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """With a* stretched; the hue in degrees, from 0 to 360."""
    a, b = lab[..., 1] * stretch, lab[..., 2]
    return np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360


def _cosine(degrees: np.ndarray) -> np.ndarray:
    return np.cos(np.radians(degrees))
