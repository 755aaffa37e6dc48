"""Takes the pictures in docs/images: each tab on a desk and a phone, in light and dark.

Run it by hand after a change of the page's look, then look at what it made:
`python -m tests.e2e.screenshots [NAME ...]`. It draws with the real starter model.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.conftest import until
from tests.e2e.site import ROOT, Site
from tests.e2e.studio_page import open_tab
from webui.launcher.browser import find_browser

IMAGES = ROOT / "docs" / "images"
DESK = {"width": 1366, "height": 768}
PHONE = {"width": 390, "height": 844}
COLOURS = 256
LARGEST_BYTES = 150_000
ONCE = ("groups", "large", "running")
"""Scenes that are taken in the first view only."""
LONG_MS = 180_000
SEEDS = {
    "a taxi in the city, 3d style": 7,
    "a strawberry, 3d style": 8,
    "a crescent moon at night, glossy style": 7,
    "a purple dinosaur, 3d style": 8,
    "a pink elephant in a forest, 3d style": 8,
    "a cactus in the desert, flat style": 8,
    "an owl in a forest, 3d style": 7,
    "a fish underwater, 3d style": 7,
    "a red apple on a blue background, 3d style": 7,
    "a castle in the mountains, 3d style": 7,
    "a lion in the desert, 3d style": 8,
    "a penguin in the snow, 3d style": 8,
    "a dog next to a cat in a meadow, 3d style": 1,
    "a rocket in space, 3d style": 7,
}
PAIR = "a dog next to a cat in a meadow, 3d style"
SEEN_IMAGES_ARE_HERE = """[...document.images].every((image) => {
    const box = image.getBoundingClientRect();
    const isSeen = box.bottom > 0 && box.top < innerHeight
        && box.right > 0 && box.left < innerWidth;
    return image.complete || !isSeen;
})"""
HOUSE = "a house in a meadow, 3d style"


@dataclass(frozen=True, kw_only=True)
class View:
    """How the page is looked at."""

    suffix: str
    size: dict[str, int]
    theme: str


VIEWS = (
    View(suffix="", size=DESK, theme="light"),
    View(suffix="-dark", size=DESK, theme="dark"),
    View(suffix="-phone", size=PHONE, theme="light"),
)


def main(names: list[str]) -> None:
    """Take all pictures, or those whose names are given."""
    path = find_browser("linux", os.environ)
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder) / "gesso") as site,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        take_all(browser, site, names)
        browser.close()


@contextmanager
def running(folder: Path) -> Iterator[Site]:
    """The program with its real engine."""
    folder.mkdir()
    site = Site(folder, 0.0)
    flags = ["--data-dir", str(folder), "--port", str(site.port), "--no-autolaunch", "--use-cpu"]
    with (folder / "server.log").open("wb") as log:
        site.process = subprocess.Popen(
            [sys.executable, "app.py", *flags], cwd=ROOT, stdout=log, stderr=log
        )
        until(lambda: _answers(site), 60)
        try:
            yield site
        finally:
            site.stop()


def take_all(browser: Browser, site: Site, names: list[str]) -> None:
    """The page before the first picture, then each tab in each view."""
    with opened(browser, site, VIEWS[0]) as page:
        take(page, "empty", names)
    fill_history(site)
    scenes: dict[str, Callable[[Page], None]] = {
        "txt2img": show_txt2img,
        "groups": show_groups,
        "img2img": show_img2img,
        "inpaint": show_inpaint,
        "history": show_history,
        "large": show_large,
        "settings": show_settings,
        "running": show_running,  # last: it leaves work behind
    }
    for view in VIEWS:
        for name, prepare in scenes.items():
            if name in ONCE and view is not VIEWS[0]:
                continue
            if not names or name + view.suffix in names:
                with opened(browser, site, view) as page:
                    prepare(page)
                    take(page, name + view.suffix, names)
                site.cancel_all()


@contextmanager
def opened(browser: Browser, site: Site, view: View) -> Iterator[Page]:
    """A window that shows the page."""
    context = browser.new_context(viewport=view.size)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{site.url}/?__theme={view.theme}")
    expect(page.locator("gesso-status .words")).to_contain_text("on CPU", timeout=LONG_MS)
    yield page
    context.close()


def take(page: Page, name: str, names: list[str]) -> None:
    """Save what is seen, in as few bytes as a look at it allows."""
    if names and name not in names:
        return
    page.wait_for_function(SEEN_IMAGES_ARE_HERE)
    expect(page.locator("gesso-notices .passing .notice")).to_have_count(0, timeout=LONG_MS)
    shot = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    IMAGES.mkdir(parents=True, exist_ok=True)
    palette = shot.quantize(COLOURS)
    for dither in (Image.Dither.FLOYDSTEINBERG, Image.Dither.NONE):
        few = shot.quantize(palette=palette, dither=dither)
        few.save(IMAGES / f"{name}.png", optimize=True)
        if (IMAGES / f"{name}.png").stat().st_size < LARGEST_BYTES:
            break


def fill_history(site: Site) -> None:
    """A morning's work."""
    for prompt, seed in SEEDS.items():
        site.post({"prompt": prompt, "seed": seed, "batch_size": 1})
    site.post({"prompt": HOUSE, "seed": 11, "batch_size": 4})
    until(lambda: not site.get("/api/v1/state")["jobs"], 300)


def show_txt2img(page: Page) -> None:
    page.locator("#txt2img_prompt textarea").fill(HOUSE)
    page.locator(f"gesso-results[mode=txt2img] .tile[aria-label*='{HOUSE}, seed 11']").click()
    words = page.locator("gesso-results[mode=txt2img] .recipe .words")
    expect(words).to_contain_text("seed 11")
    page.evaluate("scrollTo(0, 0)")


def show_groups(page: Page) -> None:
    show_txt2img(page)
    page.locator("#txt2img_hr > .label-wrap").click()
    page.locator("#txt2img_hr-checkbox input").check()
    expect(page.locator("#txt2img_hr > .label-wrap")).to_contain_text("2×")
    page.locator("#txt2img_batch_row").evaluate("(e) => scrollTo(0, e.offsetTop - 140)")


def show_running(page: Page) -> None:
    page.locator("#txt2img_prompt textarea").fill("a pink elephant in a forest, 3d style")
    page.locator("#txt2img_batch_count input[type=number]").fill("3")
    page.locator("#txt2img_generate").click()
    expect(page.locator("#txt2img_interrupt")).to_be_visible()
    page.locator("#txt2img_prompt textarea").fill("an owl in a forest, 3d style")
    page.locator("#txt2img_generate").click()
    words = page.locator("gesso-results[mode=txt2img] .head .words")
    expect(words).to_contain_text("Picture 2 of", timeout=LONG_MS)
    expect(words).to_contain_text("Step 1", timeout=LONG_MS)


def show_img2img(page: Page) -> None:
    send(page, HOUSE, "img2img")
    page.locator("#img2img_denoising_strength input[type=number]").fill("0.65")
    make(page, "img2img", "a castle in the snow, 3d style", seed=4)


def show_inpaint(page: Page) -> None:
    send(page, PAIR, "inpaint")
    canvas = page.locator("#img2maskimg .pixi-target canvas")
    expect(canvas).to_be_visible()
    expect(page.locator("#img2maskimg button[aria-label=Brush]")).to_be_visible()
    undo = page.locator("#img2maskimg button[aria-label=Undo]")
    canvas.scroll_into_view_if_needed()
    until(lambda: paint_right_half(page) or undo.is_enabled(), 30)
    page.locator("#inpaint_denoising_strength input[type=number]").fill("0.9")
    make(page, "inpaint", "a dog next to a pumpkin in a meadow, 3d style", seed=5)


def paint_right_half(page: Page) -> None:
    """Strokes over what stands at the right in the picture."""
    box = page.locator("#img2maskimg .pixi-target canvas").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for row in range(-85, 75, 22):
        page.mouse.move(x + 42, y + row)
        page.mouse.down()
        page.mouse.move(x + 112, y + row, steps=8)
        page.mouse.up()


def show_history(page: Page) -> None:
    show_tab(page, "history")
    page.locator("gesso-history .tile[title*='penguin']").click()
    expect(page.locator("gesso-history .infotext")).to_contain_text("Steps")
    page.evaluate("scrollTo(0, 0)")


def show_large(page: Page) -> None:
    show_history(page)
    page.locator("gesso-history .details .picture").click()
    expect(page.locator("dialog.lightbox .recipe .words")).to_contain_text("seed")


def show_settings(page: Page) -> None:
    show_tab(page, "settings")


def send(page: Page, prompt: str, mode: str) -> None:
    """A picture of the first tab as the source of another."""
    page.locator(f"gesso-results[mode=txt2img] .tile[aria-label*='{prompt}']").last.click()
    page.locator(f"#txt2img_send_to_{mode}").click()
    expect(page.locator(f"#{mode}_prompt textarea")).to_have_value(prompt)


def make(page: Page, mode: str, prompt: str, seed: int) -> None:
    """Generate and wait for the picture."""
    page.locator(f"#{mode}_prompt textarea").fill(prompt)
    page.locator(f"#{mode}_seed input").fill(str(seed))
    page.locator(f"#{mode}_seed input").blur()
    page.locator(f"#{mode}_generate").click()
    shown = page.locator(f"gesso-results[mode={mode}] .stage .picture img[alt='{prompt}']")
    expect(shown).to_be_visible(timeout=LONG_MS)
    expect(page.locator(f"#{mode}_interrupt")).to_be_hidden(timeout=LONG_MS)
    words = page.locator(f"gesso-results[mode={mode}] .recipe .words")
    expect(words).to_contain_text(f"seed {seed}")
    page.mouse.move(2, 2)
    page.evaluate("scrollTo(0, 0)")


def show_tab(page: Page, id: str) -> None:
    open_tab(page, id)
    expect(page.locator(f"#tab_{id}")).to_be_visible()


def _answers(site: Site) -> bool:
    try:
        site.get("/health")
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main(sys.argv[1:])
