"""Feeds damaged files to what opens pictures and models: nothing may come of it but an error.

    python benchmarks/fuzz.py pictures --files 10000
    python benchmarks/fuzz.py models --minutes 10
    python benchmarks/fuzz.py weights --minutes 10
    python benchmarks/fuzz.py service --files 10000

`weights` are files of PyTorch, safetensors and ncnn, as `srgan convert` takes them. `service` sends
pictures to `srgan serve`, which must answer each with the result, or refuse it.

Small valid files are made on the spot, and changed at random. A process of its own reads each; what
makes it crash, hang, take more than 4 GiB, raise another error than bad input may, or leave a file
behind, is kept in the folder `--output`, and ends the run with exit code 1. Linux only; needs
`pip install srgan[dev]`.
"""

import argparse
import hashlib
import http.client
import io
import multiprocessing
import random
import re
import resource
import struct
import sys
import tempfile
import time
import zipfile
import zlib
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import resilience

SECONDS = 30  # for a file; other work slows this one down
MEMORY = 4 * 2**30
PIXELS = 2**22
HANGS = ("hangs", False)
EXPECTED = (ValueError, OSError, MemoryError)
BETWEEN = b"\n--\0--\n"  # the two files of a network
EXTREME = (b"\0", b"\xff", b"\x7f", b"\x80", b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\0\0\0\0")


XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"
 xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" tiff:Orientation="6" hdrgm:Version="1.0">
<tiff:ImageWidth>32</tiff:ImageWidth></x:xmpmeta>"""


def pictures() -> list[bytes]:
    from PIL import Image

    y, x = np.mgrid[:24, :32]
    rgb = np.stack([8 * x, 10 * y, 4 * (x + y)], axis=-1).astype(np.uint8)
    photo = Image.fromarray(rgb)
    clear = Image.fromarray(np.dstack([rgb, rgb[..., 0]]))
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    exif.get_ifd(0x8769)[0xA002] = 32
    exif.get_ifd(0x8825)[1] = "N"
    seeds = []
    for picture in (photo, clear, photo.convert("L"), photo.convert("P"), photo.convert("CMYK")):
        others = {"save_all": True, "append_images": [picture.rotate(180)]}
        for kind, options in (
            ("PNG", {"exif": exif}),
            ("PNG", others | {"duration": [100, 50]}),
            ("JPEG", {"exif": exif, "progressive": True, "xmp": XMP}),
            ("MPO", others),
            ("WEBP", {"exif": exif, "xmp": XMP} | others),
            ("GIF", others),
            ("AVIF", {"exif": exif}),
            ("AVIF", others | {"duration": [100, 50]}),
            ("TIFF", {"exif": exif, "compression": "tiff_lzw", "dpi": (300, 300)}),
            ("BMP", {"dpi": (300, 300)}),
            ("PPM", {}),
            ("JPEG2000", {}),
            ("JPEG2000", {"no_jp2": True, "tile_size": (16, 16)}),
        ):
            file = io.BytesIO()
            try:
                picture.save(file, kind, **options)
            except (OSError, ValueError, KeyError):
                continue  # not every format has every mode
            seeds.append(file.getvalue())
    return seeds + tiff_files(rgb) + [with_colours(seeds[0]), with_header_of_version_5(rgb)]


def tiff_files(rgb: np.ndarray) -> list[bytes]:
    import tifffile

    planes, seeds = np.moveaxis(rgb, -1, 0).astype(np.uint16, order="C"), []
    for pixels, options in (
        (rgb, {"tile": (16, 16), "bigtiff": True}),
        (planes, {"planarconfig": "separate", "byteorder": ">"}),
        (rgb / np.float32(255), {"compression": "zlib"}),
        (np.stack([rgb, rgb]), {"rowsperstrip": 5}),
    ):
        file = io.BytesIO()
        tifffile.imwrite(file, pixels, photometric="rgb", **options)
        seeds.append(file.getvalue())
    with tifffile.TiffWriter(file := io.BytesIO()) as writer:  # a thumbnail, and pages of two sizes
        writer.write(rgb[::4, ::4], photometric="rgb", subfiletype=1)
        writer.write(rgb, photometric="rgb")
        writer.write(rgb[:16], photometric="rgb")
    return [*seeds, file.getvalue()]


def with_colours(png: bytes) -> bytes:
    """A PNG file with its colours in numbers, and a text."""
    chunks = (
        (b"gAMA", struct.pack(">I", 100_000)),
        (b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)),
        (b"tEXt", b"Title\0holiday"),
    )
    made = (struct.pack(">I", len(body)) + name + body + bytes(4) for name, body in chunks)
    return _with_checksums(png[:33] + b"".join(made) + png[33:])


def with_header_of_version_5(rgb: np.ndarray) -> bytes:
    """A BMP file whose header has a place for a profile."""
    from srgan.io import profiles

    profile = profiles.profile(profiles.ADOBE_RGB)
    height, width = rgb.shape[:2]
    place = struct.pack("<II", 124 + rgb.size, len(profile))
    head = struct.pack("<IHHI", 138 + rgb.size + len(profile), 0, 0, 138)
    head += struct.pack("<IiiHHIIiiII", 124, width, height, 1, 24, 0, rgb.size, 0, 0, 0, 0)
    head += bytes(16) + b"DEBM" + bytes(52) + place + bytes(4)
    return b"BM" + head + rgb[::-1, :, ::-1].tobytes() + profile


def models() -> list[bytes]:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from srgan.models import catalogue

    seeds = []
    own = {f"srgan.{key}": "1" for key in ("name", "scale", "receptive_field", "training_data")}
    own |= {f"srgan.{key}": "0" for key in ("consistency_rounds", "licence", "config_hash")}
    own |= {"srgan.scores": "", "srgan.psnr_model": "other", "srgan.scale": "2"}
    for size, properties, computed in (("h", own, 0), ("h", {}, 0), (24, {}, 0), ("h", {}, 1)):
        weights = {
            "kernel": np.eye(3, dtype=np.float32)[:, :, None, None] * np.full((3, 3), 1 / 9, "f"),
            "scales": np.array([1, 1, 2, 2], np.float32),
        }
        last = bool(properties)
        nodes = [
            helper.make_node("Transpose", ["lr"], ["x"], perm=[0, 3, 1, 2] if last else range(4)),
            helper.make_node("Conv", ["x", "kernel"], ["a"], pads=[1, 1, 1, 1], strides=[1, 1]),
            helper.make_node("LeakyRelu", ["a"], ["b"], alpha=0.2),
            *(
                [
                    helper.make_node("Shape", ["b"], ["shape"]),
                    helper.make_node("Cast", ["shape"], ["floats"], to=TensorProto.FLOAT),
                    helper.make_node("Mul", ["floats", "scales"], ["larger"]),
                    helper.make_node("Cast", ["larger"], ["sizes"], to=TensorProto.INT64),
                    helper.make_node("Resize", ["b", "", "", "sizes"], ["c"], mode="nearest"),
                ]
                if computed
                else [helper.make_node("Resize", ["b", "", "scales"], ["c"], mode="nearest")]
            ),
            helper.make_node("Transpose", ["c"], ["sr"], perm=[0, 2, 3, 1] if last else range(4)),
        ]
        shape = [1, size, size, 3] if last else [1, 3, size, size]
        graph = helper.make_graph(
            nodes,
            "seed",
            [helper.make_tensor_value_info("lr", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("sr", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(array, name) for name, array in weights.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        helper.set_model_props(model, properties)
        seeds.append(model.SerializeToString())
    shipped = [onnx.load(catalogue.path(name)) for name in catalogue.shipped()[:1]]
    return 5 * seeds + [model.SerializeToString() for model in shipped]


def weights() -> list[bytes]:
    """The files that PyTorch and safetensors made for the tests; and two networks of ncnn."""
    folder = Path(__file__).parents[1] / "tests" / "models" / "weights"
    names = ("zip.pth", "legacy.pth", "checkpoint.pth", "plain.safetensors")
    made = [(folder / name).read_bytes() for name in names]
    return [*made, ncnn_network(half=False), ncnn_network(half=True)]


def ncnn_network(half: bool) -> bytes:
    """A small SRVGGNetCompact: its layers, and behind `BETWEEN` its weights."""
    lines, data = ["Input in 0 1 data", "Split s 1 2 data a b"], b""
    for i, (count, inside) in enumerate(((4, 3), (4, 4), (12, 4))):
        size = 9 * count * inside
        lines.append(
            f"Convolution c{i} 1 1 {'a' if i == 0 else f'p{i - 1}'} c{i} 0={count} 1=3 4=1 5=1 "
            f"6={size} 9=2 -23310=1,2e-1"
        )
        values = np.linspace(-0.1, 0.1, size, dtype=np.float16 if half else np.float32)
        data += struct.pack("<I", 0x01306B47 if half else 0) + values.tobytes()
        data += np.zeros(count, np.float32).tobytes()
        lines.append(f"PReLU p{i} 1 1 c{i} p{i} 0={count}")
        data += np.full(count, 0.2, np.float32).tobytes()
    lines += ["PixelShuffle l 1 1 p2 large 0=2", "Interp i 1 1 b near 0=1 1=2.0 2=2.0"]
    lines += ["BinaryOp o 2 1 large near out 0=0"]
    return "\n".join(["7767517", f"{len(lines)} 12", *lines, ""]).encode() + BETWEEN + data


def change_inside(data: bytes, seeds: list[bytes], chance: random.Random) -> bytes:
    """An archive with faults in one of its parts, whose checksums are right."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(made, "w") as changed:
        names = archive.namelist()
        chosen = next((name for name in names if name.endswith("data.pkl")), names[0])
        if chance.random() < 0.2:
            chosen = chance.choice(names)
        for name in names:
            part = archive.read(name)
            changed.writestr(name, change(part, seeds, chance) if name == chosen else part)
    return made.getvalue()


def change(data: bytes, seeds: list[bytes], chance: random.Random) -> bytes:
    """A file with a few faults, most of them near its ends, where the structure is."""
    changed = bytearray(data or b"\0")
    for _ in range(chance.choice((1, 1, 2, 4, 8))):
        length = len(changed) or 1
        ends = chance.choice((length, min(length, 4096), min(length, 256)))
        at = (
            chance.randrange(ends) if chance.random() < 0.7 else length - 1 - chance.randrange(ends)
        )
        size = chance.choice((1, 2, 4, 8, 64))
        match chance.randrange(8):
            case 0 | 1:
                changed[at : at + 1] = bytes([changed[at] ^ (1 << chance.randrange(8))])
            case 2:
                value = chance.choice(EXTREME)
                changed[at : at + len(value)] = value
            case 3:
                changed[at : at + size] = chance.randbytes(size)
            case 4:
                changed[at:at] = changed[at : at + size] * chance.choice((1, 2, 100))
            case 5:
                del changed[at : at + size]
            case 6:
                other = chance.choice(seeds)
                place = chance.randrange(len(other))
                changed[at : at + size] = other[place : place + size]
            case _:
                number = chance.choice((0, 1, 2**8, 2**15, 2**16 - 1, 2**31 - 1, 2**32 - 1))
                changed[at : at + 4] = struct.pack(chance.choice("<>") + "I", number)
        if not changed:
            break
    if chance.random() < 0.05:
        del changed[chance.randrange(len(changed) + 1) :]
    return _with_checksums(bytes(changed)) if chance.random() < 0.8 else bytes(changed)


def _with_checksums(data: bytes) -> bytes:
    """A PNG file whose chunks are whole again; others as they are."""
    if not data.startswith(b"\x89PNG"):
        return data
    fixed, at = bytearray(data), 8
    while at + 12 <= len(data):
        end = at + 8 + struct.unpack_from(">I", data, at)[0]
        if end + 4 > len(data):
            break
        struct.pack_into(">I", fixed, end, zlib.crc32(data[at + 4 : end]))
        at = end + 4
    return bytes(fixed)


def use_picture(data: bytes, folder: Path) -> None:
    from srgan.io import formats, images
    from srgan.io.stream import Picture, open_pages, write_rows
    from srgan.io.suffixes import natural_suffix

    path, suffixes = folder / "fuzz.tif", tuple(formats.FORMATS)
    path.write_bytes(data)
    natural_suffix(path)
    into = suffixes[zlib.crc32(data) % len(suffixes)]

    def carry() -> None:
        for picture in open_pages(data, PIXELS, into, srgb=False)[:3]:
            write_rows(
                folder / f"out{into}", picture.rows(), picture.height, picture.width, picture, True
            )

    results = []
    for use in (lambda: Picture(data, PIXELS) and images.read(path), carry):
        try:
            use()
        except EXPECTED as error:
            results.append(error)
    left = {child.name for child in folder.iterdir()} - {path.name, f"out{into}"}
    (folder / f"out{into}").unlink(missing_ok=True)
    if left:
        raise AssertionError(f"files were left: {left}")
    if results:
        raise results[0]


def use_model(data: bytes, folder: Path) -> None:
    from srgan.models import loading

    path = folder / "fuzz.onnx"
    path.write_bytes(data)
    model = loading.load(path)
    sr = model.upscale(np.full((20, 24, 3), 0.5, np.float32))
    if not np.isfinite(sr).all():
        raise AssertionError("the result has values that are not finite")


def use_weights(data: bytes, folder: Path) -> None:
    from srgan.convert import ncnn, ncnn_graph
    from srgan.models.state_dict import read_state_dict, read_texts

    if BETWEEN in data:
        layers, _, stored = data.partition(BETWEEN)
        path = folder / "fuzz.param"
        path.write_bytes(layers)
        path.with_suffix(".bin").write_bytes(stored)
        ncnn_graph.to_onnx(ncnn.read(path))
        return
    path = folder / "fuzz.pth"
    path.write_bytes(data)
    read_texts(path)
    for name, array in read_state_dict(path).items():
        if array.dtype.kind == "f" and np.isnan(array).any():
            raise AssertionError(f"{name} is not a number")


def work(kind: str, connection: Connection) -> None:
    """Says of each file that comes what became of it: "" or a fault."""
    resource.setrlimit(resource.RLIMIT_AS, (2 * MEMORY, 2 * MEMORY))  # threads reserve some
    use = {"pictures": use_picture, "models": use_model, "weights": use_weights}[kind]
    with tempfile.TemporaryDirectory() as folder:
        while True:
            data = connection.recv_bytes()
            try:
                use(data, Path(folder))
                fault, taken = "", True
            except EXPECTED as error:
                fault, taken = "", False
                if "\n" in str(error):
                    fault = f"a message of several lines: {error}"
            except BaseException as error:
                fault, taken = f"{type(error).__name__}: {error}", False
            needed = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            if needed > MEMORY and not fault:
                fault = f"{needed / 2**30:.1f} GiB of memory"
            connection.send((fault, taken))
            if fault.endswith("memory"):
                return


class Reader:
    """A process that tries one file after the other, and is replaced when it ends.

    Args:
        kind: "pictures", "models" or "weights".
    """

    def __init__(self, kind: str) -> None:
        self._kind, self._context = kind, multiprocessing.get_context("spawn")
        self._begin()

    @property
    def memory(self) -> float:
        """MiB in use."""
        return resident(self._process.pid)

    def close(self) -> None:
        """Ends it."""
        self._process.kill()
        self._process.join()

    def try_file(self, data: bytes) -> tuple[str, bool]:
        """Returns what went wrong, if anything, and whether the file was read to the end."""
        if not self._process.is_alive():
            self._begin()
        self._connection.send_bytes(data)
        try:
            fault, taken = self._connection.recv() if self._connection.poll(SECONDS) else HANGS
        except EOFError:
            self._process.join()
            fault, taken = f"ends with code {self._process.exitcode}", False
        if fault == HANGS[0] or fault.endswith("memory"):
            self._process.kill()
            self._process.join()
        return fault, taken

    def _begin(self) -> None:
        self._connection, other = self._context.Pipe()
        self._process = self._context.Process(target=work, args=(self._kind, other), daemon=True)
        self._process.start()
        other.close()


class Service:
    """`srgan serve`, which is sent one picture after the other."""

    def __init__(self) -> None:
        self._service = resilience.start("--max-megapixels", str(PIXELS / 1e6))

    @property
    def memory(self) -> float:
        """MiB in use."""
        return resident(self._service.process.pid)

    def close(self) -> None:
        """Ends it."""
        self._service.process.terminate()
        self._service.process.wait(SECONDS)

    def try_file(self, data: bytes) -> tuple[str, bool]:
        """Likewise."""
        connection = http.client.HTTPConnection("127.0.0.1", self._service.port, timeout=SECONDS)
        try:
            connection.request("POST", "/v1/upscale", data)
            answer = connection.getresponse()
            body = answer.read()
        except TimeoutError:
            return HANGS
        except (OSError, http.client.HTTPException) as error:
            code = self._service.process.poll()
            return f"no answer ({error}); the service {code or 'runs'}", False
        finally:
            connection.close()
        if answer.status not in (200, 413, 415, 422):
            return f"status {answer.status}: {body[:200]!r}", False
        return "", answer.status == 200


def resident(process: int | None) -> float:
    """The memory of a process, in MiB."""
    fields = Path(f"/proc/{process}/statm").read_text().split()
    return int(fields[1]) * resource.getpagesize() / 2**20


def main() -> int:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=("pictures", "models", "weights", "service"))
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--files", type=int, help="so many, in place of minutes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("fuzz"))
    arguments = parser.parse_args()
    seeds = {"models": models, "weights": weights}.get(arguments.kind, pictures)()
    reader = Service() if arguments.kind == "service" else Reader(arguments.kind)
    chance = random.Random(arguments.seed)
    found: dict[str, Path] = {}
    tried = opened = 0
    warm = slowest = 0.0
    began = time.monotonic()
    while tried < (arguments.files or sys.maxsize):
        if not arguments.files and time.monotonic() - began > 60 * arguments.minutes:
            break
        data = seeds[tried] if tried < len(seeds) else chance.choice(seeds)
        if tried >= len(seeds):
            inside = data.startswith(b"PK\x03\x04") and chance.random() < 0.7
            data = (change_inside if inside else change)(data, seeds, chance)
        tried += 1
        sent = time.monotonic()
        fault, taken = reader.try_file(data)
        slowest = max(slowest, time.monotonic() - sent)
        opened += taken
        if not fault and tried <= len(seeds) and not taken:
            fault = "a seed is refused"
        if tried == 1000:
            warm = reader.memory
        kind = re.sub(r"\d+|'.*'", "#", fault)[:80]
        if fault and kind not in found:
            arguments.output.mkdir(parents=True, exist_ok=True)
            found[kind] = arguments.output / hashlib.sha256(data).hexdigest()[:12]
            found[kind].write_bytes(data)
            print(f"{found[kind]}: {fault}", flush=True)
    print(f"{tried:,} files, {opened:,} of them read to the end, {len(found)} kinds of faults;")
    print(f"the slowest took {slowest:.1f} s; {warm:.0f} MiB after 1,000 files, ", end="")
    print(f"{reader.memory:.0f} at the end")
    reader.close()
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
