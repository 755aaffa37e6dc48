"""Draws the scripts of a picture tab: groups of those that always take part, and the list to
choose another one from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from webui.compat.headless import parts_of as scripts_of
from webui.compat.page.telling import INPAINT
from webui.compat.parts import input_ids
from webui.compat.values import packed, unpacked
from webui.core.request import InputId, Mode
from webui.extend.legacy import Controls, LegacyInput, LegacyPart

NONE: Final = ""
VALUED: Final = (
    gr.Textbox, gr.Number, gr.Slider, gr.Checkbox, gr.CheckboxGroup, gr.Radio, gr.Dropdown,
    gr.ColorPicker, gr.Image, gr.ImageEditor, gr.File, gr.Code, gr.JSON, gr.Audio, gr.Video,
    gr.State,
)  # fmt: skip
"""What holds a value that somebody set; buttons and words are left at what they are."""

Within = Callable[[str], AbstractContextManager[None]]
Keep = Callable[[bytes], InputId]


@dataclass(frozen=True, kw_only=True)
class Hand:
    """How scripts are drawn: `first` are values of controls that a ui-config.json names."""

    within: Within
    keep: Keep
    first: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A script as it was drawn: its controls by their names, in their order."""

    script: Any
    part: str
    controls: Mapping[str, Any]


def draw_scripts(mode: str, form: Controls, runner: Any, hand: Hand) -> tuple[Drawn, ...]:
    """Draw those of one tab and bind their controls."""
    drawn: list[Drawn] = []
    with (
        hand.within(""),
        gr.Group(elem_id=f"{mode}_script_container", elem_classes="gesso-scripts"),
    ):
        runner.prepare_ui()
        parts = scripts_of(runner)
        drawn += [_drawn(mode, runner, id, hand) for id, each in parts.items() if each.alwayson]
        offered = {id: each for id, each in parts.items() if not each.alwayson}
        chosen = form.component("script") or _list(mode, runner, offered)
        drawn += [_drawn(mode, runner, id, hand) for id in offered]
        groups = {id: each.group for id, each in offered.items()}
    if chosen is not None:
        _choose(chosen, groups)
        if form.component("script") is None:
            form.bind("script", chosen, read=lambda id: id or None, blank=NONE)
    for one in drawn:
        _bind(form, one, None if one.script.alwayson else chosen, hand.keep)
    return tuple(drawn)


def parts_of(drawn: Mapping[Mode, Sequence[Drawn]]) -> tuple[LegacyPart, ...]:
    """What the studio knows of the scripts that were drawn."""
    found: dict[str, LegacyPart] = {}
    for mode, each in ((mode, each) for mode, parts in drawn.items() for each in parts):
        known = found.get(each.part)
        found[each.part] = LegacyPart(
            id=each.part,
            extension=each.script.extension,
            title=str(each.script.title()),
            modes=(*(known.modes if known else ()), mode),
            inputs=known.inputs if known else tuple(_inputs(each)),
            is_always=bool(each.script.alwayson),
        )
    return tuple(found.values())


def _drawn(mode: str, runner: Any, part: str, hand: Hand) -> Drawn:
    script = scripts_of(runner)[part]
    with hand.within(script.extension):
        if script.create_group:
            with gr.Group(visible=bool(script.alwayson)) as group:
                runner.create_script_ui(script)
            script.group = group
        else:
            runner.create_script_ui(script)
    controls = list(script.controls or ())
    for control in controls:
        _set_first(control, f"customscript/{Path(script.filename).name}/{script.tabname}", hand)
    names = input_ids(controls)
    if mode == INPAINT:
        _rename(script.group if script.create_group else None)
    return Drawn(script=script, part=part, controls=dict(zip(names, controls, strict=True)))


def _set_first(control: Any, path: str, hand: Hand) -> None:
    """Its first value from a ui-config.json, where that fits."""
    now = getattr(control, "value", None)
    value = hand.first.get(f"{path}/{getattr(control, 'label', None)}/value", now)
    numbers = (int, float)
    is_alike = type(value) is type(now) or (type(value) in numbers and type(now) in numbers)
    choices = getattr(control, "choices", None)
    if is_alike and (choices is None or value in [own for _, own in choices]):
        control.value = value


def _rename(part: Any) -> None:
    """The tab img2img has the same scripts, and no two elements of a page share an id."""
    for child in getattr(part, "children", ()):
        if elem_id := getattr(child, "elem_id", None):
            renamed = str(elem_id).replace("img2img", INPAINT)
            child.elem_id = renamed if renamed != elem_id else f"{elem_id}_{INPAINT}"
        _rename(child)


def _list(mode: str, runner: Any, offered: Mapping[str, Any]) -> Any:
    if not offered:
        return None
    choices = [(runner.title_of(script), id) for id, script in offered.items()]
    runner.titles = [title for title, _ in choices]
    return gr.Dropdown(
        label="Script of an extension",
        elem_id=f"{mode}_script_of",
        choices=[("None", NONE), *choices],
        value=NONE,
    )


def _choose(chosen: Any, groups: Mapping[str, Any]) -> None:
    """Show the controls of the chosen script only."""
    places = [group for group in groups.values() if group is not None]

    def show(id: str) -> Any:
        told = [gr.update(visible=id == part or "hidden") for part in groups]
        return told if len(told) > 1 else told[0]

    if places and len(places) == len(groups):
        chosen.change(
            show, [chosen], places, queue=False, show_progress="hidden", api_visibility="private"
        )


def _bind(form: Controls, one: Drawn, chosen: Any, keep: Keep) -> None:
    for name, control in one.controls.items():
        if not isinstance(control, VALUED) or not isinstance(control, Component):
            continue
        form.bind(
            f"extensions.{one.part}.{name}",
            control,
            *(() if chosen is None else (chosen,)),
            read=_reader(one.part, control, keep),
            show=_shower(control),
            blank=control.value,
        )


def _reader(part: str, control: Any, keep: Keep) -> Callable[..., Any]:
    """The value for the request; a control as it was at first is left out, and so are those of a
    script that isn't chosen."""
    default = _plain_default(control)

    def read(value: Any, chosen: str | None = part) -> Any:
        if chosen != part:
            return None
        plain = packed(value, keep)
        return None if plain == default else plain

    return read


def _shower(control: Any) -> Callable[[Any], Any]:
    """What the control is given for a value of a request."""
    is_indexed = getattr(control, "type", None) == "index"

    def choice(value: Any) -> Any:
        is_place = isinstance(value, int) and 0 <= value < len(control.choices)
        return control.choices[value][1] if is_place else value

    def show(value: Any) -> Any:
        plain = unpacked(value, {})
        if not is_indexed:
            return plain
        return [choice(each) for each in plain] if isinstance(plain, list) else choice(plain)

    return show


def _plain_default(control: Any) -> Any:
    try:
        value = control.preprocess(control.value)
    except Exception:  # noqa: BLE001 - a file that is shown first is no value that was set
        value = None
    return packed(value, lambda data: InputId(""))


def _inputs(one: Drawn) -> Iterator[LegacyInput]:
    for name, control in one.controls.items():
        label = getattr(control, "label", None)
        yield LegacyInput(
            name, label if isinstance(label, str) and label else name, _plain_default(control)
        )
