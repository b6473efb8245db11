"""Tiling changes nothing: checked with real convolutions, and with plain arithmetic."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srgan.models import tiling

lengths = st.integers(1, 300)
halos = st.integers(0, 40)


@given(length=lengths, keep=lengths, halo=halos)
def test_spans_keep_each_pixel_once_and_in_order(length, keep, halo):
    found = tiling.spans(length, keep + 2 * halo, halo)
    kept = [i for span in found for i in range(length)[span.inner]]
    assert kept == list(range(length))


@given(length=lengths, keep=lengths, halo=halos)
def test_spans_read_the_halo_or_end_with_the_image(length, keep, halo):
    for outer, inner in tiling.spans(length, keep + 2 * halo, halo):
        assert outer.start <= max(inner.start - halo, 0)
        assert outer.stop >= min(inner.stop + halo, length)


@given(length=lengths, keep=lengths, halo=halos)
def test_spans_have_one_size(length, keep, halo):
    found = tiling.spans(length, keep + 2 * halo, halo)
    assert {outer.stop - outer.start for outer, _ in found} == {min(length, keep + 2 * halo)}


@pytest.mark.parametrize(("length", "count"), [(1, 1), (50, 1), (51, 2), (90, 2), (91, 3)])
def test_spans_are_as_few_as_the_size_allows(length, count):
    assert len(tiling.spans(length, size=50, halo=5)) == count


def test_spans_that_keep_nothing_are_refused():
    with pytest.raises(ValueError, match="Tiles of 10 pixels keep nothing beside a halo of 5"):
        tiling.spans(length=20, size=10, halo=5)


@given(
    height=lengths,
    width=lengths,
    halo=st.integers(0, 12),
    area=st.integers(1600, 40_000),
    workers=st.integers(1, 8),
    step=st.sampled_from([1, 2, 4]),
)
def test_plans_stay_within_the_area_and_on_the_grid(height, width, halo, area, workers, step):
    height, width, halo = height * step, width * step, halo * step
    cut = tiling.plan(height, width, halo, area * step**2, workers, step)
    tall, wide = cut.size
    assert tall * wide <= area * step**2
    assert tall % step == wide % step == 0
    for span in (*cut.rows, *cut.columns):
        assert span.outer.start % step == 0


def test_a_plan_takes_the_whole_image_if_it_fits_and_one_worker_waits():
    assert tiling.plan(100, 80, halo=10, area=8000).tiles == 1


def test_a_plan_gives_each_worker_a_tile_if_that_is_done_sooner():
    cut = tiling.plan(200, 100, halo=10, area=10**6, workers=2)
    assert (cut.tiles, cut.size) == (2, (110, 100))
    tiny = tiling.plan(20, 20, halo=10, area=10**6, workers=2)  # two halves would be the whole
    assert tiny.tiles == 1


def test_a_plan_balances_its_tiles():
    cut = tiling.plan(1000, 1000, halo=10, area=520 * 520)
    assert cut.size == (510, 510)


def test_a_plan_without_room_takes_the_smallest_tiles():
    assert tiling.plan(500, 400, halo=30, area=100).size == (68, 68)
    assert tiling.plan(500, 40, halo=30, area=100).size == (68, 40)


def blur(lr, radius):
    """A mean over (2 radius + 1)^2 pixels, zeros beyond the border, enlarged twice."""
    padded = np.pad(lr, ((radius, radius), (radius, radius), (0, 0)))
    size = 2 * radius + 1
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(0, 1))
    return windows.mean(axis=(3, 4)).repeat(2, axis=0).repeat(2, axis=1)


def upscaled(lr, radius, halo, size, count=7, pool=None):
    """Through tiles, from bands of `count` rows."""
    cut = tiling.TileLayout(*lr.shape[:2], halo, (size, size))
    bands = (lr[top : top + count] for top in range(0, len(lr), count))
    return np.concatenate(
        list(tiling.upscale(lambda part: blur(part, radius), bands, cut, scale=2, pool=pool))
    )


@given(
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    keep=st.integers(1, 64),
    radius=st.integers(0, 6),
    count=st.integers(1, 70),
)
def test_tiles_equal_the_whole_if_the_halo_covers_what_is_read(height, width, keep, radius, count):
    lr = np.random.default_rng(0).random((height, width, 3))
    tiled = upscaled(lr, radius, radius, keep + 2 * radius, count)
    np.testing.assert_allclose(tiled, blur(lr, radius), atol=1e-6)


def test_tiles_that_run_at_once_are_put_together_in_order():
    lr = np.random.default_rng(0).random((90, 70, 3))
    with ThreadPoolExecutor(4) as pool:
        tiled = upscaled(lr, radius=2, halo=2, size=20, pool=pool)
    np.testing.assert_allclose(tiled, blur(lr, 2), atol=1e-6)


def test_a_halo_too_small_shows():
    lr = np.random.default_rng(0).random((40, 40, 3))
    assert np.abs(upscaled(lr, radius=3, halo=2, size=20) - blur(lr, 3)).max() > 1e-3


def test_rows_are_read_no_earlier_than_needed():
    read = []

    def bands():
        for top in range(100):
            read.append(top)
            yield np.zeros((1, 10, 1))

    cut = tiling.TileLayout(100, 10, halo=2, size=(24, 10))
    rows = tiling.upscale(lambda part: part, bands(), cut, scale=1)
    assert len(next(rows)) == 22
    assert len(read) == 24


def test_progress_counts_every_tile():
    cut, seen = tiling.TileLayout(50, 30, halo=0, size=(20, 20)), []
    bands = [np.zeros((50, 30, 3))]
    run = tiling.upscale(lambda part: part, bands, cut, 1, progress=lambda: seen.append(1))
    assert sum(len(band) for band in run) == 50
    assert len(seen) == cut.tiles == 6


def test_the_work_of_a_plan_is_what_its_tiles_read():
    assert tiling.TileLayout(50, 30, halo=5, size=(30, 30)).work == 2 * 30 * 30


def test_when_progress_raises_no_tile_runs_on_though_the_error_is_kept():
    running = []

    def run(tile):
        running.append(1)
        time.sleep(0.05)
        running.pop()
        return tile

    def stop():
        raise RuntimeError("enough")

    cut = tiling.plan(64, 64, halo=0, area=64)
    with ThreadPoolExecutor(4) as pool:
        rows = tiling.upscale(run, [np.zeros((64, 64, 3))], cut, 1, pool, stop)
        with pytest.raises(RuntimeError, match="enough") as kept:
            next(rows)
        assert not running  # while `kept` holds the frames that know the results
        del kept


@pytest.mark.parametrize("step", [1, 2, 4, 8, 16, 32])
def test_a_plan_is_found_for_tiles_that_begin_at_multiples(step):
    cut = tiling.plan(1024, 992, 32, 200 * 200, 2, step)
    assert cut.size[0] * cut.size[1] <= 200 * 200
    assert all(span.outer.start % step == 0 for span in (*cut.rows, *cut.columns))
    assert cut.tiles == len(cut.rows) * len(cut.columns)


@pytest.mark.parametrize("step", [1, 8])
def test_a_plan_is_found_where_even_the_smallest_tiles_are_too_large(step):
    assert tiling.plan(1000, 1000, 16, 10, 2, step).size == (40, 40)


def test_long_pictures_are_planned_at_once():
    began = time.thread_time()
    cut = tiling.plan(10_000_000, 1, 48, 250_000, 2)
    assert tiling.TileLayout(10_000_000, 1, 48, (112, 112)).tiles == 624_994
    assert cut.tiles == len(cut.rows) == 42
    assert time.thread_time() - began < 0.3  # trying each number of tiles takes 3 s


def test_a_plan_reads_no_more_rows_for_a_tile_than_allowed():
    free = tiling.plan(1000, 1000, halo=5, area=250_000)
    assert free.size[0] > 60
    low = tiling.plan(1000, 1000, halo=5, area=250_000, rows=60)
    assert low.size[0] <= 60
    assert low.size[0] * low.size[1] <= 250_000
    assert low.work < 1.25 * 1000 * 1000
