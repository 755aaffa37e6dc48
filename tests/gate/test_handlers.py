"""The page's events do for each person what they may, whatever the browser sends.

Everybody who is signed in may call the page's functions; each function asks for the role itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import png
from tests.gate.people import NamedDoorkeeper, as_person
from tests.gate.site import Answer, Site, serving
from tests.gate.whole import House
from webui.core.job import PersonId
from webui.gate.gate import Surroundings
from webui.gate.server import protect
from webui.studio import Studio


@dataclass(frozen=True, kw_only=True)
class Page:
    """The page as a browser has it, for whoever says who they are."""

    site: Site
    studio: Studio
    config: dict[str, Any]

    def element(self, elem_id: str) -> int:
        """The id of a component."""
        found = [
            part["id"]
            for part in self.config["components"]
            if part["props"].get("elem_id") == elem_id
        ]
        assert found, elem_id
        return int(found[0])

    def fire(self, person: str, elem_id: str, event: str, **values: object) -> Answer:
        """Cause an event, with these values in place of what the page shows at first."""
        target = [self.element(elem_id), event]
        (event_id, inputs) = next(
            (d["id"], d["inputs"]) for d in self.config["dependencies"] if target in d["targets"]
        )
        shown = {part["id"]: part["props"].get("value") for part in self.config["components"]}
        shown |= {self.element(name): value for name, value in values.items()}
        body = {
            "fn_index": event_id,
            "data": [shown[part] for part in inputs],
            "session_hash": f"page-of-{person}",
        }
        role, _, name = person.partition(" ")
        headers = (
            as_person(role, name or role),
            ("Content-Type", "application/json"),
            ("Origin", self.site.origin),
        )
        path = "/gradio_api/run/predict"
        return self.site.ask("POST", path, headers, json.dumps(body).encode())


def told(answer: Answer) -> dict[str, Any]:
    """What an event says to the page: its first text that is JSON."""
    assert answer.status == 200, answer.body
    for value in json.loads(answer.body)["data"]:
        if isinstance(value, str) and value.startswith("{"):
            found: dict[str, Any] = json.loads(value)
            return found
    raise AssertionError(answer.body)


@pytest.fixture(scope="module")
def page(house: House) -> Iterator[Page]:
    """The page of a studio that people of all roles use."""
    gate = protect(house.app, Surroundings(doorkeeper=NamedDoorkeeper()))
    with serving(gate) as site:
        config = json.loads(site.get("/config", as_person("owner")).body)
        yield Page(site=site, studio=house.studio, config=config)


def test_a_viewer_makes_no_pictures(page: Page) -> None:
    answer = told(page.fire("viewer", "txt2img_generate", "click", txt2img_prompt="an owl"))
    assert "not for a viewer" in answer["fault"]
    assert page.studio.jobs.recent(PersonId("viewer")) == []


def test_an_artists_picture_is_theirs(page: Page) -> None:
    answer = told(page.fire("artist Bo", "txt2img_generate", "click", txt2img_prompt="an owl"))
    assert page.studio.jobs.get(answer["job"]).owner == "Bo"


@pytest.mark.parametrize("role", ["viewer", "artist"])
def test_settings_are_the_owners(page: Page, role: str) -> None:
    quality = page.studio.settings.current.picture_quality
    answer = page.fire(role, "settings_submit", "click", setting_picture_quality=55)
    assert f"not for a {role}" in told(answer)["fault"]
    assert page.studio.settings.current.picture_quality == quality


def test_the_owner_changes_settings(page: Page) -> None:
    answer = page.fire("owner", "settings_submit", "click", setting_picture_quality=56)
    assert told(answer) == {"told": "Settings saved."}
    assert page.studio.settings.current.picture_quality == 56


def test_what_the_owner_wrote_is_shown_to_the_owner_alone(page: Page) -> None:
    """Everybody is sent the same page; folders come with the visit to the tab."""
    page.studio.settings.update({"extra_model_folders": "", "folder_pattern": "secret-plans"})
    folder = str(page.studio.settings.current.root)
    for role in ("viewer", "artist"):
        for path in ("/config", "/"):
            assert folder.encode() not in page.site.get(path, as_person(role)).body
        opened = page.fire(role, "tab_settings", "select").body
        assert b"secret-plans" not in opened
        assert folder.encode() not in opened
    opened = page.fire("owner", "tab_settings", "select").body
    assert b"secret-plans" in opened
    assert folder.encode() in opened


@pytest.mark.parametrize("role", ["viewer", "artist"])
def test_styles_are_for_all_and_so_the_owners(page: Page, role: str) -> None:
    named = {"txt2img_style_name": "mine", "txt2img_prompt": "an owl"}
    answer = told(page.fire(role, "txt2img_style_create", "click", **named))
    assert f"not for a {role}" in answer["fault"]
    assert page.studio.styles.styles() == ()


def test_choosing_a_model_changes_it_for_others_only_if_the_owner_does(page: Page) -> None:
    model = page.studio.current_model().id
    page.studio.settings.update({"checkpoint": ""})
    for role, kept in (("viewer", ""), ("artist", ""), ("owner", model)):
        answer = page.fire(
            role, "setting_sd_model_checkpoint", "input", setting_sd_model_checkpoint=model
        )
        assert answer.status == 200
        assert page.studio.settings.current.checkpoint == kept


def test_a_job_of_somebody_else_is_not_tried_again(page: Page) -> None:
    made = told(page.fire("artist Bo", "txt2img_generate", "click", txt2img_prompt="an owl"))
    wish = json.dumps({"retry": made["job"]})
    for person in ("viewer", "artist Cy", "owner"):
        answer = told(page.fire(person, "gesso_wish_apply", "click", gesso_wish=wish))
        assert "fault" in answer
    answer = told(page.fire("artist Bo", "gesso_wish_apply", "click", gesso_wish=wish))
    assert page.studio.jobs.get(answer["job"]).owner == "Bo"


@pytest.mark.parametrize("path", ["/gradio_api/upload", "/gradio_api/component_server"])
def test_a_viewer_brings_no_files(page: Page, path: str) -> None:
    own = (("Origin", page.site.origin),)
    assert page.site.ask("POST", path, (as_person("viewer"), *own)).status == 403
    assert page.site.ask("POST", path, (as_person("artist"), *own)).status not in (401, 403)


def test_a_source_picture_lies_where_its_hash_does_not_lead(page: Page) -> None:
    """Recipes tell the hash of a source picture, and recipes are shared."""
    kept = page.studio.inputs.add(png(colour="blue"), PersonId("Bo"))
    request = {"source": {"image": kept}, "prompt": "an owl"}
    wish = json.dumps({"request": request, "into": "img2img"})
    answer = page.fire("artist Bo", "gesso_wish_apply", "click", gesso_wish=wish)
    shown = list(file_paths(json.loads(answer.body)))
    assert shown != []
    assert all(kept not in path for path in shown)
    (path,) = set(shown)
    assert page.site.get(f"/gradio_api/file={path}", as_person("artist", "Bo")).status == 200
    uploads = page.studio.settings.current.data / "uploads"
    for name in ("picture.png", "image.png"):
        guess = f"/gradio_api/file={uploads / kept / name}"
        assert page.site.get(guess, as_person("artist", "Cy")).status == 403


def file_paths(value: Any) -> Iterator[str]:
    """The paths of all files in what an event gives back."""
    if isinstance(value, dict):
        if isinstance(value.get("path"), str):
            yield value["path"]
        for each in value.values():
            yield from file_paths(each)
    elif isinstance(value, list):
        for each in value:
            yield from file_paths(each)


@pytest.mark.parametrize("place", ["data/inputs", "outside.txt", "data/uploads/../outside.txt"])
def test_an_event_reads_no_file_that_its_caller_only_names(page: Page, place: str) -> None:
    root = page.studio.settings.current.root
    for folder in (root, root / "data"):
        (folder / "outside.txt").write_text("the canary sings")
    named = {"path": str(root / place), "meta": {"_type": "gradio.FileData"}}
    (element,) = {
        part["props"]["elem_id"]
        for part in page.config["components"]
        if str(part["props"].get("elem_id")).startswith("script_txt2img_")
        and part["props"]["elem_id"].endswith("_file")
    }
    answer = page.fire("owner", element, "upload", **{element: named})
    assert answer.status != 200
    assert b"canary" not in answer.body


def test_a_picture_of_somebody_else_is_no_source(page: Page) -> None:
    """Naming its file is not enough: it has to have been uploaded."""
    theirs = page.studio.settings.current.outputs / "theirs.png"
    theirs.parent.mkdir(parents=True, exist_ok=True)
    theirs.write_bytes(png(colour="green"))
    named = {"path": str(theirs), "meta": {"_type": "gradio.FileData"}}
    values = {"img2img_image": named, "img2img_prompt": "an owl"}
    answer = page.fire("artist Cy", "img2img_generate", "click", **values)
    assert answer.status != 200
    assert page.studio.jobs.recent(PersonId("Cy")) == []
