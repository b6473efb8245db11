"""What may be asked of an upscaling is checked once, and appears wherever it may be asked."""

import inspect

import pytest
from pydantic import ValidationError

from srgan.cli.upscale import upscale
from srgan.upscaling.options import SUFFIXES, UpscaleOptions


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (UpscaleOptions(), (120, 80)),
        (UpscaleOptions(scale=2.5), (75, 50)),
        (UpscaleOptions(width=30), (45, 30)),
        (UpscaleOptions(height=45), (45, 30)),
        (UpscaleOptions(width=100, height=45), (45, 30)),  # as large as fits
        (UpscaleOptions(megapixels=0.0054), (90, 60)),
        (UpscaleOptions(width=1), (2, 1)),  # 1.5 rounds to even; no side is ever zero
    ],
)
def test_a_size_keeps_the_proportions(options, expected):
    assert options.output_size(30, 20, scale=4) == expected


@pytest.mark.parametrize("name", ["scale", "width", "height", "megapixels"])
def test_a_size_of_nothing_is_refused(name):
    for value in (0, -1, float("nan"), float("inf"), 1e303):
        with pytest.raises(ValueError, match=f"{name}: "):
            UpscaleOptions.parse(**{name: value})


def test_a_misspelt_option_is_named():
    with pytest.raises(ValueError, match="scal: There is no such option"):
        UpscaleOptions.parse(scal=2)


def test_options_do_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        UpscaleOptions().scale = 2


@pytest.mark.parametrize(
    ("given", "name"), [("jpg", "jpeg"), (".TIF", "tiff"), ("png", "png"), ("AVIF", "avif")]
)
def test_formats_are_known_by_their_suffixes_too(given, name):
    options = UpscaleOptions.parse(format=given)
    assert (options.format, options.suffix) == (name, SUFFIXES[name])


def test_only_what_was_set_and_matters_is_changed():
    options = UpscaleOptions(scale=2, tile=64, max_megapixels=10, srgb=True)
    assert options.changed() == {"scale": 2, "srgb": True}
    assert UpscaleOptions().changed() == {}


def test_each_option_is_one_of_the_command_line():
    assert UpscaleOptions.model_fields.keys() <= inspect.signature(upscale).parameters.keys()


def test_each_option_is_one_of_the_service_but_those_that_cost_memory():
    asked = pytest.importorskip(
        "srgan.server.requests", reason="needs fastapi", exc_type=ImportError
    )
    left_out = UpscaleOptions.model_fields.keys() - asked.UpscaleRequest.model_fields.keys()
    assert left_out == {"tile", "overlap", "max_megapixels", "max_frames"}
