"""What the button of the Extras tab does, for scripts that press it by themselves."""

from __future__ import annotations

from typing import Any

from modules import scripts, scripts_postprocessing, shared
from webui.compat.missing import unprovided


def run_postprocessing(
    extras_mode: int,
    image: Any,
    image_folder: Any,
    input_dir: str,
    output_dir: str,
    show_extras_results: bool,
    *args: Any,
    save_output: bool = True,
) -> tuple[list[Any], str, str]:
    """Pictures after all scripts of the Extras tab, and words about them."""
    from PIL import Image

    if extras_mode == 0:
        pictures = [image]
    elif extras_mode == 1:
        pictures = [Image.open(getattr(each, "name", each)) for each in image_folder or ()]
    else:
        pictures = [Image.open(path) for path in shared.listfiles(input_dir)]
    outputs: list[Any] = []
    said: dict[str, Any] = {}
    for picture in pictures:
        pp = scripts_postprocessing.PostprocessedImage(picture.convert("RGB"))
        _runner().run(pp, args)
        outputs += [pp.image, *(each.image for each in pp.extra_images)]
        said |= pp.info
    words = ", ".join(f"{key}: {value}" for key, value in said.items() if value is not None)
    return outputs, words, ""


def run_postprocessing_webui(id_task: str, *args: Any, **kwargs: Any) -> Any:
    """As `run_postprocessing`."""
    return run_postprocessing(*args, **kwargs)


def run_extras(*args: Any, **kwargs: Any) -> Any:
    """Its older form: not here."""
    raise NotImplementedError("Use the Extras tab, or its API (/sdapi/v1/extra-single-image).")


def _runner() -> Any:
    if scripts.scripts_postproc is None:
        scripts.scripts_postproc = scripts_postprocessing.ScriptPostprocessingRunner()
    return scripts.scripts_postproc


__getattr__ = unprovided(__name__)
