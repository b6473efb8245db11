"""Makes a test set of degraded LR images, as a training with `[degradation]` makes them.

    python benchmarks/degraded.py Set14/HR -o degraded/Set14 --config mine.toml
    srgan evaluate --data degraded/Set14 --model mine.onnx srgan-x4

Each photo gets one version, which depends on its name and the configuration alone.
"""

import argparse
from pathlib import Path

from srgan.io import images
from srgan.io.find import find_images
from srgan.numeric import resize
from srgan.train import config, config_file, degradations


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="folder of HR images")
    parser.add_argument("-o", "--output", type=Path, required=True, help="gets HR/ and LR/")
    parser.add_argument("--config", type=Path, help="of the training; else its default ranges")
    arguments = parser.parse_args()

    settings = config_file.read(arguments.config) if arguments.config else config.Config()
    for folder in ("HR", "LR"):
        (arguments.output / folder).mkdir(parents=True, exist_ok=True)
    for path in find_images(arguments.photos):
        hr = resize.crop_to_multiple(images.read_uint8(path), settings.scale)
        lr = degradations.degrade(hr, settings.scale, settings.degradation, path.name)
        for folder, image in (("HR", hr), ("LR", lr)):
            images.write(arguments.output / folder / f"{path.stem}.png", image, overwrite=True)


if __name__ == "__main__":
    main()
