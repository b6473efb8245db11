"""Pictures as they are found: blurred, scaled, noisy and compressed, twice over.

The second-order degradation of Real-ESRGAN (Wang et al. 2021, section 3): cameras and web sites
each blur, scale and compress what they get. Each stage is a function of an image, uint8
`(height, width, 3)`, and of the random numbers that it draws from `rng`, which returns such an
image.
"""

import numpy as np
import pyvips

from srgan.numeric import color
from srgan.train.config import Degradation

_KERNELS = {  # how often each kind is drawn (section 4.1)
    "isotropic": 0.405,
    "anisotropic": 0.225,
    "generalised isotropic": 0.108,
    "generalised anisotropic": 0.027,
    "plateau isotropic": 0.108,
    "plateau anisotropic": 0.027,
    "sinc": 0.1,
}
_SECOND_BLUR = 0.8  # of the images are blurred in the second pass, too
_UP, _DOWN = 0.2, 0.7  # of the images are enlarged and shrunk in a pass; the others stay
_RESIZERS = ("linear", "cubic", "mitchell", "lanczos3")
_POISSON = 0.5  # of the noise is that of light, which grows with it; the rest is Gaussian
_GREY = 0.4  # of the noise is the same in all channels
_WEBP = 0.2  # of the compressions; the rest is JPEG
_SINC_RADIUS = 10  # pixels


def degrade(
    hr: np.ndarray, scale: int, settings: Degradation, rng: np.random.Generator
) -> np.ndarray:
    """Returns an lr version of a photo, after two passes of blur, scaling, noise and compression.

    The last compression comes before the last scaling or after it; a screen capture has neither
    noise nor compression in its second pass.

    Args:
        hr: `(height, width, 3)`, uint8, of multiples of `scale`.
        scale: Factor from lr to hr.
        settings: The ranges.
        rng: What all is drawn from.

    Returns:
        `(height // scale, width // scale, 3)`, uint8.
    """
    height, width = hr.shape[0] // scale, hr.shape[1] // scale
    captured = rng.random() < settings.screens
    image = blur(hr, rng, settings, scale)
    image = scaled(image, rng, settings, hr.shape[0], hr.shape[1])
    image = compress(noisy(image, rng, settings), rng, settings)

    if rng.random() < _SECOND_BLUR:
        image = blur(image, rng, settings, image.shape[1] / width)
    image = scaled(image, rng, settings, height, width)
    if not captured:
        image = noisy(image, rng, settings)
    compressed_last = rng.random() < 0.5
    if not captured and not compressed_last:
        image = compress(image, rng, settings)
    image = resized(image, rng, height, width)
    if rng.random() < settings.ringing:
        image = convolve(image, sinc(rng.uniform(np.pi / 3, np.pi)))
    return compress(image, rng, settings) if compressed_last and not captured else image


def blur(
    image: np.ndarray, rng: np.random.Generator, settings: Degradation, pixel: float
) -> np.ndarray:
    """Blurs with a kernel of a random kind.

    Args:
        image: What is blurred.
        rng: Draws the kind, sizes and direction.
        settings: `blur` is the range of sigma, in lr pixels.
        pixel: Side of an lr pixel in pixels of the image.
    """
    kind = rng.choice([*_KERNELS], p=[*_KERNELS.values()])
    if kind == "sinc":
        return convolve(image, sinc(rng.uniform(np.pi / 3, np.pi)))
    first, second = pixel * rng.uniform(*settings.blur, size=2)
    if "anisotropic" not in kind:
        second = first
    if max(first, second) < 0.2:  # which changes next to nothing
        return image
    angle = rng.uniform(-np.pi, np.pi)
    power = 1.0
    if "generalised" in kind:
        power = rng.uniform(0.5, 4.0)
    elif "plateau" in kind:
        power = rng.uniform(1.0, 2.0)
    return convolve(image, gaussian(first, second, angle, power, "plateau" in kind))


def scaled(
    image: np.ndarray, rng: np.random.Generator, settings: Degradation, height: int, width: int
) -> np.ndarray:
    """Resizes to a random size.

    Args:
        image: What is resized.
        rng: Draws the size and the filter.
        settings: `resize` is the range of the factor.
        height: Of the image at a factor of one.
        width: Likewise.
    """
    low, high = settings.resize
    factor, way = 1.0, rng.random()
    if way < _UP:
        factor = rng.uniform(max(1.0, low), max(1.0, high))
    elif way < _UP + _DOWN:
        factor = rng.uniform(min(1.0, low), min(1.0, high))
    return resized(image, rng, max(round(factor * height), 1), max(round(factor * width), 1))


def resized(image: np.ndarray, rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Resizes by a filter drawn at random."""
    kernel = str(rng.choice(_RESIZERS))
    factors = width / image.shape[1], height / image.shape[0]
    large = pyvips.Image.new_from_array(image).resize(factors[0], vscale=factors[1], kernel=kernel)
    assert (large.height, large.width) == (height, width)
    return large.numpy()


def noisy(image: np.ndarray, rng: np.random.Generator, settings: Degradation) -> np.ndarray:
    """Adds Gaussian or Poisson noise, in colour or in grey.

    Args:
        image: What becomes noisy.
        rng: Draws the kind, the amount and the noise.
        settings: `noise` is the range of the standard deviation, in grey levels; that of Poisson
            noise is so at a grey level of 128, and grows with the square root of the level.
    """
    deviation = rng.uniform(*settings.noise)
    poisson, grey = rng.random() < _POISSON, rng.random() < _GREY
    if deviation < 0.1:
        return image
    levels = image.astype(np.float32)
    seen = levels @ color.LUMA[:, None].astype(np.float32) / color.LUMA.sum() if grey else levels
    if poisson:
        photons = 128 / deviation**2  # of a grey level
        noise = rng.poisson(seen * photons) / photons - seen
    else:
        noise = rng.normal(0.0, deviation, seen.shape)
    return np.rint(levels + noise).clip(0, 255).astype(np.uint8)


def compress(image: np.ndarray, rng: np.random.Generator, settings: Degradation) -> np.ndarray:
    """Compresses as JPEG, or at times as WebP, of a quality drawn from `settings.quality`."""
    quality = round(rng.uniform(*settings.quality))
    suffix = ".webp" if rng.random() < _WEBP else ".jpg"
    data = pyvips.Image.new_from_array(image).write_to_buffer(suffix, Q=quality, keep="none")
    return pyvips.Image.new_from_buffer(data, "").numpy()


def gaussian(
    first: float, second: float, angle: float, power: float = 1.0, plateau: bool = False
) -> np.ndarray:
    """Returns a Gaussian kernel, or one of a related shape, whose sum is one.

    exp(-d^p / 2), or on a plateau 1 / (1 + d^p), where d = x^T S^-1 x is the squared distance in
    standard deviations, along axes turned by `angle` (section 3.1).

    Args:
        first: Standard deviation along the first axis, in pixels.
        second: Along the second.
        angle: Of the first axis, in radians.
        power: p: above one the shape is flatter at its top, below one more peaked.
        plateau: Which shape.

    Example:
        >>> gaussian(1.0, 1.0, 0.0).shape
        (7, 7)
    """
    radius = int(np.ceil(3 * max(first, second)))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    along = (np.cos(angle) * x + np.sin(angle) * y) / max(first, 0.1)
    across = (np.cos(angle) * y - np.sin(angle) * x) / max(second, 0.1)
    distance = (along**2 + across**2) ** power
    kernel = 1 / (1 + distance) if plateau else np.exp(-distance / 2)
    return kernel / kernel.sum()


def sinc(cutoff: float) -> np.ndarray:
    """Returns the kernel that keeps frequencies below `cutoff`, which rings (eq. 6).

    w J1(w r) / (2 pi r) at a distance of r pixels, cut off at ten; J1 is Bessel's function.

    Args:
        cutoff: w, in radians a pixel; pi is the highest.
    """
    radius = np.hypot(*np.mgrid[-_SINC_RADIUS : _SINC_RADIUS + 1, -_SINC_RADIUS : _SINC_RADIUS + 1])
    # J1(z) = mean of cos(t - z sin t), to machine precision by so many points.
    turns = np.linspace(0, 2 * np.pi, 128, endpoint=False)
    bessel = np.cos(turns - cutoff * radius[..., None] * np.sin(turns)).mean(axis=-1)
    with np.errstate(divide="ignore"):
        kernel = cutoff * bessel / (2 * np.pi * radius)
    kernel[_SINC_RADIUS, _SINC_RADIUS] = cutoff**2 / (4 * np.pi)
    return kernel / kernel.sum()


def convolve(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Returns an image filtered by a kernel of odd sides; edge pixels are replicated."""
    # By Fourier's transform: kernels of 21 pixels take a tenth of the time of their sums.
    height, width = image.shape[:2]
    rows, columns = (side // 2 for side in kernel.shape)
    padded = np.pad(image, [(rows, rows), (columns, columns), (0, 0)], mode="edge")
    sizes = [side + -side % 64 for side in padded.shape[:2]]  # which have no large factors
    spectrum = np.fft.rfft2(padded.transpose(2, 0, 1).astype(np.float32), sizes)
    spectrum *= np.fft.rfft2(kernel.astype(np.float32), sizes)
    filtered = np.fft.irfft2(spectrum, sizes)
    inside = filtered[:, 2 * rows : 2 * rows + height, 2 * columns : 2 * columns + width]
    return np.rint(inside.transpose(1, 2, 0)).clip(0, 255).astype(np.uint8)
