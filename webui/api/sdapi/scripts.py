"""A1111's scripts that can be chosen and that we have plans for, by their titles.

Their arguments come as a list, in the order of A1111's pages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from webui.api.sdapi.arguments import IMAGE, TABS, TEXT, Argument
from webui.api.sdapi.errors import Refused
from webui.core.request import GenerationRequest
from webui.plans.axes import load_axes
from webui.plans.plan import PlanRequest

AXES: Final = (
    "nothing", "seed", "variation_seed", "variation_strength", "steps", "hires_steps",
    "guidance_scale", "image_guidance", "prompt_sr", "prompt_order", "sampler", "hires_sampler",
    "checkpoint", "skip_below", "churn", "churn_from", "churn_to", "noise_factor", "schedule",
    "smallest_sigma", "largest_sigma", "rho", "beta_alpha", "beta_beta", "eta", "clip_skip",
    "denoising_strength", "noise_multiplier", "extra_noise", "hires_upscaler", "mask_weight",
    "vae", "styles", "order", "discard_penultimate", "sgm_noise", "refiner_checkpoint",
    "refiner_switch", "noise_source", "size",
)  # fmt: skip
"""In A1111's order, without those that we don't have; script-info tells the order."""
ONLY: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("hires_steps", "hires_sampler", "hires_upscaler"), TEXT),
        **dict.fromkeys(("image_guidance", "mask_weight"), IMAGE),
    }
)
"""Axes of one tab."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A plan that a script asks for. `has_cells`: its single pictures are wanted, too."""

    plan: PlanRequest
    has_cells: bool = True
    has_grid: bool = True


@dataclass(frozen=True, kw_only=True)
class Script:
    """A script that can be chosen. `read` makes the plan of the values of its arguments."""

    name: str
    kind: str
    tabs: tuple[str, ...]
    arguments: Callable[[str], tuple[Argument, ...]]
    read: Callable[[GenerationRequest, Sequence[Any], str], Planned]


def axes_of(tab: str) -> list[str]:
    """The ids of the axes of a tab: what the numbers in X/Y/Z plot's arguments count."""
    return [id for id in AXES if ONLY.get(id, tab) == tab]


def _axis(value: Any, tab: str) -> str:
    """An axis by its number, as A1111's page sends it, or by its label."""
    axes, known = load_axes(), axes_of(tab)
    if isinstance(value, str) and not (value.isascii() and value.isdecimal()):
        for id in known:
            if axes[id].label.lower() == value.strip().lower():
                return id
    elif isinstance(value, int | float | str) and 0 <= int(value) < len(known):
        return known[int(value)]
    raise Refused(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"X/Y/Z plot has no axis {value!r}. /sdapi/v1/script-info lists them.",
    )


def _xyz_arguments(tab: str) -> tuple[Argument, ...]:
    axes = load_axes()
    labels = [axes[id].label for id in axes_of(tab)]
    sides = [
        argument
        for letter in "XYZ"
        for argument in (
            Argument(label=f"{letter} type", value=0, choices=labels),
            Argument(label=f"{letter} values", value=""),
            Argument(label=f"{letter} values", value=[], choices=()),
        )
    ]
    flags = (
        ("Draw legend", True),
        ("Include Sub Images", False),
        ("Include Sub Grids", False),
        ("Keep -1 for seeds", False),
        ("Vary seeds for X", False),
        ("Vary seeds for Y", False),
        ("Vary seeds for Z", False),
    )
    return (
        *sides,
        *(Argument(label=label, value=value) for label, value in flags),
        Argument(label="Grid margins (px)", value=0, minimum=0, maximum=500, step=2),
        Argument(label="Use text inputs instead of dropdowns", value=False),
    )


def _read_xyz(request: GenerationRequest, values: Sequence[Any], tab: str) -> Planned:
    options: dict[str, Any] = {
        letter: {"axis": _axis(values[at], tab), "values": _axis_values(values[at + 1 : at + 3])}
        for letter, at in (("x", 0), ("y", 3), ("z", 6))
    }
    options |= {
        "has_legend": bool(values[9]),
        "has_sub_grids": bool(values[11]),
        "vary_seeds": any(values[13:16]),
        "margin": values[16],
    }
    plan = PlanRequest(kind="xyz", request=request, options=options)
    return Planned(plan=plan, has_cells=bool(values[10]))


def _axis_values(written: Sequence[Any]) -> str:
    """The text, or the choices of A1111's second field where the text is empty."""
    text, chosen = written
    if text or not isinstance(chosen, list):
        return str(text or "")
    return ", ".join(f'"{item}"' if "," in str(item) else str(item) for item in chosen)


def _matrix_arguments(_: str) -> tuple[Argument, ...]:
    return (
        Argument(label="Put variable parts at start of prompt", value=False),
        Argument(label="Use different seed for each picture", value=False),
        Argument(label="Select prompt", value="positive", choices=("positive", "negative")),
        Argument(label="Select joining char", value="comma", choices=("comma", "space")),
        Argument(label="Grid margins (px)", value=0, minimum=0, maximum=500, step=2),
    )


def _read_matrix(request: GenerationRequest, values: Sequence[Any], _: str) -> Planned:
    options = {
        "is_at_start": bool(values[0]),
        "vary_seeds": bool(values[1]),
        "which": "negative_prompt" if values[2] == "negative" else "prompt",
        "delimiter": " " if values[3] == "space" else ", ",
        "margin": values[4],
    }
    return Planned(plan=PlanRequest(kind="matrix", request=request, options=options))


def _lines_arguments(_: str) -> tuple[Argument, ...]:
    return (
        Argument(label="Iterate seed every line", value=False),
        Argument(label="Use same random seed for all lines", value=False),
        Argument(label="Insert prompts at the", value="start", choices=("start", "end")),
        Argument(label="List of prompt inputs", value=""),
    )


def _read_lines(request: GenerationRequest, values: Sequence[Any], _: str) -> Planned:
    place = values[2] if values[2] in ("start", "end") else "start"
    options = {
        "vary_seeds": bool(values[0]),
        "place": place if request.prompt else "alone",
        "text": str(values[3]),
    }
    plan = PlanRequest(kind="lines", request=request, options=options)
    return Planned(plan=plan, has_grid=False)


def _loopback_arguments(_: str) -> tuple[Argument, ...]:
    return (
        Argument(label="Loops", value=4, minimum=1, maximum=32, step=1),
        Argument(label="Final denoising strength", value=0.5, minimum=0, maximum=1, step=0.01),
        Argument(
            label="Denoising strength curve",
            value="Linear",
            choices=("Aggressive", "Linear", "Lazy"),
        ),
        Argument(label="Append interrogated prompt at each iteration", value="None"),
    )


def _read_loopback(request: GenerationRequest, values: Sequence[Any], _: str) -> Planned:
    options = {
        "loops": values[0],
        "final_denoising_strength": values[1],
        "curve": str(values[2]).lower(),
    }
    return Planned(plan=PlanRequest(kind="loopback", request=request, options=options))


SCRIPTS: Final = (
    Script(
        name="prompt matrix",
        kind="matrix",
        tabs=TABS,
        arguments=_matrix_arguments,
        read=_read_matrix,
    ),
    Script(
        name="prompts from file or textbox",
        kind="lines",
        tabs=TABS,
        arguments=_lines_arguments,
        read=_read_lines,
    ),
    Script(name="x/y/z plot", kind="xyz", tabs=TABS, arguments=_xyz_arguments, read=_read_xyz),
    Script(
        name="loopback",
        kind="loopback",
        tabs=(IMAGE,),
        arguments=_loopback_arguments,
        read=_read_loopback,
    ),
)


def script_names(tab: str) -> list[str]:
    """The titles of the scripts that can be chosen on a tab, in lower case as A1111 tells them."""
    return [script.name for script in SCRIPTS if tab in script.tabs]


def find_plan(
    request: GenerationRequest, name: str | None, values: Sequence[Any], tab: str
) -> Planned | None:
    """The plan that a script makes of a request; None for no script. Arguments that are not sent
    have their defaults. Raises Refused."""
    if not name or name.lower() == "none":
        return None
    for script in SCRIPTS:
        if script.name == name.lower() and tab in script.tabs:
            defaults = [argument.value for argument in script.arguments(tab)]
            return script.read(request, [*values, *defaults[len(values) :]], tab)
    raise Refused(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"Script “{name}” not found. Choose one of: {', '.join(script_names(tab))}.",
    )
