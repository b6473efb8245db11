"""Words in pictures, drawn with bundled letters: no font need be installed."""

import numpy as np

from srgan.io import images
from srgan.util import resources

LETTER_WIDTH = 11  # pixels
WHITE = 255

_LETTERS = resources.PHOTOS / "letters.png"


def draw_text(text: str, width: int) -> np.ndarray:
    """Returns a white strip `(22, width, 3)`, uint8, with a text, cut off where it is full.

    Args:
        text: Printable ASCII characters.
        width: Pixels.
    """
    letters = np.split(images.read_uint8(_LETTERS), ord("~") - ord(" ") + 1, axis=1)
    line = np.concatenate([letters[ord(character) - ord(" ")] for character in text], axis=1)
    line = line[:, :width]
    return np.pad(line, [(0, 0), (0, width - line.shape[1]), (0, 0)], constant_values=WHITE)
