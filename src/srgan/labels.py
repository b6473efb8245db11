"""Words in pictures, drawn with bundled letters: no font need be installed."""

from pathlib import Path

import numpy as np

from srgan import images

LETTER_WIDTH = 11  # pixels
WHITE = 255

_LETTERS = Path(__file__).parent / "photos" / "letters.png"


def write(text: str, width: int) -> np.ndarray:
    """Returns a white strip `(22, width, 3)`, uint8, with a text, cut off where it is full.

    Args:
        text: Printable ASCII characters.
        width: Pixels.
    """
    letters = np.split(images.read_uint8(_LETTERS), ord("~") - ord(" ") + 1, axis=1)
    line = np.concatenate([letters[ord(character) - ord(" ")] for character in text], axis=1)
    line = line[:, :width]
    return np.pad(line, [(0, 0), (0, width - line.shape[1]), (0, 0)], constant_values=WHITE)
