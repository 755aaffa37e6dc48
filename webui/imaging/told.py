"""What a picture file says about how it was made, by whichever program."""

from __future__ import annotations

from dataclasses import dataclass

from webui.core.errors import UnreadablePicture
from webui.core.recipe import Recipe
from webui.imaging.foreign.reader import Told, told_by
from webui.imaging.foreign.stealth import hidden_texts
from webui.imaging.picture_text import all_texts, read_picture_text
from webui.imaging.upload import UNREADABLE, open_header, open_upload


@dataclass(frozen=True, kw_only=True)
class PictureTold:
    """`recipe` where the file is ours and holds our record; `told` in A1111's words."""

    recipe: Recipe | None
    told: Told


def read_told(data: bytes) -> PictureTold:
    """What a file says. Raises UnreadablePicture if it is no picture or says nothing."""
    record = read_picture_text(data).record
    told = _open_texts(data) or told_by(hidden_texts(open_upload(data)))
    if told is None:
        raise UnreadablePicture(
            "This picture does not say how it was made. Drop one that Gesso, A1111, Forge, "
            "SD.Next, ComfyUI, InvokeAI, SwarmUI, Fooocus, NovelAI or Easy Diffusion saved."
        )
    return PictureTold(recipe=None if record is None else record.recipe, told=told)


def _open_texts(data: bytes) -> Told | None:
    try:
        return told_by(all_texts(open_header(data)))
    except UNREADABLE as error:
        raise UnreadablePicture("The texts in this picture can't be read. Save it anew.") from error
