"""NovelAI: JSON under `Comment`, with `Software` saying its name."""

from __future__ import annotations

import re
from typing import Final

from webui.imaging.foreign.names import sampler_named, schedule_named
from webui.imaging.foreign.reader import Reader, Settings, Texts, dict_of, json_of
from webui.imaging.infotext import Infotext

BRACE: Final = 1.05
"""What each of its brackets { } multiplies by; [ ] divides."""
# Begins at the first bracket of a row only, so that no text takes more than linear time.
_BRACKETS: Final = re.compile(r"(?<!\{)\{++([^{}\[\]]*+)\}++|(?<!\[)\[++([^{}\[\]]*+)\]++")
DEEPEST: Final = 100


def read(texts: Texts) -> Infotext | None:
    """Its settings, its brackets rewritten as weights of ours."""
    if texts.get("Software") != "NovelAI":
        return None
    given = json_of(texts.get("Comment"))
    settings = Settings()
    settings.put("Steps", given.get("steps"))
    sampler, implied = sampler_named(given.get("sampler"))
    settings.put("Sampler", sampler)
    settings.put("Schedule type", implied or schedule_named(given.get("noise_schedule")))
    settings.put("CFG scale", given.get("scale"))
    settings.put("Seed", given.get("seed"))
    settings.put_size(given.get("width"), given.get("height"))
    settings.put("CFG Rescale", given.get("cfg_rescale"))
    settings.put("Denoising strength", given.get("strength"))
    settings.put("Model", texts.get("Source"))
    settings.put("RNG", "CPU")
    prompt = given.get("prompt") or _caption(given.get("v4_prompt")) or texts.get("Description")
    negative = given.get("uc") or _caption(given.get("v4_negative_prompt"))
    return settings.infotext(_weights(prompt), _weights(negative))


def _caption(value: object) -> object:
    return dict_of(dict_of(value).get("caption")).get("base_caption")


def _weights(prompt: object) -> str:
    text = prompt if isinstance(prompt, str) else ""
    text = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
    return _BRACKETS.sub(_weight, text)


def _weight(match: re.Match[str]) -> str:
    inside = match[1] if match[1] is not None else match[2]
    depth = min(DEEPEST, (len(match[0]) - len(inside)) // 2)
    factor = BRACE**depth if match[1] is not None else BRACE**-depth
    return f"({inside}:{factor:.4g})"


READER: Final = Reader(id="novelai", label="NovelAI", read=read)
