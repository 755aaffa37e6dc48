"""The way of a job: hooks of scripts in A1111's order around the engine's painting. Its name
`process_images` is one of `modules.processing`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from modules import extra_networks, gesso_images, script_callbacks, scripts, shared
from modules.gesso import side
from modules.gesso_infotext import create_infotext
from modules.gesso_processed import Processed
from webui.compat.missing import unprovided
from webui.compat.page_job import page_job


def process_images(p: Any) -> Processed:
    """The pictures of a job. Raises what the engine refuses it with."""
    from modules import processing

    with _job():
        if p.scripts is not None:
            p.scripts.before_process(p)
        with _overridden(p):  # by its module: some scripts put another function there
            return processing.process_images_inner(p)


@contextmanager
def _job() -> Iterator[None]:
    """The job that is being made; behind a button of a tab one that goes through the queue."""
    if side.job is not None:
        yield
        return
    own = page_job()
    if own is None:
        raise RuntimeError(
            "Pictures can be made only while a job runs. Press Generate, or use the API."
        )
    side.job = own
    try:
        yield
    finally:
        side.job = None


@contextmanager
def _overridden(p: Any) -> Iterator[None]:
    """The job's own options, in place of those that were set."""
    wanted = p.override_settings or {}
    before = {key: shared.opts.data.get(key) for key in wanted}
    shared.opts.data.update(wanted)
    try:
        yield
    finally:
        if p.override_settings_restore_afterwards:
            shared.opts.data.update(before)


def process_inner(p: Any) -> Processed:
    """The pictures of a job whose options are set."""
    _prepare(p)
    if p.scripts is not None:
        p.scripts.process(p)
    p.init(p.all_prompts, p.all_seeds, p.all_subseeds)
    side.job.settle(p)
    if shared.state.job_count == -1:
        shared.state.job_count = p.n_iter
    images: list[Any] = []
    texts: list[str] = []
    for number in range(p.n_iter):
        p.iteration = number
        if shared.state.skipped:
            shared.state.skipped = False
        if shared.state.interrupted or shared.state.stopping_generation:
            break
        if not _begin_batch(p, number):
            break
        _finish_batch(p, number, side.job.painted(p), images, texts)
        shared.state.nextjob()
    processed = _processed(p, images, texts)
    if not p.disable_extra_networks:
        extra_networks.deactivate(p, p.extra_network_data or {})
    if p.scripts is not None:
        p.scripts.postprocess(p, processed)
    p.close()
    return processed


def _prepare(p: Any) -> None:
    """Prompts and seeds of all pictures."""
    from modules.processing import get_fixed_seed

    if isinstance(p.prompt, list) and not p.prompt:
        p.prompt = ""
    seed, subseed = p.seed, p.subseed
    p.setup_prompts()
    count = len(p.all_prompts)
    if isinstance(seed, list):
        p.all_seeds = [get_fixed_seed(each) for each in seed]
    else:
        step = 0 if p.subseed_strength else 1
        first = get_fixed_seed(seed)
        p.all_seeds = [first + i * step for i in range(count)]
    if isinstance(subseed, list):
        p.all_subseeds = [get_fixed_seed(each) for each in subseed]
    else:
        first = get_fixed_seed(subseed)
        p.all_subseeds = [first + i for i in range(count)]
    p.seed, p.subseed = p.all_seeds[0], p.all_subseeds[0]
    model = shared.sd_model
    p.sd_model_name = p.sd_model_name or getattr(model, "sd_model_name", None)
    p.sd_model_hash = p.sd_model_hash or getattr(model, "sd_model_hash", None)


def _begin_batch(p: Any, number: int) -> bool:
    """The hooks before a batch; whether it has any pictures."""
    of_batch = slice(number * p.batch_size, (number + 1) * p.batch_size)
    p.prompts = p.all_prompts[of_batch]
    p.negative_prompts = p.all_negative_prompts[of_batch]
    p.seeds = p.all_seeds[of_batch]
    p.subseeds = p.all_subseeds[of_batch]
    if getattr(p, "enable_hr", False):
        p.hr_prompts = (p.all_hr_prompts or p.all_prompts)[of_batch]
        p.hr_negative_prompts = (p.all_hr_negative_prompts or p.all_negative_prompts)[of_batch]
    told: dict[str, Any] = {
        "batch_number": number,
        "prompts": p.prompts,
        "seeds": p.seeds,
        "subseeds": p.subseeds,
    }
    if p.scripts is not None:
        p.scripts.before_process_batch(p, **told)
    if not p.prompts:
        return False
    p.parse_extra_network_prompts()
    told["prompts"] = p.prompts
    if not p.disable_extra_networks:
        extra_networks.activate(p, p.extra_network_data)
    if p.scripts is not None:
        p.scripts.process_batch(p, **told)
    if p.n_iter > 1:
        shared.state.job = f"Batch {number + 1} out of {p.n_iter}"
    return True


def _finish_batch(
    p: Any, number: int, made: list[Any], images: list[Any], texts: list[str]
) -> None:
    """The hooks after a batch. `made`: webui.compat.bridge.Made of each picture."""
    of_batch = slice(number * p.batch_size, (number + 1) * p.batch_size)
    pictures = [each.image for each in made]
    if p.scripts is not None:
        pictures = gesso_images.after_batch(p, pictures, number)
    p.prompts = p.all_prompts[of_batch] if len(pictures) == len(made) else p.prompts
    for i, image in enumerate(pictures):
        p.batch_index = i
        origin = made[min(i, len(made) - 1)]
        image = _finished(p, image, len(images))
        text = create_infotext(
            p,
            _padded(p.prompts, pictures),
            _padded(p.seeds, pictures),
            _padded(p.subseeds, pictures),
            iteration=number,
            position_in_batch=i,
            index=i,
            all_negative_prompts=_padded(p.negative_prompts, pictures),
        )
        image = _before_saved(p, image, text, len(images))
        if shared.opts.enable_pnginfo:
            image.info["parameters"] = text
        side.job.know(p, image, origin, number * p.batch_size + i)
        images.append(image)
        texts.append(text)


def _before_saved(p: Any, image: Any, text: str, index: int) -> Any:
    """A picture after the callbacks for files about to be written. The gallery writes it later,
    under another name; what scripts put beside the file lies in A1111's folder."""
    if not script_callbacks.ordered_callbacks("before_image_saved") or not p.save_samples():
        return image
    folder = p.outpath_samples or shared.opts.outdir_samples
    if not folder:
        return image
    os.makedirs(folder, exist_ok=True)
    seed = p.seeds[min(p.batch_index, len(p.seeds) - 1)]
    params = script_callbacks.ImageSaveParams(
        image, p, os.path.join(folder, f"{index:05}-{seed}.png"), {"parameters": text}
    )
    script_callbacks.before_image_saved_callback(params)
    return params.image


def _padded(values: Any, pictures: list[Any]) -> list[Any]:
    """A value for each picture, though scripts made more of them."""
    values = list(values)
    return values + values[-1:] * max(0, len(pictures) - len(values))


def _finished(p: Any, image: Any, index: int) -> Any:
    """A picture after the hooks for single ones."""
    if p.scripts is None:
        return image
    args = scripts.PostprocessImageArgs(image, index)
    p.scripts.postprocess_image(p, args)
    args = scripts.PostprocessImageArgs(args.image, index)
    p.scripts.postprocess_image_after_composite(p, args)
    return args.image


def _processed(p: Any, images: list[Any], texts: list[str]) -> Processed:
    return Processed(
        p,
        images_list=images,
        seed=p.all_seeds[0],
        info=texts[0] if texts else "",
        subseed=p.all_subseeds[0],
        infotexts=texts,
    )


__getattr__ = unprovided(__name__)
