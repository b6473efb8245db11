"""`srgan export` and `srgan verify`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srgan.cli import messages
from srgan.cli.options import AsJson
from srgan.util import frameworks

if TYPE_CHECKING:
    from srgan.verification.certificate import Certificate, Figures, Measurement


def export(
    source: Annotated[
        str,
        typer.Argument(
            metavar="RUN_OR_MODEL", help="The folder of a run, a shipped model, or an ONNX file."
        ),
    ],
    kind: Annotated[
        str,
        typer.Option(
            "--format",
            help="onnx, onnx-fp16, savedmodel, tflite, tflite-fp16, tflite-int8, openvino, "
            "openvino-fp16, openvino-int8.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="OUT", help="The folder to write to, which is made."
        ),
    ],
    size: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="The fixed size of LR images, for tflite; else any size."),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="The folder of photos to calibrate int8 with; else bundled ones."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a model for another runtime, with a certificate.

    OUT gets the model, certificate.json, the pictures that it was compared on, README.md, a
    model card, and LICENSE.md. What was written is compared with the Keras model in a process of
    its own: at least 60 dB for float32, 50 for fp16, 40 for int8, or nothing is left.
    """
    from srgan.verification import certificate

    certificate.check_format(kind)
    fixed = _size(size)
    try:
        frameworks.import_tensorflow()
    except ModuleNotFoundError as error:  # without its name: that is known as of training
        raise ModuleNotFoundError(
            f'Exporting needs {error.name}, which is missing. Run: pip install "srgan[export]"'
        ) from error
    from srgan.export import deliver

    issued = deliver.export(source, kind, output, fixed, calibration)
    if as_json:
        print(issued.model_dump_json())
        return
    _print(issued, issued.measured)
    for name, digest in issued.sha256.items():
        print(f"{digest}  {name}")
    print(f"{output / issued.file}, {issued.bytes / 1e6:.2f} MB")


def verify(
    file: Annotated[
        Path, typer.Argument(help="An exported model, or its folder.", show_default=False)
    ],
    as_json: AsJson = False,
) -> None:
    """Compare an exported model with its certificate again.

    Needs the model's own runtime, and no TensorFlow unless that is TensorFlow. The files must be
    those that the certificate is about, and the results as close to Keras' as it demands.
    """
    from srgan.verification import certificate

    issued, measured = certificate.verify(file)
    if as_json:
        print(json.dumps({"certificate": issued.model_dump(), "measured": measured.model_dump()}))
        return
    _print(issued, measured)
    print(f"{file} is as its certificate says.")


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    width, _, height = text.lower().partition("x")
    if not (height.isdecimal() and width.isdecimal()):
        raise ValueError(f"--size must be width x height, as in 320x180; got {text!r}.")
    if width != height:
        messages.notice(f"--size {text} is {width} wide and {height} high, since version 0.2.")
    return int(height), int(width)


def _print(certificate: "Certificate", measured: "Measurement") -> None:
    def row(name: str, figures: "Figures") -> str:
        return (
            f"{name:20} {figures.psnr:7.1f} dB {figures.max_difference:10.4f} largest "
            f"{figures.mean_difference:10.5f} mean, in grey levels"
        )

    print(
        f"{certificate.format}, against {certificate.source}; at least {certificate.limit:g} dB on "
        "photos:"
    )
    print(row("photos", measured.photos))
    print(row("black, white, noise", measured.extremes))
    print(f"{measured.seconds_per_megapixel:.2f} seconds a megapixel of the result, here")
    for what, versions in (("made", certificate.versions), ("run", measured.versions)):
        print(f"{what} by " + ", ".join(f"{k} {version}" for k, version in versions.items()))
