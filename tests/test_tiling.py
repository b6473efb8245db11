"""Tiling changes nothing: checked with real convolutions, and with plain arithmetic."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srgan import tiling

sizes = st.integers(1, 300)


@given(length=sizes, tile=sizes, halo=st.integers(0, 40))
def test_spans_keep_each_pixel_once_and_in_order(length, tile, halo):
    kept = [i for span in tiling.spans(length, tile, halo) for i in range(length)[span.inner]]
    assert kept == list(range(length))


@given(length=sizes, tile=sizes, halo=st.integers(0, 40))
def test_spans_read_the_halo_or_end_with_the_image(length, tile, halo):
    for outer, inner in tiling.spans(length, tile, halo):
        assert outer.start <= max(inner.start - halo, 0)
        assert outer.stop >= min(inner.stop + halo, length)


@given(length=sizes, tile=sizes, halo=st.integers(0, 40))
def test_spans_have_one_size(length, tile, halo):
    read = {outer.stop - outer.start for outer, _ in tiling.spans(length, tile, halo)}
    assert read == {min(length, tile + 2 * halo)}


@pytest.mark.parametrize(("length", "count"), [(1, 1), (50, 1), (51, 2), (90, 2), (91, 3)])
def test_spans_are_as_few_as_the_size_allows(length, count):
    assert len(tiling.spans(length, tile=40, halo=5)) == count


def blur(lr, radius):
    """A mean over (2 radius + 1)^2 pixels, zeros beyond the border, enlarged twice."""
    padded = np.pad(lr, ((radius, radius), (radius, radius), (0, 0)))
    size = 2 * radius + 1
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(0, 1))
    return windows.mean(axis=(3, 4)).repeat(2, axis=0).repeat(2, axis=1)


@given(
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    tile=st.integers(4, 64),
    radius=st.integers(0, 6),
)
def test_tiles_equal_the_whole_if_the_halo_covers_what_is_read(height, width, tile, radius):
    lr = np.random.default_rng(0).random((height, width, 3))
    tiled = tiling.upscale_tiled(lambda part: blur(part, radius), lr, 2, radius, tile)
    np.testing.assert_allclose(tiled, blur(lr, radius), atol=1e-6)


def test_a_halo_too_small_shows():
    lr = np.random.default_rng(0).random((40, 40, 3))
    tiled = tiling.upscale_tiled(lambda part: blur(part, 3), lr, scale=2, halo=2, tile=16)
    assert np.abs(tiled - blur(lr, 3)).max() > 1e-3


def test_progress_counts_to_the_end():
    lr, seen = np.zeros((50, 30, 3)), []
    tiling.upscale_tiled(
        lambda part: blur(part, 0), lr, 2, 0, tile=20, progress=lambda *now: seen.append(now)
    )
    assert seen == [(i, 6) for i in range(1, 7)]


def test_the_result_has_the_dtype_asked_for():
    lr = np.full((5, 5, 1), 200, np.uint8)
    sr = tiling.upscale_tiled(lambda part: part, lr, scale=1, halo=0, dtype=np.uint8)
    assert sr.dtype == np.uint8
    np.testing.assert_array_equal(sr, lr)


@pytest.mark.parametrize(("tile", "halo"), [(0, 1), (1, -1)])
def test_sizes_below_their_least_are_named(tile, halo):
    with pytest.raises(ValueError, match=rf"got tile={tile}, halo={halo}"):
        tiling.upscale_tiled(lambda part: part, np.zeros((4, 4, 3)), 1, halo, tile)
