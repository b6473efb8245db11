"""VGG features for the perceptual loss (Simonyan and Zisserman 2015; Ledig et al. 2017, eq. 5)."""

import os
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import h5py
import keras
import numpy as np

WEIGHTS_VARIABLE = "SRGAN_VGG_WEIGHTS"

_CONVOLUTIONS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}  # in each of the five blocks
_FILTERS = (64, 128, 256, 512, 512)
_MEAN = (123.68, 116.779, 103.939)  # ImageNet's red, green and blue, subtracted from 0..255
_URL = "https://storage.googleapis.com/tensorflow/keras-applications/{}/{}"
_FILE = "{}_weights_tf_dim_ordering_tf_kernels_notop.h5"
_MD5 = {"vgg16": "6d6bbae143d832006294945121d1f1fc", "vgg19": "253f8cb515780f3b799900260a226db6"}


def vgg(
    name: Literal["vgg16", "vgg19"] = "vgg19",
    layers: Sequence[str] | None = None,
    before_activation: bool = True,
    weights: str | os.PathLike | None = None,
) -> keras.Model:
    """Returns a frozen network from images to the features of some layers of an ImageNet VGG.

    Input: `(batch, height, width, 3)`, float32 RGB in [0, 1], sides of at least 32 pixels.
    Output: a dict from each of `layers` to its features; those of `blockB_convC` are
    `(batch, height // 2**(B-1), width // 2**(B-1), channels)`. (A list it is not, since Keras
    unpacks lists of one.) Layers behind the deepest one asked for do not exist.

    Args:
        name: The network.
        layers: Names as in Keras (`block5_conv4`) or in the papers (`conv5_4`); None stands for
            the deepest convolution, `conv5_4` of VGG19 and `conv5_3` of VGG16.
        before_activation: Take features before the ReLU (ESRGAN, section 3.3, where they are
            less sparse), not after it (SRGAN).
        weights: File of ImageNet weights: Keras' own `..._notop.h5`, or an `.npz` with
            `block1_conv1/kernel` (height, width, in, out) and `block1_conv1/bias`, and so on.
            None means the file that the environment variable `SRGAN_VGG_WEIGHTS` names, or else
            Keras' download (80 MB, once).

    Raises:
        ValueError: If a layer does not exist, or the file is not one of this network's weights.
        FileNotFoundError: If a file is named that is not there.
        RuntimeError: If no file is named and the download fails.
    """
    convolutions = _convolutions(name)
    layers, taps = _taps(name, layers)

    image = keras.Input((None, None, 3), name="image")
    # VGG wants BGR in 0..255 minus the mean; the order of the channels is left to the kernel.
    x = keras.layers.Rescaling(
        255.0,
        offset=[-mean for mean in _MEAN],
        dtype="float32",
        name="rescaling",
    )(image)
    features = {}
    used = convolutions[: 1 + max(map(convolutions.index, taps))]
    for layer in used:
        block, first = int(layer[5]), layer.endswith("conv1")
        if first and block > 1:
            x = keras.layers.MaxPooling2D(name=f"block{block - 1}_pool")(x)
        before = keras.layers.Conv2D(_FILTERS[block - 1], 3, padding="same", name=layer)(x)
        x = keras.layers.ReLU(name=layer.replace("conv", "relu"))(before)
        features[layer] = before if before_activation else x
    outputs = {layer: features[tap] for layer, tap in zip(layers, taps, strict=True)}
    model = keras.Model(image, outputs, name=name)
    model.trainable = False

    path = weights_file(name, weights)
    arrays = _read(path)
    _check(path, name, arrays, {layer: model.get_layer(layer).kernel.shape for layer in used})
    for layer in used:
        kernel, bias = arrays[f"{layer}/kernel"], arrays[f"{layer}/bias"]
        if layer == "block1_conv1":
            kernel = kernel[:, :, ::-1]  # from BGR to RGB
        model.get_layer(layer).set_weights([kernel, bias])
    return model


def weights_file(name: Literal["vgg16", "vgg19"], weights: str | os.PathLike | None = None) -> Path:
    """Returns the file of ImageNet weights that `vgg` takes, having downloaded it if need be.

    Raises:
        RuntimeError: If no file is named and the download fails.
    """
    return Path(weights or os.environ.get(WEIGHTS_VARIABLE) or _download(name))


def _convolutions(name: str) -> list[str]:
    if name not in _CONVOLUTIONS:
        raise ValueError(f"name must be 'vgg16' or 'vgg19'; got {name!r}.")
    return [
        f"block{block}_conv{i}"
        for block, count in enumerate(_CONVOLUTIONS[name], start=1)
        for i in range(1, count + 1)
    ]


def _taps(name: str, layers: Sequence[str] | None) -> tuple[Sequence[str], list[str]]:
    """The layers asked for, and their names in Keras."""
    convolutions = _convolutions(name)
    if layers is None:
        layers = convolutions[-1:]
    taps = [re.sub(r"^conv(\d)_(\d)$", r"block\1_conv\2", layer) for layer in layers]
    if not taps or not set(taps) <= set(convolutions):
        raise ValueError(
            f"layers (adversarial.taps) must name convolutions of {name}, {convolutions[0]} to "
            f"{convolutions[-1]}; got {list(layers)}."
        )
    return layers, taps


def _download(name: str) -> Path:
    """Returns Keras' ImageNet weights of `name`, from its cache if they are there."""
    file = _FILE.format(name)
    url = _URL.format(name, file)
    try:
        return Path(keras.utils.get_file(file, url, cache_subdir="models", file_hash=_MD5[name]))
    except Exception as error:  # Keras raises plain Exception
        raise RuntimeError(
            f"The ImageNet weights of {name} could not be downloaded ({error}). Fetch {url} on "
            "a machine with internet access, and pass the file with --vgg-weights FILE, or name "
            f"it in the environment variable {WEIGHTS_VARIABLE}."
        ) from error


def _read(path: Path) -> dict[str, np.ndarray]:
    """Returns the convolutions in a weights file as `blockB_convC/kernel` and `/bias`, float32."""
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no file of VGG weights at {path}. Check the name that --vgg-weights, or the "
            f"environment variable {WEIGHTS_VARIABLE}, has."
        )
    arrays = {}
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                arrays = {key: file[key] for key in file.files}
        else:
            with h5py.File(path) as file:
                for layer in file:
                    for array in _datasets(file[layer]):
                        arrays[f"{layer}/{'kernel' if array.ndim == 4 else 'bias'}"] = array
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} cannot be read as VGG weights, an .npz or Keras' notop.h5: {error}"
        ) from error
    return {
        key: array.astype(np.float32)
        for key, array in arrays.items()
        if re.fullmatch(r"block[1-5]_conv\d/(kernel|bias)", key)
    }


def _datasets(group) -> list[np.ndarray]:
    """The arrays at any depth below an HDF5 group, of which links are not followed."""
    found = []
    group.visititems(
        lambda _, item: found.append(item[()]) if isinstance(item, h5py.Dataset) else None
    )
    return found


def _check(path: Path, name: str, arrays: dict, kernels: dict[str, tuple]) -> None:
    """Raises unless `arrays` fit the kernels' shapes and hold no layers of another network."""
    for layer, shape in kernels.items():
        for key, expected in ((f"{layer}/kernel", shape), (f"{layer}/bias", shape[-1:])):
            if key not in arrays:
                raise ValueError(
                    f"{path} has no {key}, which {name} needs in shape {expected}. "
                    f"Expected {_FILE.format(name)}, or an .npz with the same layers."
                )
            if arrays[key].shape != tuple(expected):
                raise ValueError(
                    f"{path} has {key} in shape {arrays[key].shape}; {name} needs {expected}."
                )
    # The two networks share layers, with the same shapes. A file may end before the last layer.
    foreign = [key for key in arrays if int(key[11]) > _CONVOLUTIONS[name][int(key[5]) - 1]]
    if foreign:
        raise ValueError(f"{path} is not of {name}: it has {foreign[0]}, which {name} lacks.")
    deepest = max(int(key[5]) for key in arrays)
    for layer in _convolutions(name):
        if int(layer[5]) < deepest and f"{layer}/kernel" not in arrays:
            raise ValueError(f"{path} is not of {name}: it lacks {layer}, which {name} has.")
