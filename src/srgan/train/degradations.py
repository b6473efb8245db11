"""hr to lr as cameras and web sites do it: out of focus, scaled down, noisy, saved as JPEG.

Every version of a photo has its own blur, noise and quality, the same ones each time it is made.
"""

import hashlib

import numpy as np
import pyvips

from srgan.numeric import resize
from srgan.train import second_order
from srgan.train.config import Degradation


def degrade(hr: np.ndarray, scale: int, settings: Degradation, name: str) -> np.ndarray:
    """Returns one lr version of a photo.

    In one pass, lr = JPEG_q(down(hr * G_b) + N(0, n)), rounded to uint8 after each step, where b, n
    and q are drawn evenly from their ranges, and `down` is `resize.bicubic`. For two, see
    `second_order`.

    Args:
        hr: `(height, width, 3)`, uint8, of multiples of `scale`.
        scale: Factor from lr to hr.
        settings: The ranges.
        name: Of this version of this photo: what is drawn depends on it alone.

    Returns:
        `(height // scale, width // scale, 3)`, uint8.
    """
    rng = np.random.default_rng([*hashlib.sha256(name.encode()).digest()])
    if rng.random() < settings.clean:
        return resize.downscale(hr, scale)
    if settings.order == 2:
        return second_order.degrade(hr, scale, settings, rng)
    blur, noise, quality = (
        rng.uniform(*limits) for limits in (settings.blur, settings.noise, settings.quality)
    )
    lr = resize.downscale(_blur(hr, scale * blur), scale)
    noisy = np.rint(lr + rng.normal(0.0, noise, lr.shape))
    return _jpeg(noisy.clip(0, 255).astype(np.uint8), round(quality))


def _blur(image: np.ndarray, sigma: float) -> np.ndarray:
    if sigma < 0.2:  # which changes no grey level by more than one part in a hundred thousand
        return image
    blurred = pyvips.Image.new_from_array(image).gaussblur(sigma, min_ampl=0.01, precision="float")
    return blurred.rint().cast("uchar").numpy()


def _jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    data = pyvips.Image.new_from_array(image).write_to_buffer(".jpg", Q=quality, keep="none")
    return pyvips.Image.new_from_buffer(data, "").numpy()
