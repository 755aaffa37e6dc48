"""Old scripts in the server's process: loaded, drawn on the page, served beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from webui.compat import loading
from webui.compat.gradio3.adapter import PATCHES, adapting, watching
from webui.compat.gradio3.untouched import Untouched
from webui.compat.page import pasting
from webui.compat.page.axes import SUFFIX, axes_parts
from webui.compat.page.drawing import Drawn, Hand, draw_scripts, parts_of
from webui.compat.page.files import allowed_file
from webui.compat.page.head import head_of
from webui.compat.page.old import module, side
from webui.compat.page.options import Options
from webui.compat.page.places import first_values, installed_options, make_places
from webui.compat.page.routes import attach
from webui.compat.page.runners import PICTURE_TABS, Runners
from webui.compat.page.store import OldStore
from webui.compat.page.tabs import in_place, made_tabs, outside
from webui.compat.page.telling import Teller
from webui.compat.page.unseen import quiet_calls, unseen
from webui.compat.told import TOLD, told_by, told_in
from webui.core.engine import Legacy
from webui.core.errors import UnreadablePicture
from webui.core.job import PersonId
from webui.core.person import Role
from webui.core.recipe import Recipe
from webui.core.request import GenerationRequest, InputId, Mode
from webui.extend.legacy import Controls, LegacyPart, LegacyTab
from webui.ui.caller import who_asks
from webui.ui.form import Form
from webui.ui.guard import for_role

if TYPE_CHECKING:
    from webui.studio import Studio


LOOK_S: Final = 2.0
"""So long a look through the folders of models is waited for."""


def open_host(studio: Studio) -> Host:
    """The host of a studio."""
    return Host(studio)


class Host:
    """A webui.extend.legacy.LegacyHost. One page is drawn at a time; the rest may be asked by any
    thread."""

    def __init__(self, studio: Studio) -> None:
        self.studio: Final = studio
        self.store: Final = OldStore(studio.settings.current.data / "extensions")
        self.options: Final = Options(self.store, lambda id: studio.extensions.reload(id))
        self._drawing: Final = studio.extensions.drawing
        self._runners: Final = Runners(self._within)
        self._drawn: dict[Mode, tuple[Drawn, ...]] = {}
        self._parts: tuple[LegacyPart, ...] | None = None
        self._holds = False

    def load(self, folders: Mapping[str, Path]) -> Mapping[str, str]:
        """Load these extensions; tracebacks of those that failed."""
        if not self._holds:
            PATCHES.take()
            self._holds = True
            self._gradio = Untouched()
        self._gradio.restore()
        if not self.studio.catalog.models():  # at the start; scripts list what they find now
            self.studio.catalog.refresh_soon(LOOK_S)
        now = self.studio.settings.current
        make_places(now.data / "a1111", now.a1111_dir)
        with self._drawing, adapting():
            failed = loading.load(folders, told_in(self._told()))
            side().studio = self.studio
            self._drawn, self._parts = {}, None
            self.options.collect(installed_options(now.a1111_dir))
            side().heard.append(self._heard)
        return failed

    def unload(self) -> None:
        """Forget what was loaded."""
        if not self._holds:
            return
        self._holds = False
        with self._drawing, adapting():
            loading.unload()
        self._drawn, self._parts = {}, None
        self._gradio.restore()
        PATCHES.let_go()

    def parts(self) -> Sequence[LegacyPart]:
        """All scripts, as the page has them; before there is one, as they draw themselves."""
        if not loading.is_loaded():
            return ()
        if self._parts is None:
            with self._drawing, quiet_calls():
                self._parts = parts_of(unseen(self._within_tab))
        return (*self._parts, *axes_parts())

    def work(self, request: GenerationRequest, recipe: Recipe, person: PersonId) -> Legacy | None:
        """What the engine is told of them."""
        known = {part.id for part in self.parts()}
        inputs = {id: values for id, values in request.extensions.items() if id in known}
        always = (p.id for p in self.parts() if p.is_always and request.mode in p.modes)
        has_always = any(id in inputs or not id.endswith(SUFFIX) for id in always)
        script = request.script if request.script in known else None
        if not has_always and script is None:
            return None
        if request.extras is not None and not inputs:
            return None
        if request.is_settled and script is None and not inputs:
            return None  # made without them, and to be made so again
        return Legacy(
            request=request,
            folders=tuple(side().folders.values()),
            inputs=inputs,
            script=script,
            options=self._told(),
            data=self.studio.settings.current.data,
        )

    def pasted(self, text: str, fields: Mapping[str, str]) -> dict[str, str]:
        """The fields of a text, after the scripts looked at them."""
        return pasting.after_callbacks(text, fields)

    @contextmanager
    def building(self) -> Iterator[None]:
        """Around the drawing of the whole page."""
        if not loading.is_loaded():
            yield
            return
        with ExitStack() as stack:
            stack.enter_context(self._drawing)
            self._begin()
            teller = Teller(self._runners, self._within)
            stack.enter_context(watching(teller))
            yield
            with self._within(""):
                module("infotext_utils").connect_paste_params_buttons()
            if len(self._drawn) == len(PICTURE_TABS):
                self._parts = parts_of(self._drawn)

    def draw(self, mode: Mode, form: Controls) -> None:
        """The scripts' groups and their list in a picture tab."""
        runner = self._runners.get(mode)
        if runner is None:
            return
        is_extras = mode == Mode.EXTRAS
        if is_extras and not runner.scripts:
            return
        if isinstance(form, Form) and not is_extras:
            pasting.fill_fields(mode, form)
        if not is_extras:
            module("scripts").scripts_current = runner
        first = first_values(self.studio.settings.current.data / "a1111")
        hand = Hand(within=self._within_tab, keep=self._keep, first=first)
        self._drawn[Mode(mode)] = draw_scripts(mode, form, runner, hand)
        if isinstance(form, Form) and not is_extras:
            pasting.add_fields_of(mode, runner)

    def tabs(self) -> Sequence[LegacyTab]:
        """Their tabs."""
        return made_tabs(self._within, self.store.role) if loading.is_loaded() else ()

    def draw_settings(self) -> None:
        """The options that they added."""
        if loading.is_loaded():
            with self._within(""):
                self.options.draw()

    def set_role(self, extension: str, role: Role) -> None:
        """Who may use an extension's tabs and routes."""
        self.store.set_role(extension, role)

    def head(self) -> str:
        """Tags that load the bridge and their styles."""
        return head_of(side().folders) if loading.is_loaded() else ""

    def attach(self, app: Any, blocks: Any) -> None:
        """Their routes, and ours for them."""
        if loading.is_loaded():
            with adapting():
                attach(self, app, blocks)

    def _heard(self, call: Any) -> None:
        """A script's function was called: booked with its extension."""
        if call.extension and call.error:
            self.studio.extensions.report(call.extension, call.hook, call.error, call.seconds)

    def _told(self) -> dict[str, Any]:
        """What was set, and what the studio says of itself."""
        extensions = self.studio.extensions.places.folder
        return {**self.options.values, TOLD: told_by(self.studio, extensions)}

    def _begin(self) -> None:
        """As at the start of a page: everything that was drawn before is forgotten."""
        module("infotext_utils").reset()
        with outside(), self._within(""):
            module("script_callbacks").before_ui_callback()
        self._runners.begin()
        self._drawn.clear()

    @contextmanager
    def _within(self, extension: str) -> Iterator[None]:
        """Code of an extension: its buttons are for the role that the owner chose."""
        role = self.store.role(extension)
        with in_place(), adapting(lambda fn: for_role(fn, role, extension), self._may_show):
            yield

    @contextmanager
    def _within_tab(self, extension: str) -> Iterator[None]:
        """Code that draws a script's own controls, which belong to making pictures."""
        with in_place(), adapting(lambda fn: for_role(fn, Role.ARTIST, extension), self._may_show):
            yield

    def _may_show(self, path: Path) -> bool:
        """Files of extensions to everybody who may press the button, outputs to the owner."""
        roots = [*side().folders.values(), self.studio.settings.current.data / "a1111" / "tmp"]
        if who_asks().role.covers(Role.OWNER):
            roots.append(self.studio.settings.current.outputs)
        return allowed_file(str(path), path.parent, roots) is not None

    def _keep(self, data: bytes) -> InputId:
        try:
            return self.studio.inputs.add(data, who_asks().id)
        except UnreadablePicture:
            return InputId("")
