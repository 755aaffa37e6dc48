"""The page in a browser, with the words a test thinks in; it notes everything that is not right."""

from __future__ import annotations

import base64
import re
from pathlib import Path

from playwright.sync_api import ConsoleMessage, Error, Locator, Page, Request, expect
from playwright.sync_api import TimeoutError as TooLate

from tests.conftest import until
from tests.e2e.site import Site

DONE_MS = 30_000
FORGET = "sessionStorage.clear(); Storage.prototype.setItem = () => {}"
"""For a page that is left: nothing of it is put back in the next."""


class StudioPage:
    """One window. `faults` collects console errors, policy violations and foreign requests."""

    def __init__(self, page: Page, site: Site) -> None:
        self.page = page
        self.site = site
        self.faults: list[str] = []
        self.allowed: tuple[str, ...] = ()
        page.on("console", self._on_console)
        page.on("pageerror", self._on_error)
        page.on("request", self._on_request)

    def stop_listening(self) -> None:
        """Note nothing any more; another test may get the window."""
        self.page.remove_listener("console", self._on_console)
        self.page.remove_listener("pageerror", self._on_error)
        self.page.remove_listener("request", self._on_request)

    def open(self, query: str = "") -> StudioPage:
        """Load the page as a new tab does, and wait until it is connected and up to date."""
        if self.page.url.startswith(self.site.url):
            self.page.evaluate(FORGET)
        self.page.goto(f"{self.site.url}/{query}")
        expect(self.page.locator("#txt2img_generate")).to_be_visible(timeout=DONE_MS)
        expect(self.status).to_contain_text("on Test patterns", timeout=DONE_MS)
        self.page.locator("body[data-filled]").wait_for(timeout=DONE_MS)
        return self

    @property
    def status(self) -> Locator:
        return self.page.locator("gesso-status .words")

    def tab(self, id: str) -> None:
        """Open a tab."""
        open_tab(self.page, id)
        expect(self.page.locator(f"#tab_{id}")).to_be_visible()
        self.drawn()

    def open_group(self, id: str) -> None:
        """Open a closed group."""
        self.page.locator(f"#{id} > .label-wrap").click()
        expect(self.page.locator(f"#{id} > [data-testid=accordion-content]")).to_be_visible()
        self.drawn()

    def drawn(self, frames: int = 3) -> None:
        """Wait until frames were drawn. Gradio fills what is opened for the first time within two,
        and a list that is chosen from before would be set back."""
        self.page.evaluate(
            """(frames) => new Promise((resolve) => {
                const next = () => (frames-- > 0 ? requestAnimationFrame(next) : resolve());
                next();
            })""",
            frames,
        )

    def prompt(self, mode: str) -> Locator:
        return self.page.locator(f"#{mode}_prompt textarea")

    def number(self, id: str) -> Locator:
        """The number field of a slider or number control."""
        return self.page.locator(f"#{id} input[type=number]")

    def results(self, mode: str) -> Locator:
        return self.page.locator(f"gesso-results[mode={mode}]")

    def picture(self, mode: str, prompt: str) -> Locator:
        """The large finished picture, once it shows this prompt."""
        return self.results(mode).locator(f".stage .picture img[alt={_quoted(prompt)}]")

    def cancel(self, mode: str) -> Locator:
        return self.page.locator(f"#{mode}_interrupt")

    def generate(self, mode: str, prompt: str) -> None:
        """Write a prompt and press Generate."""
        self.prompt(mode).fill(prompt)
        self.page.locator(f"#{mode}_generate").click()

    def make(self, mode: str, prompt: str) -> None:
        """Generate and wait for the picture."""
        self.generate(mode, prompt)
        expect(self.picture(mode, prompt)).to_be_visible(timeout=DONE_MS)

    def set(self, id: str, value: float) -> None:
        """Type a number into a control and leave it."""
        self.number(id).fill(str(value))
        self.number(id).blur()

    def load_into_editor(self, file: Path) -> None:
        """Choose a picture in the mask editor, which loses one that comes before its canvas."""
        expect(self.page.locator("#img2maskimg .pixi-target canvas")).to_be_visible()
        self.page.set_input_files("#img2maskimg input[type=file]", file)

    def notice(self, text: str) -> Locator:
        return self.page.locator("gesso-notices .notice", has_text=text)

    def drop(self, target: Locator, file: Path) -> None:
        """Drop a file from outside on an element."""
        self._hand_over(target, file, "drop")

    def paste(self, target: Locator, file: Path) -> None:
        """Paste a file from the clipboard into an element."""
        self._hand_over(target, file, "paste")

    def _hand_over(self, target: Locator, file: Path, how: str) -> None:
        target.evaluate(
            """(element, {name, data, how}) => {
                const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
                const transfer = new DataTransfer();
                transfer.items.add(new File([bytes], name, {type: "image/png"}));
                const init = {bubbles: true, cancelable: true};
                element.dispatchEvent(how === "drop"
                    ? new DragEvent("drop", {...init, dataTransfer: transfer})
                    : new ClipboardEvent("paste", {...init, clipboardData: transfer}));
            }""",
            {"name": file.name, "data": base64.b64encode(file.read_bytes()).decode(), "how": how},
        )

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._note(f"console: {message.text}")

    def _on_error(self, error: Error) -> None:
        self._note(f"error: {error}")

    def _note(self, fault: str) -> None:
        if not any(word in fault for word in self.allowed):
            self.faults.append(fault)

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((self.site.url, "blob:", "data:")):
            self.faults.append(f"foreign request: {request.url}")


def open_tab(page: Page, id: str) -> None:
    """Press a tab; on a phone, those that find no room stand behind the three dots."""
    button = page.locator(f"#tab_{id}-button")
    if button.is_visible():
        button.click()
        return
    more = page.locator("#tabs > .tab-wrapper .overflow-menu > button")
    name = re.compile(f"^{id.replace('_', ' ')}$", re.IGNORECASE)
    entry = page.locator("#tabs > .tab-wrapper .overflow-dropdown button", has_text=name)

    def is_chosen() -> bool:
        """The dots close the list where it is still open from the last time."""
        if not entry.is_visible():
            more.click()
        try:
            entry.click(timeout=2000)
        except TooLate:
            return False
        return True

    until(is_chosen)


def _quoted(text: str) -> str:
    """Text as a CSS string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
