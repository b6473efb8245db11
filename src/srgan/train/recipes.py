"""The named configurations of `srgan train --recipe NAME`."""

from srgan.train.config import (
    Adversarial,
    Config,
    Degradation,
    Pretrain,
    Residual,
    RrdbNet,
    SrResNet,
    Teacher,
)

RESIDUAL_X4 = Config()
"""A small network for a computer without GPU, from its beginning.

    srgan train PHOTOS -o RUN --recipe residual-x4

Its second stage, with `crop_candidates` = 3, made srgan-x4; what that took and scores stands in
docs/models.md.
"""

OWN_X4 = Config(
    pretrain=Pretrain(steps=7_500, hr_patch=192, learning_rate=7e-4),
    adversarial=Adversarial(steps=4_000),
)
"""The same network, from a shipped one on, with your own photos.

    srgan train PHOTOS -o RUN --recipe own-x4 --init srgan-psnr-x4

Its first stage, shortened, made srgan-psnr-x4; what that took and scores stands in docs/models.md.
"""

FAST_X4 = Config(
    generator=Residual(filters=32, blocks=8, hr_filters=0),
    pretrain=Pretrain(steps=30_000, batch_size=16, learning_rate=1e-3),
    adversarial=Adversarial(steps=4_000, crop_candidates=3, learning_rate=3e-4, grid_weight=6.0),
)
"""A network of 0.17 million parameters, for phones, video and large folders: srgan-fast-x4.

    srgan train PHOTOS -o RUN --recipe fast-x4

What it took and scores stands in docs/models.md.
"""

RESIDUAL_X2 = Config(
    scale=2,
    pretrain=Pretrain(steps=6_000, batch_size=8, hr_patch=80, learning_rate=4e-4, ema=0.998),
    adversarial=Adversarial(steps=3_000, hr_patch=80, window=64),
)
"""The same network for x2, from one for x4, whose trunk knows photos already.

    srgan train PHOTOS -o RUN --recipe residual-x2 --init srgan-psnr-x4

With `generator.hr_filters` = 0 and `pretrain.crop_candidates` = 1 it made
srgan-x2; what that took and scores
stands in docs/models.md.
"""

PHOTO_X4 = Config(
    projection=0,
    degradation=Degradation(versions=8),
    pretrain=Pretrain(steps=6_000),
)
"""The same network for small photos with blur, noise and JPEG's losses.

    srgan train PHOTOS -o RUN --recipe photo-x4 --init srgan-psnr-x4

With `generator.hr_filters` = 0 and `pretrain.crop_candidates` = 1 it made
srgan-photo-x4; what that took and
scores stands in docs/models.md.
"""

DISTIL = Config(
    projection=0,
    degradation=Degradation(versions=8),
    teacher=Teacher(model="srgan-photo-x4", pixel=0.75, perceptual=0.75, adversarial=0.5),
    generator=Residual(filters=48, blocks=8),
    pretrain=Pretrain(steps=6_000, crop_candidates=1, pixel="l1"),
    adversarial=Adversarial(steps=4_000),
)
"""A network of half a million parameters, a file of 1 MB, taught by a larger one.

    srgan train PHOTOS -o RUN --recipe distil --teacher TEACHER.onnx

Its shares are those of the run that dev/state/photo-taught-x4.toml describes.
"""

SRGAN_PAPER_X4 = Config(
    projection=0,
    generator=SrResNet(filters=64, blocks=16, normalisation=True, activation="prelu"),
    pretrain=Pretrain(
        steps=1_000_000,
        crop_candidates=1,
        batch_size=16,
        hr_patch=96,
        learning_rate=1e-4,
        warmup=0,
        pixel="mse",
        optimizer="adam",
    ),
    adversarial=Adversarial(
        steps=200_000,
        batch_size=16,
        hr_patch=96,
        window=96,
        learning_rate=1e-4,
        pixel_weight=0.0,
        chroma_weight=0.0,
        perceptual_weight=1.0,
        adversarial_weight=1e-3,
        grid_weight=0.0,
        ramp=0,
        vgg="vgg19",
        taps={"conv5_4": 1.0},
        before_activation=False,
        feature_scale=1 / 12.75,  # section 3.2
        feature_distance="mse",
        discriminator_head="dense",
        discriminator_filters=64,
        discriminator_learning_rate=1e-4,
        discriminator_steps=0,
        optimizer="adam",
    ),
)
"""SRGAN as in the paper (Ledig et al. 2017, section 3.2): VGG5.4 loss, no pixel loss.

Departures: the learning rate falls along a cosine, not once by ten, and gradients are clipped.
Made for a GPU; not measured here.
"""

ESRGAN_PAPER_X4 = Config(
    projection=0,
    generator=RrdbNet(filters=64, blocks=23, growth=32),
    pretrain=Pretrain(
        steps=1_000_000,
        crop_candidates=1,
        batch_size=16,
        hr_patch=128,
        learning_rate=2e-4,
        warmup=0,
        pixel="l1",
        optimizer="adam",
    ),
    adversarial=Adversarial(
        steps=400_000,
        batch_size=16,
        hr_patch=128,
        window=128,
        learning_rate=1e-4,
        pixel="l1",
        pixel_weight=1e-2,
        chroma_weight=0.0,
        perceptual_weight=1.0,
        adversarial_weight=5e-3,
        grid_weight=0.0,
        adversarial="relativistic",
        ramp=0,
        vgg="vgg19",
        taps={"conv5_4": 1.0},
        before_activation=True,
        feature_scale=1.0,
        feature_distance="l1",
        discriminator_head="dense",
        discriminator_filters=64,
        discriminator_learning_rate=1e-4,
        discriminator_steps=0,
        optimizer="adam",
    ),
)
"""ESRGAN as in the paper (Wang et al. 2018, section 4.1): dense blocks, relativistic loss.

Departures: as in SRGAN_PAPER_X4, and its discriminator. Made for a GPU; not measured here.
"""

RECIPES = {
    "residual-x4": RESIDUAL_X4,
    "own-x4": OWN_X4,
    "fast-x4": FAST_X4,
    "residual-x2": RESIDUAL_X2,
    "photo-x4": PHOTO_X4,
    "distil": DISTIL,
    "srgan-paper-x4": SRGAN_PAPER_X4,
    "esrgan-paper-x4": ESRGAN_PAPER_X4,
}
