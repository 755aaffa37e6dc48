"""An extension written for AUTOMATIC1111 on the page: controls, tabs, options, routes, roles."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest

from tests.conftest import until
from tests.extend.conftest import Workshop
from tests.ui.parts import within_loop
from tests.ui.window import House, opened
from webui.core.person import Role
from webui.core.request import GenerationRequest, Mode
from webui.studio import Studio
from webui.ui.build import build_page
from webui.ui.components.topbar import top_bar
from webui.ui.form import Form
from webui.ui.tabs.txt2img import TAB

EXTENSIONS = Path(__file__).parent / "extensions"
PART = "easel/easel"
GRAIN = f"extensions.{PART}.easel_grain"


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    made = Workshop(tmp_path_factory.mktemp("easel"))
    shutil.copytree(EXTENSIONS / "easel", made.folder / "easel")
    yield made
    made.close()


@pytest.fixture(scope="module")
def studio(workshop: Workshop) -> Studio:
    return workshop.studio("easel")


@pytest.fixture(scope="module")
def house(studio: Studio) -> Iterator[House]:
    with opened(studio) as found:
        yield found


@pytest.fixture(scope="module")
def form(house: House) -> Form:
    legacy = house.studio.extensions.legacy
    assert legacy is not None

    def draw() -> Form:
        with gr.Blocks(), legacy.building():
            page = top_bar(house.studio)
            with gr.Tab("txt2img", elem_id="tab_txt2img"):
                TAB.build(page)
        return page.forms["txt2img"]

    return within_loop(draw)


def test_controls_are_drawn_in_the_tabs_of_pictures(house: House) -> None:
    window = house.open()
    for mode in ("txt2img", "img2img", "inpaint"):
        assert window.part(f"script_{mode}_easel_grain")["props"]["value"] == 0.5
        assert window.part(f"script_{mode}_easel_hidden")["props"]["visible"] == "hidden"
    assert window.part("easel_by_the_seed")["props"]["value"] == "S"
    assert window.part("script_txt2img_easel_double")["props"]["value"] == "Double"
    assert "gradio-slider" in window.part("txt2img_steps")["props"]["elem_classes"]


def test_a_tab_is_drawn_once_however_often_scripts_are_made(house: House) -> None:
    titles = [label for label in house.open().labels() if label.startswith("Easel ")]
    assert sorted(set(titles)) == ["Easel late", "Easel tab"]
    assert titles.count("Easel tab") == titles.count("Easel late") == 1
    assert house.open().part("easel_late")["props"]["value"] == "first field: txt2img_prompt"


def test_buttons_in_a_picture_tab_are_for_artists(house: House) -> None:
    window = house.open("artist")
    answer = window.fire("script_txt2img_easel_double", "click", txt2img_width=256)
    assert answer.json()["data"][0] == 512
    assert "gesso-old-hidden" not in answer.json()["data"][1]["elem_classes"]


@pytest.mark.slow
def test_buttons_of_a_tab_are_for_the_owner_until_lowered(house: House, studio: Studio) -> None:
    owner, artist = house.open(), house.open("artist")
    said = owner.fire("easel_say", "click", easel_tab_words="hi").json()["data"][0]["value"]
    assert "easelClicked('hi')" in said
    refused = artist.fire("easel_say", "click", easel_tab_words="hi")
    assert refused.status_code == 500
    assert "Ask the owner" in refused.json()["error"]
    assert artist.fire("old_role_easel", "input", old_role_easel="viewer").status_code == 500
    set_role(house, Role.ARTIST)
    artist = house.open("artist")
    assert artist.fire("easel_say", "click", easel_tab_words="hi").status_code == 200
    assert house.site.get("/easel/hello", headers=artist.headers).status_code == 200
    set_role(house, Role.OWNER)


def set_role(house: House, role: Role) -> None:
    """And wait for the page to follow."""
    before = house.keeper.holder.page
    answer = house.open().fire("old_role_easel", "input", old_role_easel=role.value)
    assert answer.status_code == 200, answer.text
    until(lambda: house.keeper.holder.page is not before)


def test_only_what_was_set_is_asked_for(form: Form) -> None:
    at_first = {control: control.preprocess(control.value) for control in form.inputs}
    assert form.request(at_first).extensions == {}
    grain, script = form.component(GRAIN), form.component("script")
    assert grain is not None
    assert script is not None
    assert form.request({**at_first, grain: 0.7}).extensions == {PART: {"easel_grain": 0.7}}
    count = form.component("extensions.easel/easel-chosen.count")
    assert count is not None
    assert form.request({**at_first, count: 9}).extensions == {}
    chosen = form.request({**at_first, count: 9, script: "easel/easel-chosen"})
    assert (chosen.script, chosen.extensions) == (
        "easel/easel-chosen",
        {"easel/easel-chosen": {"count": 9}},
    )


def test_a_request_is_shown_in_the_controls(form: Form) -> None:
    request = GenerationRequest(extensions={PART: {"easel_grain": 0.2, "kind": 1}})
    shown = form.values(request)
    ids = ("easel_grain", "kind", "easel_words")
    controls = [form.component(f"extensions.{PART}.{id}") for id in ids]
    assert [shown[control] for control in controls if control is not None] == [0.2, "chalk", ""]


def test_the_studio_knows_the_scripts(studio: Studio, house: House) -> None:
    legacy = studio.extensions.legacy
    assert legacy is not None
    parts = {part.id: part for part in legacy.parts()}
    easel, chosen = parts[PART], parts["easel/easel-chosen"]
    assert easel.modes == (Mode.TXT2IMG, Mode.IMG2IMG, Mode.INPAINT)
    assert [each.id for each in easel.inputs] == [
        "easel_on_checkbox", "easel_grain", "easel_words", "kind", "easel_hidden",
    ]  # fmt: skip
    assert [each.default for each in easel.inputs] == [False, 0.5, "", 0, False]
    assert (chosen.is_always, chosen.modes) == (False, (Mode.TXT2IMG,))


def test_texts_of_pictures_go_through_the_scripts(studio: Studio) -> None:
    legacy = studio.extensions.legacy
    assert legacy is not None
    assert legacy.pasted("", {"Easel grain": "0.1"}) == {"Easel grain": "0.9"}


def test_routes_are_for_the_owner(house: House) -> None:
    owner, artist = house.open().headers, house.open("artist").headers
    assert house.site.get("/easel/hello", headers=owner).json() == {"flag": True}
    assert house.site.post("/easel/more", headers=owner, json={}).json() == [1]
    assert house.site.get("/easel/hello", headers=artist).status_code == 403
    assert house.site.get("/easel/hello").status_code == 401


def test_a_middleware_is_refused(house: House) -> None:
    import sys

    house.site.get("/", headers=house.open().headers)
    assert sys.modules["scripts.easel"].seen == []


def test_the_bridge_is_told_options_but_no_secrets(house: House) -> None:
    owner = house.site.get("/a1111/page.json", headers=house.open().headers).json()
    artist = house.site.get("/a1111/page.json", headers=house.open("artist").headers).json()
    assert (owner["opts"]["easel_flag"], owner["opts"]["easel_api_key"]) == (True, "none")
    assert "easel_api_key" not in artist["opts"]
    (script,) = owner["scripts"]
    answer = house.site.get(script, headers=house.open("viewer").headers)
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "easelPressed" in answer.text


def test_options_are_saved_by_the_owner_alone(house: House, studio: Studio) -> None:
    artist, owner = house.open("artist"), house.open()
    assert artist.fire("settings_old_submit", "click", setting_easel_flag=False).status_code == 500
    answer = owner.fire("settings_old_submit", "click", setting_easel_flag=False)
    assert "Saved" in json.dumps(answer.json()["data"])
    kept = json.loads((studio.settings.current.data / "extensions" / "a1111.json").read_text())
    assert kept["options"] == {"easel_flag": False}
    assert house.site.get("/easel/hello", headers=owner.headers).json() == {"flag": False}


def test_files_of_extensions_are_served_and_no_others(house: House, workshop: Workshop) -> None:
    headers = house.open("artist").headers
    style = workshop.folder / "easel" / "style.css"
    assert "easel_say" in house.site.get(f"/file={style}", headers=headers).text
    secret = workshop.root / "secret.txt"
    secret.write_text("s")
    for path in (secret, "/etc/passwd", f"{style.parent}/../../secret.txt"):
        assert house.site.get(f"/file={path}", headers=headers).status_code == 404
    assert house.site.get(f"/file={style}", headers=house.open("viewer").headers).status_code == 403


@pytest.mark.slow
def test_a_page_can_be_drawn_again(house: House, studio: Studio) -> None:
    blocks = within_loop(lambda: build_page(studio, 5000))
    titles = [getattr(block, "label", None) for block in blocks.blocks.values()]
    assert titles.count("Easel late") == 1


@pytest.mark.slow
def test_values_of_an_install_are_taken_over(tmp_path: Path, workshop: Workshop) -> None:
    install = tmp_path / "a1111"
    install.mkdir()
    (install / "config.json").write_text('{"easel_flag": false, "samples_save": false}')
    (install / "ui-config.json").write_text(
        '{"customscript/easel.py/txt2img/Grain/value": 0.8,'
        ' "customscript/easel.py/txt2img/Kind/value": "ink"}'
    )
    other = Workshop(tmp_path / "other")
    shutil.copytree(EXTENSIONS / "easel", other.folder / "easel")
    studio = other.studio("easel", a1111_dir=str(install))
    with opened(studio) as house:
        window = house.open()
        assert window.part("script_txt2img_easel_grain")["props"]["value"] == 0.8
        told = house.site.get("/a1111/page.json", headers=window.headers).json()["opts"]
        assert (told["easel_flag"], told["samples_save"]) == (False, True)
    other.close()
