"""Prompts as data: weights, schedules, parts joined by AND; and what a model makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from webui.compat.missing import unprovided
from webui.core.errors import InvalidRequest
from webui.prompting.prompt import parse
from webui.prompting.schedule import schedule as stages_of
from webui.prompting.tree import to_text
from webui.prompting.weights import parse_weights

BREAK = ["BREAK", -1]


class ScheduledPromptConditioning(NamedTuple):
    """What a prompt says up to a step, encoded."""

    end_at_step: int
    cond: Any


class ComposableScheduledPromptConditioning:
    """A part of a prompt between ANDs: what it says in the course of a run, and its weight."""

    def __init__(self, schedules: Any, weight: float = 1.0) -> None:
        self.schedules = schedules
        self.weight = weight


class MulticondLearnedConditioning:
    """The prompts of a batch; for each its parts between ANDs."""

    def __init__(self, shape: Any, batch: Any) -> None:
        self.shape = shape
        self.batch = batch


class SdConditioning(list):  # type: ignore[type-arg]
    """Prompts of a batch, and the size of its pictures."""

    def __init__(
        self,
        prompts: Iterable[str],
        is_negative_prompt: bool = False,
        width: int | None = None,
        height: int | None = None,
        copy_from: Any = None,
        distilled_cfg_scale: float | None = None,
    ) -> None:
        super().__init__(prompts)
        model = copy_from if copy_from is not None else prompts
        self.is_negative_prompt = is_negative_prompt or getattr(model, "is_negative_prompt", False)
        self.width = width or getattr(model, "width", None)
        self.height = height or getattr(model, "height", None)
        self.distilled_cfg_scale = distilled_cfg_scale


class DictWithShape(dict):  # type: ignore[type-arg]
    """Several tensors of one prompt (SDXL); its shape is that of the tokens."""

    def __init__(self, x: Any, shape: Any = None) -> None:
        super().__init__()
        self.update(x)

    @property
    def shape(self) -> Any:
        """That of the tokens."""
        return self["crossattn"].shape

    def to(self, *args: Any, **kwargs: Any) -> DictWithShape:
        """Elsewhere, or in another precision."""
        for key in list(self):
            self[key] = self[key].to(*args, **kwargs)
        return self

    def advanced_indexing(self, item: Any) -> DictWithShape:
        """Some of the rows."""
        return DictWithShape({key: value[item] for key, value in self.items()})


def parse_prompt_attention(text: str) -> list[list[Any]]:
    """Pieces of a text with their weights, [text, weight]; a BREAK is ["BREAK", -1]."""
    pieces: list[list[Any]] = []
    for number, section in enumerate(parse_weights(text)):
        if number:
            pieces.append(list(BREAK))
        pieces += [[span.text, span.weight] for span in section]
    return pieces or [["", 1.0]]


def get_learned_conditioning_prompt_schedules(
    prompts: Iterable[str],
    base_steps: int,
    hires_steps: int | None = None,
    use_old_scheduling: bool = False,
) -> list[list[list[Any]]]:
    """For each prompt [last step, text] in the course of a run."""
    return [_stages(prompt, base_steps, hires_steps) for prompt in prompts]


def _stages(prompt: str, base_steps: int, hires_steps: int | None) -> list[list[Any]]:
    steps = base_steps if hires_steps is None else hires_steps
    before = None if hires_steps is None else base_steps
    try:
        (part,) = parse(prompt, is_negative=True).parts
    except (InvalidRequest, ValueError):
        return [[steps, prompt]]
    return [[stage.end, stage.text] for stage in stages_of(part.nodes, steps, before)]


def get_learned_conditioning(
    model: Any,
    prompts: Any,
    steps: int,
    hires_steps: int | None = None,
    use_old_scheduling: bool = False,
) -> list[list[ScheduledPromptConditioning]]:
    """What a model makes of each prompt in the course of a run. Each text is encoded once."""
    known: dict[str, list[ScheduledPromptConditioning]] = {}
    schedules = get_learned_conditioning_prompt_schedules(
        prompts, steps, hires_steps, use_old_scheduling
    )
    for prompt, stages in zip(prompts, schedules, strict=True):
        if prompt in known:
            continue
        texts = SdConditioning([text for _, text in stages], copy_from=prompts)
        encoded = model.get_learned_conditioning(texts)
        known[prompt] = [
            ScheduledPromptConditioning(end_at_step, _row(encoded, i))
            for i, (end_at_step, _) in enumerate(stages)
        ]
    return [known[prompt] for prompt in prompts]


def _row(encoded: Any, i: int) -> Any:
    if isinstance(encoded, dict):
        return {key: value[i] for key, value in encoded.items()}
    return encoded[i]


def get_multicond_prompt_list(prompts: Any) -> tuple[Any, Any, dict[str, int]]:
    """For each prompt its parts between ANDs as (place, weight) in the list of all different parts;
    that list; and the places by part."""
    places: dict[str, int] = {}
    flat = SdConditioning([], copy_from=prompts)
    indexes = []
    for prompt in prompts:
        parts = []
        for text, weight in _parts(prompt):
            if text not in places:
                places[text] = len(flat)
                flat.append(text)
            parts.append((places[text], weight))
        indexes.append(parts)
    return indexes, flat, places


def _parts(prompt: str) -> list[tuple[str, float]]:
    try:
        return [(to_text(part.nodes), part.weight) for part in parse(prompt).parts]
    except (InvalidRequest, ValueError):
        return [(prompt, 1.0)]


def get_multicond_learned_conditioning(
    model: Any,
    prompts: Any,
    steps: int,
    hires_steps: int | None = None,
    use_old_scheduling: bool = False,
) -> MulticondLearnedConditioning:
    """As `get_learned_conditioning`, for prompts whose parts are joined by AND."""
    indexes, flat, _ = get_multicond_prompt_list(prompts)
    encoded = get_learned_conditioning(model, flat, steps, hires_steps, use_old_scheduling)
    batch = [
        [ComposableScheduledPromptConditioning(encoded[i], weight) for i, weight in parts]
        for parts in indexes
    ]
    return MulticondLearnedConditioning(shape=(len(prompts),), batch=batch)


def _at(stages: Any, current_step: int) -> Any:
    """What is said at a step, counted from 0."""
    return next((each for each in stages if current_step <= each.end_at_step), stages[-1]).cond


def _stacked(rows: list[Any]) -> Any:
    import torch

    if isinstance(rows[0], dict):
        keys = rows[0].keys()
        return DictWithShape({key: stack_conds([row[key] for row in rows]) for key in keys})
    return stack_conds(rows) if rows[0].dim() > 1 else torch.stack(rows)


def stack_conds(tensors: list[Any]) -> Any:
    """One behind the other; shorter ones are filled up with their last row."""
    import torch

    if tensors[0].dim() > 1:
        longest = max(tensor.shape[0] for tensor in tensors)
        for i, tensor in enumerate(tensors):
            if tensor.shape[0] != longest:
                last = tensor[-1:].repeat([longest - tensor.shape[0], 1])
                tensors[i] = torch.vstack([tensor, last])
    return torch.stack(tensors)


def reconstruct_cond_batch(c: Any, current_step: int) -> Any:
    """What the prompts say at a step: (B, tokens, width), or the same in a mapping."""
    return _stacked([_at(stages, current_step) for stages in c])


def reconstruct_multicond_batch(c: Any, current_step: int) -> tuple[Any, Any]:
    """For each picture (row, weight) of its parts, and all rows."""
    rows: list[Any] = []
    indexes = []
    for parts in c.batch:
        own = []
        for part in parts:
            own.append((len(rows), part.weight))
            rows.append(_at(part.schedules, current_step))
        indexes.append(own)
    return indexes, _stacked(rows)


gesso_own = {name: value for name, value in list(globals().items()) if callable(value)}
"""The functions as they are here: scripts may put others in their place. Not a name of A1111's."""
_refuse: Callable[[str], Any] = unprovided(__name__)


def __getattr__(name: str) -> Any:
    return _refuse(name)
