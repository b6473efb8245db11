"""How large a result is to be."""

import math
from typing import NamedTuple


class Size(NamedTuple):
    """How large a result is to be; of several wishes, the smallest counts.

    Attributes:
        scale: Times each side of the picture.
        width: Pixels, at most.
        height: Pixels, at most.
        megapixels: Millions of pixels, about.
    """

    scale: float | None = None
    width: int | None = None
    height: int | None = None
    megapixels: float | None = None

    def of(self, height: int, width: int, scale: int) -> tuple[int, int]:
        """Returns height and width of what a picture becomes; its proportions are kept.

        Args:
            height: Of the picture.
            width: Likewise.
            scale: What is meant if there is no wish.

        Raises:
            ValueError: If a wish is not above zero.
        """
        for name, wish in self._asdict().items():
            if wish is not None and not 0 < wish < math.inf:
                raise ValueError(f"{name}={wish} must be above 0, and finite.")
        factors = [
            self.scale,
            self.width and self.width / width,
            self.height and self.height / height,
            self.megapixels and math.sqrt(1e6 * self.megapixels / (height * width)),
        ]
        factor = min((factor for factor in factors if factor), default=scale)
        return max(round(height * factor), 1), max(round(width * factor), 1)


OF_MODEL = Size()


def default_model(size: Size = OF_MODEL) -> str:
    """Returns the name of the shipped model that is made for a size."""
    return "srgan-x2" if size.scale and size.scale <= 2 else "srgan-x4"
