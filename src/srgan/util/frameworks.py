"""Imports of what the training half is built on."""

import os
from importlib import import_module


def import_tensorflow() -> None:
    """Imports TensorFlow without what it prints about the machine, unless a log level is set."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # On by default for some processors only, and faster on all (benchmarks/training.py).
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    level = "TF_CPP_MIN_LOG_LEVEL"
    if level in os.environ:
        import_module("tensorflow")
        return
    os.environ[level] = "3"  # which leaves two lines that come before it is read
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import_module("tensorflow")
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)
