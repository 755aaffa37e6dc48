"""Words for pictures: no such model is built in; using it says so."""

from __future__ import annotations

from typing import Any

from webui.compat.missing import unprovided

blip_image_eval_size = 384
clip_model_name = "ViT-L/14"


class InterrogateModels:
    """Would tell what is in a picture."""

    def __init__(self, content_dir: str = "") -> None:
        self.content_dir = content_dir
        self.loaded_categories: Any = None
        self.skip_categories: list[str] = []

    def interrogate(self, pil_image: Any) -> str:
        """Not here."""
        raise NotImplementedError(
            "No model that describes pictures (BLIP, CLIP) is built in. Write the words yourself."
        )

    generate_caption = interrogate

    def load(self) -> None:
        """Not here."""
        self.interrogate(None)

    def unload(self) -> None:
        """Nothing is loaded."""

    send_blip_to_ram = send_clip_to_ram = unload

    def categories(self) -> list[Any]:
        """None."""
        return []


__getattr__ = unprovided(__name__)
