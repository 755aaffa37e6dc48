"""Uploads: three formats, nothing large decoded, damage refused in words that help."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from webui.core.errors import UnreadablePicture
from webui.imaging.upload import MAX_BYTES, media_type, open_upload


def saved(image: Image.Image, format: str, exif: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, exif=exif)
    return buffer.getvalue()


def halves(width: int = 40, height: int = 20) -> Image.Image:
    image = Image.new("RGB", (width, height), "red")
    image.paste("blue", (width // 2, 0, width, height))
    return image


def png_that_claims(width: int, height: int) -> bytes:
    """A header only: whoever decodes it fails, whoever reads the size does not."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0"))


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_the_three_formats_open_decoded(format: str) -> None:
    image = open_upload(saved(halves(), format))
    assert image.size == (40, 20)
    red = image.getpixel((2, 2))
    assert isinstance(red, tuple)
    assert red[0] > 200


@pytest.mark.parametrize("format", ["GIF", "BMP", "TIFF", "ICO", "PPM", "PDF", "EPS"])
def test_every_other_format_is_refused(format: str) -> None:
    buffer = io.BytesIO()
    halves().save(buffer, format)
    with pytest.raises(UnreadablePicture, match="Use a PNG, JPEG or WebP file"):
        open_upload(buffer.getvalue())


@pytest.mark.parametrize(
    "data", [b"", b"<svg/>", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"\xff\xd8"]
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadablePicture, match="not a picture"):
        open_upload(data)


@pytest.mark.parametrize("size", [(10_000, 10_000), (14_000, 14_000), (2**31 - 1, 2**31 - 1)])
def test_too_many_pixels_are_refused_before_decoding(size: tuple[int, int]) -> None:
    with pytest.raises(UnreadablePicture, match="64 million pixels"):
        open_upload(png_that_claims(*size))


def test_pixel_limit_can_be_lowered() -> None:
    with pytest.raises(UnreadablePicture, match="40×20"):
        open_upload(saved(halves(), "PNG"), max_pixels=799)
    assert open_upload(saved(halves(), "PNG"), max_pixels=800).size == (40, 20)


def test_too_many_bytes_are_refused() -> None:
    with pytest.raises(UnreadablePicture, match="limit is 64 MiB"):
        open_upload(bytes(MAX_BYTES + 1))


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_cut_off_files_are_refused(format: str) -> None:
    data = saved(Image.effect_noise((100, 100), 90), format)
    for length in range(0, len(data) - 99, len(data) // 40):
        with pytest.raises(UnreadablePicture):
            open_upload(data[:length])


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "PNG"])
def test_picture_is_turned_upright(format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a camera held upright: turn by 90 degrees clockwise to view
    upright = open_upload(saved(halves(), format, exif.tobytes()))
    assert upright.size == (20, 40)
    top = upright.convert("RGB").getpixel((10, 2))
    assert isinstance(top, tuple)
    assert top[0] > top[2]


def test_transparency_is_kept() -> None:
    image = Image.new("RGBA", (4, 4), (255, 0, 0, 7))
    assert open_upload(saved(image, "PNG")).getpixel((0, 0)) == (255, 0, 0, 7)


@pytest.mark.parametrize(
    ("format", "type"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")]
)
def test_media_type_is_told_from_the_bytes(format: str, type: str) -> None:
    assert media_type(saved(halves(), format)) == type


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
@given(data=st.data())
@settings(max_examples=200)
def test_damaged_files_open_or_are_refused(format: str, data: st.DataObject) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    whole = bytearray(saved(halves(), format, exif.tobytes()))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(UnreadablePicture):
        image = open_upload(bytes(whole), max_pixels=1_000_000)
        assert image.width * image.height <= 1_000_000
