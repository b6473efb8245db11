"""Numbers as JSON can hold them."""

import math
from typing import Any


def plain(value: Any) -> Any:
    """Returns what stands for a value in JSON: None for NaN, and "inf" or "-inf" for infinity."""
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


def number(value: float | str | None) -> float:
    """Undoes `plain`."""
    return math.nan if value is None else float(value)
