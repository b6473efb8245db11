"""Crops side by side, as papers show them: the photo with a box, LR, the methods, HR."""

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from srgan.quality.datasets import Case
from srgan.quality.measures import MEASURES
from srgan.quality.results import Evaluation
from srgan.util import files

SUFFIXES = (".png", ".pdf")

_CROP = 200  # pixels of the sheet: about the longer side of a crop, by whole factors
_NARROWEST = 120  # pixels of the sheet that the texts below a crop have
_GAP, _MARGIN = 10, 16
_SIZE, _LEADING = 15, 19  # of the letters
_BOX = (220, 30, 30)
_GAP_COLOUR, _CROSS = (232, 232, 232), (150, 150, 150)  # where there is no result


class Window(NamedTuple):
    """A part of a photo to show, in pixels of HR."""

    photo: str  # SET/NAME, or the name alone
    left: int
    top: int
    width: int
    height: int


def window(text: str) -> Window:
    """Returns what PHOTO:LEFT,TOP,WIDTHxHEIGHT stands for.

    Raises:
        ValueError: If it is nothing of the kind.

    Example:
        >>> window("Set5/baby:120,80,96x64")
        Window(photo='Set5/baby', left=120, top=80, width=96, height=64)
    """
    found = re.fullmatch(r"(.+):(\d+),(\d+),(\d+)x(\d+)", text)
    if not found or "0" in found.groups()[3:]:
        raise ValueError(
            f"{text!r} is no window; expected PHOTO:LEFT,TOP,WIDTHxHEIGHT in pixels of HR, such as "
            "Set5/baby:120,80,96x64."
        )
    return Window(found[1], *map(int, found.groups()[1:]))


def find(photos: Sequence[Case], windows: Sequence[Window]) -> list[tuple[Case, Window]]:
    """Returns the photo of each window.

    Raises:
        ValueError: If there is no such photo, or several.
    """
    pairs = []
    for one in windows:
        cases = [c for c in photos if one.photo in (c.name, f"{c.dataset}/{c.name}")]
        if len(cases) != 1:
            some = ", ".join(f"{c.dataset}/{c.name}" for c in (cases or photos)[:5])
            raise ValueError(
                f"There {'is no photo' if not cases else f'are {len(cases)} photos'} {one.photo}; "
                f"expected one such as {some}."
            )
        pairs.append((cases[0], one))
    return pairs


def require_within(case: Case, one: Window, width: int, height: int) -> None:
    """Raises a ValueError if a window is not in its photo, which has that many pixels."""
    if one.left + one.width > width or one.top + one.height > height:
        raise ValueError(
            f"The window {one.width}x{one.height} at {one.left},{one.top} is not within "
            f"{case.dataset}/{case.name}, which is {width}x{height}."
        )


def draw(found: Evaluation, windows: Sequence[Window]) -> np.ndarray:
    """Returns the sheet, `(height, width, 3)`, uint8: a row for each window.

    A row has the photo with the window in it; then the window of LR (its pixels as squares), of
    each method with the scores of the whole photo, or a cross where it has no result, and of HR.
    Windows are enlarged by a whole factor, without a filter.

    Raises:
        ValueError: If a window is not in its photo, or there is no such photo.
    """
    rows = [_row(found, case, one) for case, one in find(found.cases, windows)]
    scores = " / ".join(MEASURES[measure].label for measure in ("psnr", "lpips"))
    legend = f"x{found.scale}, {found.protocol}. Under each method: {scores} of the whole photo."
    width = max(max(row.width for row in rows), int(_font().getlength(legend)))
    height = sum(row.height + 2 * _GAP for row in rows) + _LEADING
    sheet = Image.new("RGB", (width + 2 * _MARGIN, height + 2 * _MARGIN), "white")
    top = _MARGIN
    for row in rows:
        sheet.paste(row, (_MARGIN, top))
        top += row.height + 2 * _GAP
    ImageDraw.Draw(sheet).text((_MARGIN, top), legend, "black", _font())
    return np.asarray(sheet)


def save(sheet: np.ndarray, destination: Path) -> None:
    """Writes a sheet as PNG or PDF, by the suffix, whole or not at all; both keep every pixel.

    Raises:
        OSError: If it cannot be written.
        ValueError: If the suffix is another.
    """
    image, made = Image.fromarray(sheet), io.BytesIO()
    if destination.suffix.lower() == ".pdf":
        # Pillow puts RGB into PDF as JPEG, and RGBA as JPEG 2000 without loss.
        image.convert("RGBA").save(made, "PDF", resolution=144)
    elif destination.suffix.lower() == ".png":
        image.save(made, "PNG")
    else:
        raise ValueError(f"{destination} is no sheet; expected {' or '.join(SUFFIXES)}.")
    files.write_bytes(destination, made.getvalue())


def _row(found: Evaluation, case: Case, one: Window) -> Image.Image:
    lr, hr = found.lr(case), found.hr(case)
    height, width = (side * found.scale for side in lr.shape[:2])
    require_within(case, one, width, height)
    squares = lr.repeat(found.scale, axis=0).repeat(found.scale, axis=1)
    cells = [(squares, "LR", f"{lr.shape[1]}x{lr.shape[0]}")]
    for method in found.methods:
        result, sr = found.result(case, method.name), found.sr(case, method.name)
        if sr is not None and result.scores:
            texts = (MEASURES[k].format(getattr(result.scores, k)) for k in ("psnr", "lpips"))
            cells.append((sr, method.name, " / ".join(texts)))
        else:
            cells.append((_crossed_out(height, width, one), method.name, "no result"))
    if hr is not None:
        cells.append((hr, "HR", f"{width}x{height}"))
    zoom = max(1, round(_CROP / max(one.width, one.height)))
    drawn = [
        _cell(image[one.top : one.top + one.height, one.left : one.left + one.width], zoom, texts)
        for image, *texts in cells
    ]
    columns = -(-len(drawn) // 2) if len(drawn) > 3 else len(drawn)
    wide, high = (max(cell.size[k] for cell in drawn) + _GAP for k in (0, 1))
    lines = -(-len(drawn) // columns)
    whole = _whole(hr if hr is not None else cells[-1][0], case, one, high * lines - _GAP)
    row = Image.new("RGB", (whole.width + _GAP + wide * columns, high * lines), "white")
    row.paste(whole, (0, 0))
    for k, cell in enumerate(drawn):
        row.paste(cell, (whole.width + _GAP + wide * (k % columns), high * (k // columns)))
    return row


def _crossed_out(height: int, width: int, one: Window) -> np.ndarray:
    """A grey picture with a cross in the window, where a method has no result."""
    gap = Image.new("RGB", (width, height), _GAP_COLOUR)
    right, bottom = one.left + one.width - 1, one.top + one.height - 1
    pen = ImageDraw.Draw(gap)
    pen.line([one.left, one.top, right, bottom], _CROSS)
    pen.line([one.left, bottom, right, one.top], _CROSS)
    return np.asarray(gap)


def _whole(image: np.ndarray, case: Case, one: Window, height: int) -> Image.Image:
    """The photo, as high as the crops beside it, with a box around the window."""
    share = (height - _LEADING) / image.shape[0]
    width = max(1, round(image.shape[1] * share))
    cell = Image.new("RGB", (width, height), "white")
    cell.paste(Image.fromarray(image).resize((width, height - _LEADING), Image.Resampling.LANCZOS))
    pen = ImageDraw.Draw(cell)
    corners = (one.left, one.top, one.left + one.width, one.top + one.height)
    pen.rectangle([round(share * side) for side in corners], outline=_BOX, width=3)
    pen.text(
        (0, height - _LEADING + 1), _fitting(f"{case.dataset}/{case.name}", width), "black", _font()
    )
    return cell


def _cell(crop: np.ndarray, zoom: int, texts: Sequence[str]) -> Image.Image:
    """A crop with two lines below it."""
    large = Image.fromarray(crop.repeat(zoom, axis=0).repeat(zoom, axis=1))
    width = max(large.width, _NARROWEST)
    cell = Image.new("RGB", (width, large.height + 2 * _LEADING), "white")
    cell.paste(large, (0, 0))
    for k, text in enumerate(texts):
        place = (0, large.height + 1 + k * _LEADING)
        ImageDraw.Draw(cell).text(place, _fitting(text, width), "black", _font())
    return cell


def _fitting(text: str, width: int) -> str:
    """A text, cut off where there is no room."""
    short = text
    while short and _font().getlength(short if short == text else f"{short}...") > width:
        short = short[:-1]
    return short if short == text else f"{short}..."


def _font() -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(_SIZE)  # comes with Pillow
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font
