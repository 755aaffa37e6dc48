"""Components that scripts draw with: small buttons, rows of a form, an accordion with a switch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import gradio as gr
from gradio.layouts import Form

from webui.compat.missing import unprovided

_numbers = count()


class FormComponent:
    """Beside a kind of part: it is drawn without a frame, together with others."""

    def get_expected_parent(self) -> Any:
        """What Gradio puts such parts into."""
        return Form


class ToolButton(FormComponent, gr.Button):
    """A small button with one sign on it."""

    def __init__(self, *args: Any, elem_classes: Any = (), **kwargs: Any) -> None:
        classes = [elem_classes] if isinstance(elem_classes, str) else list(elem_classes or ())
        super().__init__(*args, elem_classes=["tool", *classes], **kwargs)

    def get_block_name(self) -> str:
        """What draws it in the browser."""
        return "button"
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component


class ResizeHandleRow(gr.Row):
    """A row of two columns whose border can be moved."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.elem_classes.append("resize-handle-row")

    def get_block_name(self) -> str:
        """What draws it in the browser."""
        return "row"
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component


class FormRow(FormComponent, gr.Row):
    """A row among a form's parts."""

    def get_block_name(self) -> str:
        """What draws it in the browser."""
        return "row"
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component


class FormColumn(FormComponent, gr.Column):
    """A column among a form's parts."""

    def get_block_name(self) -> str:
        """What draws it in the browser."""
        return "column"
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component


class FormGroup(FormComponent, gr.Group):
    """A group among a form's parts."""

    def get_block_name(self) -> str:
        """What draws it in the browser."""
        return "group"
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component


class FormHTML(FormComponent, gr.HTML):
    """HTML among a form's parts."""

    def get_block_name(self) -> str:
        """What draws it in the browser."""
        return "html"
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component


class FormColorPicker(FormComponent, gr.ColorPicker):
    """A choice of a colour among a form's parts."""

    def get_block_name(self) -> str:
        """What draws it in the browser."""
        return "colorpicker"
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component


class DropdownMulti(FormComponent, gr.Dropdown):
    """A list of which several may be chosen."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(multiselect=True, **kwargs)

    def get_block_name(self) -> str:
        """What draws it in the browser."""
        return "dropdown"
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component


class DropdownEditable(FormComponent, gr.Dropdown):
    """A list in which one may write what is not in it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_custom_value=True, **kwargs)

    def get_block_name(self) -> str:
        """What draws it in the browser."""
        return "dropdown"
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component


class InputAccordion(gr.Checkbox):
    """An accordion that is open while it is switched on; its value says whether it is."""

    def __init__(self, value: bool | None = None, **kwargs: Any) -> None:
        id = self.accordion_id = kwargs.get("elem_id") or f"input-accordion-{next(_numbers)}"
        look = {name: kwargs.pop(name) for name in ("open",) if name in kwargs}
        super().__init__(bool(value), **{**kwargs, "elem_id": f"{id}-checkbox", "visible": False})
        js = f'(on) => inputAccordionChecked("{id}", on)'
        self.change(fn=None, js=js, inputs=[self], show_progress="hidden")
        shown = {k: v for k, v in kwargs.items() if k in ("label", "visible", "elem_classes")}
        classes = shown.pop("elem_classes", None) or []
        self.accordion = gr.Accordion(
            **{"label": "Accordion", **shown},
            elem_id=id,
            elem_classes=["input-accordion", *([classes] if isinstance(classes, str) else classes)],
            open=bool(look.get("open", value)),
        )

    @contextmanager
    def extra(self) -> Iterator[Any]:
        """What is drawn within stands in the accordion's title."""
        with gr.Column(
            elem_id=f"{self.accordion_id}-extra",
            elem_classes=["input-accordion-extra"],
            min_width=0,
        ) as column:
            yield column

    def __enter__(self) -> InputAccordion:
        self.accordion.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.accordion.__exit__(*error)

    def get_block_name(self) -> str:
        """What draws it in the browser."""
        return "checkbox"
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component


__getattr__ = unprovided(__name__)