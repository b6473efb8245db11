"""Mixed batches are what their papers say, and depend on chance alone."""

import numpy as np

from srgan.numeric import resize
from srgan.train import mixing


def batch():
    hr = np.random.default_rng(0).random((4, 32, 48, 3), np.float32)
    return np.zeros((4, 8, 12, 3), np.float32), hr


def test_mixup_blends_all_images_of_a_batch_alike():
    hr = np.stack([np.full((8, 8, 3), i, np.float32) for i in (0, 1, 10, 100)])
    lr = hr[:, :2, :2]
    small, large = mixing.mixup((lr, hr), np.random.default_rng(3))
    np.testing.assert_allclose(small, large[:, :2, :2])
    rng = np.random.default_rng(3)
    weight, order = rng.beta(1.2, 1.2), rng.permutation(4)
    expected = weight * hr[:, 0, 0, 0] + (1 - weight) * hr[order, 0, 0, 0]
    np.testing.assert_allclose(large[:, 0, 0, 0], expected, rtol=1e-5)


def is_rectangle(mask):
    return bool((mask == (mask.any(axis=1)[:, None] & mask.any(axis=0))).all())


def test_cutblur_cleans_a_rectangle_or_all_around_it():
    lr, hr = batch()
    clean = np.stack([resize.downscale(image, 4) for image in hr])
    kinds = set()
    for seed in range(12):
        mixed = mixing.cutblur(lr, hr, np.random.default_rng(seed), 1.0)
        for image, original in zip(mixed, clean, strict=True):
            cleaned = (image == original).all(axis=-1)
            assert (cleaned | (image == 0).all(axis=-1)).all()
            kinds.add((is_rectangle(cleaned), is_rectangle(~cleaned)))
    assert {(True, False), (False, True)} <= kinds
    assert (False, False) not in kinds
    assert not lr.any()  # which is left alone


def test_a_share_of_the_images_is_mixed():
    lr, hr = batch()
    changed = [
        mixing.cutblur(lr, hr, np.random.default_rng(seed), 0.25).any(axis=(1, 2, 3)).mean()
        for seed in range(60)
    ]
    assert 0.15 < np.mean(changed) < 0.35
    assert not mixing.cutblur(lr, hr, np.random.default_rng(0), 0.0).any()
