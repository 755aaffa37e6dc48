"""QR codes, read back by the library's own idea of what they hold."""

from __future__ import annotations

import io

import segno
from PIL import Image

from tests.api.conftest import Client

LINK = "http://192.168.1.20:7860/join/abc"


def test_a_link_is_drawn_as_the_code_that_stands_for_it(empty_client: Client) -> None:
    answer = empty_client.get(f"/api/v1/qr?text={LINK}")
    drawn = Image.open(io.BytesIO(answer.body)).convert("L")
    wanted = segno.make_qr(LINK)
    border, side = 4, len(wanted.matrix)
    scale = drawn.width // (side + 2 * border)
    modules = drawn.resize((drawn.width // scale,) * 2, Image.Resampling.NEAREST)
    for row, cells in enumerate(wanted.matrix):
        shown = [modules.getpixel((border + x, border + row)) == 0 for x in range(side)]
        assert shown == [bool(cell) for cell in cells]


def test_a_text_that_is_too_long_is_refused(empty_client: Client) -> None:
    assert empty_client.get("/api/v1/qr?text=" + "x" * 501).status == 422
