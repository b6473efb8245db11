"""The precision to train in."""

from pathlib import Path

import keras
import tensorflow as tf

_HALF = (7, 0)  # compute capability: that of the first GPUs with tensor cores, for float16
_BRAIN = (8, 0)  # likewise, for bfloat16


def choose(precision: str) -> str:
    """Sets Keras' dtype policy; returns "float32", "bfloat16" or "float16"."""
    if precision == "auto":
        precision = _fastest()
    policy = precision if precision == "float32" else f"mixed_{precision}"
    keras.config.set_dtype_policy(policy)
    return precision


def _fastest() -> str:
    """What the slowest GPU is fast at, or else the processor."""
    capabilities = [
        tf.config.experimental.get_device_details(gpu).get("compute_capability", _BRAIN)
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    if capabilities:
        lowest = min(capabilities)
        return "bfloat16" if lowest >= _BRAIN else "float16" if lowest >= _HALF else "float32"
    return "bfloat16" if _computes_bfloat16() else "float32"


def _computes_bfloat16() -> bool:
    """Whether the processor has instructions for bfloat16.

    Elsewhere it is emulated: fifteen times slower than float32, measured on an AVX2 machine.
    """
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
