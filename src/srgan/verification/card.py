"""The model card of an exported model: Markdown with the front matter of Hugging Face."""

import dataclasses

from srgan.models.metadata import Metadata
from srgan.verification.certificate import Certificate, Figures

_USE = {  # by what the name of a format begins with: how a user runs it
    "onnx": "ONNX Runtime, OpenVINO, onnxruntime-web, or `srgan upscale --model {file}`",
    "savedmodel": "TensorFlow, TensorFlow Serving",
    "tflite": "LiteRT (`ai-edge-litert`), TensorFlow Lite",
    "openvino": "OpenVINO",
}
_LICENCES = (  # of https://huggingface.co/docs/hub/repositories-licenses, those in use
    *("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "gpl-3.0", "agpl-3.0", "lgpl-3.0"),
    *("cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "wtfpl"),
    *("unlicense", "mpl-2.0", "isc", "openrail"),
)


@dataclasses.dataclass(frozen=True)
class NetworkFacts:
    """What the card says beside the metadata and the certificate.

    Attributes:
        network: Architecture and size, in words.
        interface: What goes in and what comes out.
    """

    network: str
    interface: str


def markdown(metadata: Metadata, certificate: Certificate, facts: NetworkFacts) -> str:
    """Returns the README.md of a folder that can be uploaded as it is."""
    family = certificate.format.partition("-")[0]
    measured = certificate.measured
    before = metadata.psnr_model
    lineage = f"it began with the weights of `{before}`" if before else "no earlier model is named"
    consistency = "included" if family == "savedmodel" else "left to the program that runs it"
    if not metadata.consistency_rounds:
        consistency = "not applied to this model"
    versions = ", ".join(f"{k} {v}" for k, v in (certificate.versions | measured.versions).items())
    hashes = "\n".join(f"| `{name}` | `{digest}` |" for name, digest in certificate.sha256.items())
    return f"""---
{_licence_of_hub(metadata.licence)}
library_name: {"tf-keras" if family == "savedmodel" else family}
pipeline_tag: image-to-image
tags:
- super-resolution
- image-upscaling
- srgan
- {family}
---

# {metadata.name}, {certificate.format}

Enlarges photographs {metadata.scale} times. {facts.network} Runs with \
{_USE[family].format(file=certificate.file)}; the model is `{certificate.file}`.

{facts.interface}

## Intended use

Photographs that are small because they were scaled down. Not for faces in evidence, medical or \
scientific images, or wherever a false detail does harm: what is added is plausible, not true.

## Limits

Strong JPEG artefacts, noise and blur are enlarged, not removed, unless the model was trained on \
them. A pixel of the result depends on the lr pixels up to {metadata.receptive_field} away: tiles \
of a large picture must overlap by so much. Consistency projection, after which the result scaled \
down is the input ({metadata.consistency_rounds} rounds): {consistency}.

## Training data and licence

{metadata.training_data or "Not stated."}

Lineage: {lineage}.

Licence: {metadata.licence or "not stated"}.

## Scores

{metadata.scores or "None are recorded in the model."}

## Compute

Training: {metadata.training or "not recorded in the model."} Running: \
{measured.seconds_per_megapixel:.2f} seconds a megapixel of the result, on the machine that \
exported it.

## Certificate

Compared with the {certificate.source} model in a fresh process, in grey levels (1/255), by \
{versions}. `srgan verify {certificate.file}` repeats it; at least {certificate.limit:g} dB on \
photos are required.

| on | PSNR dB | largest difference | mean difference |
|---|---|---|---|
{_row("photos", measured.photos)}
{_row("black, white, noise", measured.extremes)}

| file | SHA-256 |
|---|---|
{hashes}

Configuration: `{metadata.config_hash}`.
"""


def _licence_of_hub(licence: str) -> str:
    """The licence in the words that the Hub filters by."""
    if licence.lower() in _LICENCES:
        return f"license: {licence.lower()}"
    return "license: other\nlicense_name: see-model-card\nlicense_link: LICENSE.md"


def licence_markdown(metadata: Metadata) -> str:
    """Returns the LICENSE.md beside the card: the Hub links to no file of another name."""
    return f"""# Licence of {metadata.name}

{metadata.licence or "Not stated."}

Trained on: {metadata.training_data or "not stated."}
"""


def _row(name: str, figures: Figures) -> str:
    return (
        f"| {name} | {figures.psnr:.1f} | {figures.max_difference:.3f} "
        f"| {figures.mean_difference:.4f} |"
    )
