"""The Script list below a tab's controls: with a script chosen, Generate begins a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component

from webui.core.errors import InvalidRequest
from webui.core.model import ModelKind
from webui.core.request import GenerationRequest, Mode
from webui.plans.axes import NOTHING
from webui.plans.axis import Choices
from webui.plans.kinds.folder import TOLD
from webui.plans.kinds.loopback import CURVES
from webui.plans.kinds.xyz import LETTERS
from webui.plans.plan import PlanRequest
from webui.plans.values import csv_line
from webui.studio import Studio
from webui.ui.components.mask import MASK_FIELD
from webui.ui.components.source import FIELD, has_picture, keep_upload, on_canvas
from webui.ui.controls import Number
from webui.ui.form import Form, Values
from webui.ui.page import Page

NONE: Final = ""
ORDER: Final = ("xyz", "matrix", "lines", "many", "loopback", "folder")
MODEL_LISTS: Final = (
    (Choices.CHECKPOINTS, ModelKind.CHECKPOINT),
    (Choices.UPSCALERS, ModelKind.UPSCALER),
    (Choices.VAES, ModelKind.VAE),
)
FILES: Final = ("images", "masks")
"""Options that are lists of files."""
QUIET: Final[Mapping[str, Any]] = MappingProxyType(
    {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
)


@dataclass(frozen=True, kw_only=True)
class Part:
    """The controls of one kind of plan, by the paths of the options that they hold."""

    kind: str
    place: gr.Column
    fields: Mapping[str, Component]


class PlanControls:
    """What Generate asks: which script is chosen, and what it is to do."""

    def __init__(
        self, studio: Studio, form: Form, script: gr.Dropdown, parts: Sequence[Part]
    ) -> None:
        self._studio: Final = studio
        self.form: Final = form
        self._script: Final = script
        self._parts: Final = {part.kind: part for part in parts}

    @property
    def inputs(self) -> set[Component]:
        """All controls, for a handler's inputs beside the form's."""
        own = {control for part in self._parts.values() for control in part.fields.values()}
        return {self._script, *own}

    def component(self, field: str) -> Component | None:
        """The control that holds an option such as "options.x.values", for faults."""
        if field == "kind":
            return self._script
        path = field.removeprefix("options.")
        for part in self._parts.values():
            if field.startswith("options.") and path in part.fields:
                return part.fields[path]
        return None

    def draft(self, values: Values) -> dict[str, Any]:
        """The chosen script and what stands in its controls, files left out; empty without one."""
        part = self._parts.get(values[self._script])
        if part is None:
            return {}
        kept = {path: part.fields[path] for path in part.fields if path not in FILES}
        return {"kind": part.kind, "fields": {path: values[kept[path]] for path in kept}}

    def values(self, draft: Mapping[str, Any]) -> dict[Block, Any]:
        """The values that make the controls look as they did; none of what is not known here."""
        part = self._parts.get(draft.get("kind", NONE))
        if part is None:
            return {}
        fields = {path: value for path, value in draft["fields"].items() if path in part.fields}
        return {self._script: part.kind, **{part.fields[path]: fields[path] for path in fields}}

    def asked(self, values: Values) -> PlanRequest | None:
        """The plan that the controls ask for; None when no script is chosen.

        Raises InvalidRequest that names the field at fault.
        """
        part = self._parts.get(values[self._script])
        if part is None:
            return None
        options: dict[str, Any] = {}
        for path, control in part.fields.items():
            value = values[control]
            if path in FILES:
                value = self._uploaded(path, value)
            if value is not None:
                _put(options, path, value)
        return PlanRequest(kind=part.kind, request=self._request(values, part), options=options)

    def _request(self, values: Values, part: Part) -> GenerationRequest:
        """For a folder, its first picture and mask stand in for those that the form may lack."""
        if part.kind == "folder":
            images, masks = (values[part.fields[name]] for name in FILES)
            values = {**values, **self._first_of(values, images, masks)}
        return self.form.request(values)

    def _first_of(
        self, values: Values, images: Sequence[str] | None, masks: Sequence[str] | None
    ) -> dict[Component, Any]:
        source, mask = self.form.component(FIELD), self.form.component(MASK_FIELD)
        found: dict[Component, Any] = {}
        if source is not None and images and not has_picture(values[source]):
            found[source] = images[0] if mask is None else on_canvas(Path(images[0]))
        if mask is not None and masks and not values[mask]:
            found[mask] = masks[0]
        return found

    def _uploaded(self, field: str, paths: Sequence[str] | None) -> list[dict[str, str]]:
        """Files as inputs with the names they had. Raises InvalidRequest that names the file."""
        return [self._kept(f"options.{field}", Path(path)) for path in paths or ()]

    def _kept(self, field: str, path: Path) -> dict[str, str]:
        try:
            image = keep_upload(self._studio, field, path.read_bytes())
        except InvalidRequest as error:
            raise InvalidRequest(field, f"“{path.name}”: {error.message}") from error
        return {"name": path.name, "image": image}


def plan_controls(page: Page, form: Form) -> PlanControls:
    """Draw the list and, out of sight until they are chosen, the controls of each script."""
    studio, mode = page.studio, form.mode
    kinds = [studio.plans.kinds[id] for id in ORDER]
    offered = [kind for kind in kinds if Mode(mode) in kind.modes]
    script = gr.Dropdown(
        [("None", NONE), *((kind.label, kind.id) for kind in offered)],
        value=NONE,
        label="Script",
        elem_id=f"{mode}_script_list",
        elem_classes="gesso-line",
    )
    parts = [_part(studio, kind.id, mode) for kind in offered]
    places: list[Any] = [part.place for part in parts]
    script.change(
        lambda chosen: [gr.Column(visible=part.kind == chosen) for part in parts],
        [script],
        places,
        **QUIET,
    )
    return PlanControls(studio, form, script, parts)


def _part(studio: Studio, kind: str, mode: str) -> Part:
    draw = {
        "xyz": _xyz,
        "matrix": _matrix,
        "lines": _lines,
        "many": _many,
        "loopback": _loopback,
        "folder": _folder,
    }[kind]
    with gr.Column(
        visible=False, elem_id=f"script_{mode}_{kind}", elem_classes="gesso-script"
    ) as place:
        fields = draw(studio, f"script_{mode}")
    return Part(kind=kind, place=place, fields=fields)


def _xyz(studio: Studio, prefix: str) -> dict[str, Component]:
    """Three axes with their values; ids as in A1111."""
    prefix += "_xyz_plot"
    fields: dict[str, Component] = {}
    for letter, first in zip(LETTERS, ("seed", "nothing", "nothing"), strict=True):
        fields |= _axis(studio, letter, first, prefix)
    with gr.Row(elem_classes="gesso-chips"):
        for one, other in (("x", "y"), ("y", "z")):
            swap = gr.Button(
                f"Swap {one.upper()} and {other.upper()}",
                size="sm",
                elem_id=f"{prefix}_{one}{other}_swap_axes_button",
            )
            both = [
                fields[f"{side}.{part}"] for side in (one, other) for part in ("axis", "values")
            ]
            swap.click(None, both, both, js="(a, b, c, d) => [c, d, a, b]", **QUIET)
    fields["has_legend"] = gr.Checkbox(True, label="Legend", elem_id=f"{prefix}_draw_legend")
    fields["has_sub_grids"] = gr.Checkbox(
        False,
        label="Sub-grids: each value of Z by itself, too",
        elem_id=f"{prefix}_include_sub_grids",
    )
    fields["vary_seeds"] = _vary_seeds(f"{prefix}_no_fixed_seeds")
    fields["margin"] = _margin(prefix)
    return fields


def _axis(studio: Studio, letter: str, first: str, prefix: str) -> dict[str, Component]:
    axes = studio.plans.axes()
    axis = gr.Dropdown(
        [(axis.label, axis.id) for axis in axes],
        value=first,
        label=f"{letter.upper()} axis",
        elem_id=f"{prefix}_{letter}_type",
        elem_classes="gesso-line",
    )
    with gr.Row(elem_classes="gesso-axis"):
        values = gr.Textbox(
            label=f"{letter.upper()} values",
            placeholder=axes[first].example,
            visible=first != NOTHING.id,
            lines=1,
            max_lines=4,
            elem_id=f"{prefix}_{letter}_values",
            scale=5,
        )
        fill = gr.Button(
            "All",
            size="sm",
            elem_id=f"{prefix}_fill_{letter}",
            min_width=44,
            scale=0,
            visible=False,
        )
    axis.change(partial(_follow_axis, studio), [axis], [values, fill], **QUIET)
    fill.click(lambda id, text: _all_names(studio, id) or text, [axis, values], [values], **QUIET)
    return {f"{letter}.axis": axis, f"{letter}.values": values}


def _follow_axis(studio: Studio, id: str) -> tuple[gr.Textbox, gr.Button]:
    """The values as the axis wants them, and All where there is a list to choose from."""
    axis = studio.plans.axes().get(id) or NOTHING
    has_list = bool(axis.names or axis.choices)
    values = gr.Textbox(placeholder=axis.example, visible=axis.id != NOTHING.id)
    return values, gr.Button(visible=has_list)


def _matrix(_: Studio, prefix: str) -> dict[str, Component]:
    prefix += "_prompt_matrix"
    gr.Markdown("Parts of the prompt behind a | come and go: “a cat|in winter|at night”.")
    return {
        "which": gr.Radio(
            [("Prompt", "prompt"), ("Negative prompt", "negative_prompt")],
            value="prompt",
            label="Vary",
            elem_id=f"{prefix}_prompt_type",
            elem_classes="gesso-choices",
        ),
        "is_at_start": gr.Checkbox(
            False, label="Parts before the rest", elem_id=f"{prefix}_put_at_start"
        ),
        "vary_seeds": _vary_seeds(f"{prefix}_different_seeds"),
        "margin": _margin(prefix),
    }


def _lines(_: Studio, prefix: str) -> dict[str, Component]:
    prefix += "_prompts_from_file_or_textbox"
    text = gr.Textbox(
        label="Prompts, one in a line",
        placeholder='a red apple\n--prompt "a green apple" --steps 30 --seed 7',
        lines=4,
        max_lines=12,
        elem_id=f"{prefix}_prompt_txt",
    )
    with gr.Row(elem_classes="gesso-chips"):
        file = gr.UploadButton(
            "From a file", file_types=[".txt"], size="sm", elem_id=f"{prefix}_file"
        )
    file.upload(lambda path: Path(path).read_text("utf-8", "replace"), [file], [text], **QUIET)
    return {
        "text": text,
        "place": gr.Radio(
            [("Alone", "alone"), ("Before the prompt", "start"), ("After it", "end")],
            value="alone",
            label="Lines stand",
            elem_id=f"{prefix}_prompt_position",
            elem_classes="gesso-choices",
        ),
        "vary_seeds": _vary_seeds(f"{prefix}_checkbox_iterate"),
    }


def _many(_: Studio, prefix: str) -> dict[str, Component]:
    gr.Markdown("The seed counts up. The list of all pictures can be downloaded as a table.")
    count = Number(100, precision=0, label="Pictures", elem_id=f"{prefix}_many_count")
    return {"count": count}


def _loopback(_: Studio, prefix: str) -> dict[str, Component]:
    prefix += "_loopback"
    return {
        "loops": Number(4, precision=0, label="Loops", elem_id=f"{prefix}_loops"),
        "final_denoising_strength": Number(
            0.5, label="Final denoising strength", elem_id=f"{prefix}_final_denoising_strength"
        ),
        "curve": gr.Dropdown(
            [(curve.capitalize(), curve) for curve in CURVES],
            value=CURVES[0],
            label="Curve",
            elem_id=f"{prefix}_denoising_curve",
            elem_classes="gesso-line",
        ),
    }


def _folder(_: Studio, prefix: str) -> dict[str, Component]:
    prefix += "_folder"
    return {
        "images": gr.File(
            label="Pictures", file_count="multiple", elem_id=f"{prefix}_images", height=140
        ),
        "masks": gr.File(
            label="Masks of the same names, or one for all (may be empty)",
            file_count="multiple",
            elem_id=f"{prefix}_masks",
            height=140,
        ),
        "from_picture": gr.Dropdown(
            [(path.rsplit(".", 1)[-1].replace("_", " ").capitalize(), path) for path in TOLD],
            value=[],
            multiselect=True,
            label="Settings from each picture",
            elem_id=f"{prefix}_from_picture",
        ),
    }


def _vary_seeds(elem_id: str) -> gr.Checkbox:
    return gr.Checkbox(False, label="A new seed for each cell", elem_id=elem_id)


def _margin(prefix: str) -> Number:
    return Number(0, precision=0, label="Margin, pixels", elem_id=f"{prefix}_margin_size")


def _all_names(studio: Studio, axis_id: str) -> str:
    """Everything that can be chosen on an axis; "" when it has no list."""
    axis = studio.plans.axes().get(axis_id) or NOTHING
    names = list(axis.names)
    match axis.choices:
        case Choices.SAMPLERS:
            names = [sampler.label for sampler in studio.samplers]
        case Choices.SCHEDULES:
            names = [schedule.label for schedule in studio.schedules]
        case Choices.STYLES:
            names = [style.name for style in studio.styles.styles()]
        case _:
            for choices, kind in MODEL_LISTS:
                if axis.choices is choices:
                    names = [model.id for model in studio.catalog.models(kind=kind)]
    return csv_line(names) if names else ""


def _put(options: dict[str, Any], path: str, value: object) -> None:
    *parents, name = path.split(".")
    for parent in parents:
        options = options.setdefault(parent, {})
    options[name] = value
