"""Values of old controls on their way to the engine."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from webui.compat.values import packed, unpacked
from webui.core.request import InputId
from webui.extend.legacy import pictures_in


class Shelf:
    """Keeps pictures in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths: dict[InputId, Path] = {}

    def keep(self, data: bytes) -> InputId:
        id = InputId(hashlib.sha256(data).hexdigest())
        self.paths[id] = self.folder / id
        self.paths[id].write_bytes(data)
        return id


@pytest.mark.parametrize(
    "value", [None, True, 3, 0.5, "words", [1, None, "a"], {"a": {"b": None}}, np.float32(0.5)]
)
def test_plain_values_come_back(value: object, tmp_path: Path) -> None:
    plain = packed(value, Shelf(tmp_path).keep)
    assert unpacked(json.loads(json.dumps(plain)), {}) == value


def test_pictures_come_back_as_they_were(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    picture = Image.linear_gradient("L").convert("RGB")
    plain = json.loads(
        json.dumps(packed({"image": picture, "mask": np.array(picture)}, shelf.keep))
    )
    assert set(pictures_in(plain)) == set(shelf.paths)
    back = unpacked(plain, shelf.paths)
    assert (np.array(back["image"]) == np.array(picture)).all()
    assert isinstance(back["mask"], np.ndarray)


def test_a_picture_that_is_gone_is_nothing(tmp_path: Path) -> None:
    plain = packed(Image.new("RGB", (4, 4)), Shelf(tmp_path).keep)
    assert unpacked(plain, {}) is None
