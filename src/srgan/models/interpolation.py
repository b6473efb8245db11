"""Network interpolation: between a PSNR model and the GAN model trained from it."""

import numpy as np


def interpolate(psnr_model: bytes, gan_model: bytes, realism: float) -> bytes:
    """Returns an ONNX file whose weights lie between those of two.

    w = (1 - realism) w_psnr + realism w_gan (network interpolation, Wang et al. 2018, section
    3.4). It works because the GAN model began as the PSNR model: their features still correspond.

    Args:
        psnr_model: Contents of an ONNX file.
        gan_model: Of another with the same graph; what else it holds is kept.
        realism: From 0, exactly the weights of the first, to 1, exactly those of the second.

    Raises:
        ValueError: If `realism` is outside, or the files are not two of one network.
    """
    import onnx  # takes longer to import than all else here, and only interpolation needs it
    from google.protobuf.message import DecodeError
    from onnx import numpy_helper

    if not 0 <= realism <= 1:
        raise ValueError(f"realism={realism:g} must be from 0 (the PSNR model) to 1 (the GAN one).")
    try:
        first = onnx.load_model_from_string(psnr_model)
        second = onnx.load_model_from_string(gan_model)
    except DecodeError as error:
        raise ValueError("One of the two models is not an ONNX file.") from error
    weights = {tensor.name: tensor for tensor in first.graph.initializer}
    if list(first.graph.node) != list(second.graph.node) or len(weights) != len(
        second.graph.initializer
    ):
        raise ValueError("The two models are different networks; only weights may differ.")
    for tensor in second.graph.initializer:
        other = weights.get(tensor.name)
        if other is None or (other.dims, other.data_type) != (tensor.dims, tensor.data_type):
            raise ValueError(f"The two models are different networks: {tensor.name} does not fit.")
        one, two = numpy_helper.to_array(other), numpy_helper.to_array(tensor)
        if not np.issubdtype(two.dtype, np.floating):  # the factors of a resize, for example
            if not np.array_equal(one, two):
                raise ValueError(f"The two models are different networks: {tensor.name} differs.")
            continue
        between = (1 - realism) * one.astype(np.float64) + realism * two.astype(np.float64)
        tensor.CopyFrom(numpy_helper.from_array(between.astype(two.dtype), tensor.name))
    return second.SerializeToString()
