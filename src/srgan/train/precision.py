"""The precision to train in."""

from pathlib import Path

import keras
import tensorflow as tf


def choose(precision: str) -> str:
    """Sets Keras' dtype policy; returns "float32" or "bfloat16"."""
    if precision == "auto":
        precision = "bfloat16" if _computes_bfloat16() else "float32"
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
    return precision


def _computes_bfloat16() -> bool:
    """Whether bfloat16 is faster than float32 here: on a GPU, or a CPU with instructions for it.

    Elsewhere it is emulated: fifteen times slower than float32, measured on an AVX2 machine.
    """
    if tf.config.list_physical_devices("GPU"):
        return True
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
