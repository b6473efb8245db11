"""What a network requires of the size of a picture; srgan's own models require nothing."""

from typing import NamedTuple


class SizeRequirements(NamedTuple):
    """What sizes a network takes.

    Attributes:
        multiple: The sides of what it takes are multiples of this.
        fixed: Height and width of what it takes, if no other is allowed.
        whole: Why it cannot run on tiles, or "".
        minimum: The smallest side, one of these multiples.
    """

    multiple: int = 1
    fixed: tuple[int, int] | None = None
    whole: str = ""
    minimum: int = 1

    @property
    def divisible(self) -> bool:
        """Whether a tile may be cut into smaller ones."""
        return not (self.fixed or self.whole)

    def padded(self, height: int, width: int) -> tuple[int, int]:
        """Returns the smallest size that it takes, and that holds a picture of this size."""
        least = self.fixed or (self.minimum, self.minimum)
        return max(self.round_up(height), least[0]), max(self.round_up(width), least[1])

    def round_up(self, pixels: int) -> int:
        """Returns the next multiple."""
        return -(-pixels // self.multiple) * self.multiple


NO_REQUIREMENTS = SizeRequirements()
