"""A1111's API over the starter model: real pictures, made by a program as it is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import webuiapi
from PIL import Image, ImageDraw

from tests.gate.site import serving
from webui.api.build import build_api
from webui.engine.process import EngineProcess
from webui.gate.server import protect
from webui.settings import SettingsStore
from webui.studio import Studio

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webuiapi.WebUIApi]:
    root = tmp_path_factory.mktemp("sdapi-starter")
    options = {"use_cpu": True, "threads": 1, "state_dir": str(root / "engine")}
    engine = EngineProcess("main", "webui.engine.local:create", options)
    studio = Studio(SettingsStore({"data_dir": str(root), "keep_free_mb": 0}), [engine])
    studio.start()
    with serving(protect(build_api(studio, None))) as site:
        made = webuiapi.WebUIApi(port=site.port)
        yield made
        made.session.close()
    studio.close()


def mean(picture: Image.Image, box: tuple[int, int, int, int]) -> np.ndarray:
    """The mean colour of a part."""
    pixels = np.asarray(picture.convert("RGB").crop(box), dtype=float)
    colour: np.ndarray = pixels.mean(axis=(0, 1))
    return colour


def test_a_program_makes_and_repaints_an_apple(api: webuiapi.WebUIApi) -> None:
    size = {"width": 256, "height": 256, "steps": 8, "seed": 7}
    apple = api.txt2img(prompt="a red apple, 3d style", **size)
    middle = (96, 96, 160, 160)
    red, green, _ = mean(apple.image, middle)
    assert red > green
    mask = Image.new("RGB", (256, 256))
    ImageDraw.Draw(mask).rectangle(middle, fill="white")
    changed = api.img2img(
        images=[apple.image], mask_image=mask, mask_blur=0, inpainting_fill=2,
        prompt="a green apple, 3d style", denoising_strength=1.0, **size,
    )  # fmt: skip
    left = (0, 0, 80, 256)
    assert changed.image.crop(left).tobytes() == apple.image.crop(left).tobytes()
    assert abs(mean(changed.image, middle) - mean(apple.image, middle)).max() > 3
