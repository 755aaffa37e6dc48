"""Easy Diffusion: each setting under a name of its own, as the program or as people write it."""

from __future__ import annotations

from typing import Final

from webui.imaging.foreign.names import sampler_named
from webui.imaging.foreign.reader import Reader, Settings, Texts, stem, with_networks
from webui.imaging.infotext import Infotext


def read(texts: Texts) -> Infotext | None:
    """Texts with steps and a model under either kind of name."""
    steps = _either(texts, "num_inference_steps", "Steps")
    model = _either(texts, "use_stable_diffusion_model", "Stable Diffusion model")
    if not steps or not model:
        return None
    settings = Settings()
    settings.put("Steps", steps)
    sampler, schedule = sampler_named(_either(texts, "sampler_name", "Sampler"))
    settings.put("Sampler", sampler)
    settings.put("Schedule type", schedule)
    settings.put("CFG scale", _either(texts, "guidance_scale", "Guidance Scale"))
    settings.put("Seed", _either(texts, "seed", "Seed"))
    sides = [_either(texts, side, side.capitalize()) for side in ("width", "height")]
    if all(side.isdecimal() for side in sides):
        settings.put_size(*map(int, sides))
    settings.put("Model", stem(model))
    settings.put("VAE", stem(_either(texts, "use_vae_model", "VAE model")))
    settings.put("Denoising strength", _either(texts, "prompt_strength", "Prompt Strength"))
    settings.put("RNG", "CPU")
    return settings.infotext(
        with_networks(_either(texts, "prompt", "Prompt"), _networks(texts)),
        _either(texts, "negative_prompt", "Negative Prompt"),
    )


def _either(texts: Texts, *names: str) -> str:
    found = next((texts[name] for name in names if texts.get(name)), "")
    return "" if found == "None" else found


def _networks(texts: Texts) -> list[tuple[str, object]]:
    name = _either(texts, "use_lora_model", "LoRA model")
    try:
        return [(stem(name), float(_either(texts, "lora_alpha", "LoRA Strength") or 1))]
    except ValueError:
        return []


READER: Final = Reader(id="easy_diffusion", label="Easy Diffusion", read=read)
