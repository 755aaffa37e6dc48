"""What `alwayson_scripts` switches on beside everything else: A1111's and Forge's titles, with
their arguments in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Final

from webui.api.sdapi.arguments import IMAGE, TABS, Argument
from webui.api.sdapi.errors import Refused
from webui.api.sdapi.scripts import SCRIPTS
from webui.core.codec import decode
from webui.core.errors import InvalidRequest
from webui.core.request import FreeU, GenerationRequest, SoftInpainting
from webui.plans.axis import put_at

WITHOUT_EFFECT: Final = ("seed", "sampler", "refiner", "comments", "extra options")
"""A1111's own parts of its page: through its API they do nothing either."""
OFTEN_OFF: Final = (
    "adetailer", "controlnet", "animatediff", "hypertile", "kohya hrfix", "latentmodifier",
    "multidiffusion", "never oom", "stylealign", "roop", "reactor",
)  # fmt: skip
"""The beginnings of titles that programs send switched off, whether the script is there or not."""
CONSTANT: Final = "Constant"

Values = Sequence[Any]


@dataclass(frozen=True, kw_only=True)
class AlwaysOn:
    """A script that can be switched on; its first argument says whether it is. `put` gets the
    values of the others, by their names."""

    name: str
    tabs: tuple[str, ...] = TABS
    switch: str = "Enabled"
    arguments: tuple[tuple[str, Argument], ...]
    put: Callable[[GenerationRequest, Mapping[str, Any]], GenerationRequest]
    aliases: tuple[str, ...] = ()

    @property
    def all_arguments(self) -> tuple[Argument, ...]:
        """The switch and the others, as script-info tells them."""
        return (Argument(label=self.switch, value=False), *(a for _, a in self.arguments))


def _slider(
    name: str, label: str, value: float, least: float, most: float, step: float
) -> tuple[str, Argument]:
    return name, Argument(label=label, value=value, minimum=least, maximum=most, step=step)


def _put_soft(request: GenerationRequest, values: Mapping[str, Any]) -> GenerationRequest:
    if request.mask is None:
        return request
    soft = _read(SoftInpainting, "soft inpainting", values)
    return replace(request, mask=replace(request.mask, soft=soft))


def _put_freeu(request: GenerationRequest, values: Mapping[str, Any]) -> GenerationRequest:
    return put_at(request, "guidance.freeu", _read(FreeU, "freeu integrated", values))


def _put_sag(request: GenerationRequest, values: Mapping[str, Any]) -> GenerationRequest:
    guided = put_at(request, "guidance.self_attention", values["scale"])
    return put_at(guided, "guidance.self_attention_blur", values.get("blur", 2.0))


def _put_pag(request: GenerationRequest, values: Mapping[str, Any]) -> GenerationRequest:
    return put_at(request, "guidance.perturbed_attention", values["scale"])


def _put_thresholding(request: GenerationRequest, values: Mapping[str, Any]) -> GenerationRequest:
    for name in ("mimic_mode", "cfg_mode"):
        if values[name] != CONSTANT:
            raise InvalidRequest(
                "DynamicThresholding", f"“{values[name]}” is not known. Use {CONSTANT}."
            )
    guided = put_at(request, "guidance.mimic_scale", values["scale"])
    return put_at(guided, "guidance.mimic_percentile", values["percentile"])


ALWAYS_ON: Final = (
    AlwaysOn(
        name="soft inpainting",
        tabs=(IMAGE,),
        switch="Soft inpainting",
        arguments=(
            _slider("schedule_bias", "Schedule bias", 1.0, 0, 8, 0.1),
            _slider("preservation_strength", "Preservation strength", 0.5, 0, 8, 0.05),
            _slider("transition_contrast", "Transition contrast boost", 4.0, 1, 32, 0.5),
            _slider("mask_influence", "Mask influence", 0.0, 0, 1, 0.05),
            _slider("difference_threshold", "Difference threshold", 0.5, 0, 8, 0.25),
            _slider("difference_contrast", "Difference contrast", 2.0, 0, 8, 0.25),
        ),
        put=_put_soft,
    ),
    AlwaysOn(
        name="freeu integrated (sd 1.x, sd 2.x, sdxl)",
        aliases=("freeu integrated",),
        arguments=(
            _slider("b1", "B1", 1.01, 0, 2, 0.01),
            _slider("b2", "B2", 1.02, 0, 2, 0.01),
            _slider("s1", "S1", 0.99, 0, 4, 0.01),
            _slider("s2", "S2", 0.95, 0, 4, 0.01),
            _slider("start", "Start step", 0.0, 0, 1, 0.01),
            _slider("end", "End step", 1.0, 0, 1, 0.01),
        ),
        put=_put_freeu,
    ),
    AlwaysOn(
        name="selfattentionguidance integrated (sd 1.x, sd 2.x, sdxl)",
        aliases=("selfattentionguidance integrated",),
        arguments=(
            _slider("scale", "Scale", 0.5, 0, 5, 0.01),
            _slider("blur", "Blur Sigma", 2.0, 0, 10, 0.01),
        ),
        put=_put_sag,
    ),
    AlwaysOn(
        name="self attention guidance",
        arguments=(_slider("scale", "Guidance Scale", 0.75, 0, 5, 0.01),),
        put=_put_sag,
    ),
    AlwaysOn(
        name="perturbedattentionguidance integrated",
        aliases=("perturbedattentionguidance integrated (sd 1.x, sd 2.x, sdxl)",),
        arguments=(_slider("scale", "Scale", 3.0, 0, 30, 0.1),),
        put=_put_pag,
    ),
    AlwaysOn(
        name="dynamicthresholding (cfg-fix) integrated",
        arguments=(
            _slider("scale", "Mimic Scale", 7.0, 0, 30, 0.5),
            _slider("percentile", "Threshold Percentile", 1.0, 0.5, 1, 0.01),
            ("mimic_mode", Argument(label="Mimic Mode", value=CONSTANT, choices=(CONSTANT,))),
            _slider("mimic_least", "Mimic Scale Min", 0.0, 0, 100, 0.5),
            ("cfg_mode", Argument(label="Cfg Mode", value=CONSTANT, choices=(CONSTANT,))),
        ),
        put=_put_thresholding,
    ),
)


def always_on_names(tab: str) -> list[str]:
    """The titles of a tab's scripts that can be switched on, in lower case."""
    return [script.name for script in ALWAYS_ON if tab in script.tabs]


def put_always_on(
    request: GenerationRequest, given: Mapping[str, Any], tab: str
) -> GenerationRequest:
    """The request with what `alwayson_scripts` adds. Raises Refused, as A1111, for scripts that
    are not there; those that programs send on the off chance may be named as long as they are
    off."""
    for title, content in given.items():
        name, values = title.strip().lower(), _values(content)
        found = next((s for s in ALWAYS_ON if name in (s.name, *s.aliases)), None)
        if found is not None:
            request = _switched(request, found, values, tab)
        elif any(script.name == name for script in SCRIPTS):
            raise _refused(
                f"Cannot have a selectable script in the always on scripts params: “{title}”. "
                "Name it in script_name."
            )
        elif name not in WITHOUT_EFFECT and not (name.startswith(OFTEN_OFF) and _is_off(values)):
            raise _refused(f"Always on script “{title}” not found. Leave it out.")
    return request


def _switched(
    request: GenerationRequest, script: AlwaysOn, values: Values, tab: str
) -> GenerationRequest:
    """The request with a script, if that is on. What is not sent has its default; arguments behind
    those that we know are passed over."""
    if not values or not values[0]:
        return request
    if tab not in script.tabs:
        raise _refused(f"Always on script “{script.name}” not found for {tab}. Leave it out.")
    given = {name: argument.value for name, argument in script.arguments}
    for (name, argument), value in zip(script.arguments, values[1:], strict=False):
        given[name] = value if argument.minimum is None else _number(argument, value)
    return script.put(request, given)


def _number(argument: Argument, value: Any) -> float:
    """The value of a slider; its range is looked at with the whole request."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise _refused(f"{argument.label} “{str(value)[:80]}” is no number.") from error


def _values(content: Any) -> Values:
    values = content.get("args") if isinstance(content, Mapping) else None
    return values if isinstance(values, list) else []


def _read(kind: Any, script: str, values: Mapping[str, Any]) -> Any:
    try:
        return decode(kind, values)
    except InvalidRequest as error:
        raise InvalidRequest(script, error.message) from error


def _is_off(values: Values) -> bool:
    """Whether arguments of a script switch nothing on: none, false first, or only units that say
    of themselves that they are off."""
    if not values or values[0] in (False, None):
        return True
    return all(isinstance(value, Mapping) and _is_unit_off(value) for value in values)


def _is_unit_off(unit: Mapping[str, Any]) -> bool:
    flags = [unit[key] for key in ("enabled", "enable", "ad_tab_enable") if key in unit]
    return (bool(flags) and not any(flags)) or unit.get("ad_model") == "None"


def _refused(message: str) -> Refused:
    return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, message)
