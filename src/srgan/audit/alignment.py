"""How well two photos lie upon each other, to fractions of a pixel."""

import numpy as np

_HIGHEST = 0.25  # cycles a pixel; what the two images' kernels differ in lies above


def shift(image: np.ndarray, reference: np.ndarray) -> tuple[float, float, float]:
    """Returns how far `image` has to be moved to lie on `reference`, to fractions of a pixel.

    Whole pixels come from the peak of the phase correlation (Kuglin and Hines 1975). The rest is
    the slope of the cross spectrum's phase, since f(x + d) has the spectrum e^(2 pi i d u) F(u):
    d is fitted by least squares, weighted by the magnitude, over the low frequencies, where there
    is no aliasing (Stone et al. 2001, "A fast direct Fourier-based algorithm for subpixel
    registration of images").

    Args:
        image: `(height, width)`, float, at least 16 pixels a side.
        reference: Same shape.

    Returns:
        Pixels down, pixels right, and the correlation of the two in [-1, 1] once moved by the
        whole pixels; 0 if either has no structure.

    Example:
        >>> y, x = np.mgrid[0:32, 0:32]
        >>> def blob(centre):
        ...     return np.exp(-((x - centre) ** 2 + (y - 16) ** 2) / 8)
        >>> [round(value, 1) for value in shift(blob(17.2), blob(16))]
        [-0.0, -1.2, 1.0]
    """
    height, width = image.shape
    spectrum = _cross_spectrum(image, reference)
    peak = np.fft.irfft2(spectrum / np.maximum(np.abs(spectrum), 1e-6), image.shape)
    down, right = np.unravel_index(np.argmax(peak), peak.shape)
    down = int(down) - height * (down > height // 2)
    right = int(right) - width * (right > width // 2)
    if max(abs(down) / height, abs(right) / width) > 0.25:  # too little left in common to judge
        return float(down), float(right), 0.0

    part = _overlap(image, -down, -right)
    reference = _overlap(reference, down, right)
    spread = part.std() * reference.std()
    correlation = np.mean((part - part.mean()) * (reference - reference.mean())) / max(spread, 1e-9)

    spectrum = _cross_spectrum(part, reference)
    v = np.fft.fftfreq(part.shape[0])[:, None]
    u = np.fft.rfftfreq(part.shape[1])[None, :]
    low = (np.abs(v) < _HIGHEST) & (u < _HIGHEST) & (np.abs(v) + u > 0)
    weight = np.sqrt(np.abs(spectrum[low]))
    frequencies = 2 * np.pi * np.stack(np.broadcast_arrays(v, u), axis=-1)[low]
    phase = -np.angle(spectrum[low])
    rest, *_ = np.linalg.lstsq(weight[:, None] * frequencies, weight * phase, rcond=None)
    return float(down + rest[0]), float(right + rest[1]), float(correlation)


def _cross_spectrum(image: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """conj(F) G, of the two without their mean and faded out at the edges, which do not wrap."""
    height, width = image.shape
    window = np.hanning(height)[:, None] * np.hanning(width)
    f, g = (np.fft.rfft2(window * (x - x.mean())) for x in (image, reference))
    return np.conj(f) * g


def _overlap(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """The part of `image` that another one, moved by so many pixels, lies on."""
    height, width = image.shape
    return image[
        max(down, 0) : height + min(down, 0),
        max(right, 0) : width + min(right, 0),
    ]
