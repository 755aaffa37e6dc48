"""What extensions add to the page, and how the page follows when they come and go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import until
from tests.extend.conftest import Workshop
from tests.ui.parts import forms_of
from tests.ui.window import House, opened
from webui.core.events import ExtensionsChanged
from webui.core.request import GenerationRequest
from webui.studio import Studio
from webui.ui.form import Form

RED = """
    INPUTS = [
        Toggle("enabled", "Red"),
        Slider("amount", "Amount", 0.5),
        Slider("count", "Count", 2, low=1, high=9, step=1, show_if="deep"),
        Toggle("deep", "Deep"),
        Choice("way", "Way", "up", choices=("up", "down")),
        Text("words", "Words"),
    ]

    @hook
    def image_post(item, inputs): ...
"""
TALK = """
    import gradio as gr

    @hook
    def register_tabs(register):
        def build(page):
            words = gr.Textbox("", elem_id="talk_words")
            said = gr.Textbox("", elem_id="talk_said")
            press = gr.Button("Say", elem_id="talk_press")
            press.click(lambda text: text.upper(), [words], [said], queue=False)
            fail = gr.Button("Fail", elem_id="talk_fail")
            fail.click(lambda: 1 / 0, None, [said], queue=False)
        register(Tab(title="Talk", build=build, role=Role.OWNER))

    @hook
    def ui_attach(register):
        import gradio as gr
        def build(page):
            gr.Markdown("attached", elem_id="talk_attached")
        register(Attachment(anchor="txt2img_steps", build=build))
"""
BROKEN = """
    import gradio as gr

    INPUTS = [Slider("amount", "Amount", 0.5)]

    @hook
    def image_post(item, inputs): ...

    @hook
    def ui_accordion(page, mode):
        gr.Textbox("", elem_id="broken_words")
        raise SystemExit("planted")
"""
OWN = """
    import gradio as gr

    INPUTS = [Slider("amount", "Amount", 0.5), Text("words", "Words")]

    @hook
    def image_post(item, inputs): ...

    @hook
    def ui_accordion(page, mode):
        return {"amount": gr.Slider(0, 1, 0.5, elem_id=f"own_{mode}")}
"""
RUNNER = """
    INPUTS = [Slider("tiles", "Tiles", 2, low=1, high=8, step=1)]

    @hook
    def job_run(request, runner, inputs):
        yield from runner.generate(request)
"""
ROUTES = """
    from fastapi import APIRouter

    @hook
    def api_routes(register):
        router = APIRouter()
        router.add_api_route("/words", lambda: {"said": "yes"})
        register(Routes(router=router, role=ROLE))
"""


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    made = Workshop(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """A studio with one of each kind."""
    made = Workshop(tmp_path_factory.mktemp("shared"))
    for id, code in (("red", RED), ("talk", TALK), ("broken", BROKEN), ("own", OWN)):
        made.write(id, code)
    made.write("runner", RUNNER)
    yield made
    made.close()


@pytest.fixture(scope="module")
def studio(shared: Workshop) -> Studio:
    return shared.studio("red", "talk", "broken", "own", "runner")


@pytest.fixture(scope="module")
def house(studio: Studio) -> Iterator[House]:
    with opened(studio) as found:
        yield found


@pytest.fixture(scope="module")
def form(house: House) -> Form:
    """As the keeper's page has it, made once more."""
    return forms_of(house.studio)["txt2img"]


def at_first(form: Form) -> dict[object, object]:
    return {control: control.value for control in form.inputs}


def test_declared_inputs_are_a_group_in_the_tabs_of_pictures(house: House) -> None:
    window = house.open()
    for mode in ("txt2img", "img2img", "inpaint"):
        assert window.part(f"{mode}_ext_red")["props"]["label"] == "Red"
        assert window.part(f"{mode}_ext_red_amount")["props"]["maximum"] == 1
    assert not window.has("extras_ext_red")


def test_only_what_differs_from_the_defaults_is_asked_for(form: Form) -> None:
    values = at_first(form)
    assert form.request(values).extensions == {}
    values[form.component("extensions.red.enabled")] = True
    values[form.component("extensions.red.amount")] = 0.75
    assert form.request(values).extensions == {"red": {"enabled": True, "amount": 0.75}}


def test_a_request_is_shown_again(form: Form) -> None:
    asked = GenerationRequest(extensions={"red": {"enabled": True, "way": "down"}})
    shown = form.values(asked)
    assert shown[form.component("extensions.red.enabled")] is True
    assert shown[form.component("extensions.red.way")] == "down"
    assert shown[form.component("extensions.red.amount")] == 0.5


def test_the_title_says_what_is_active(form: Form) -> None:
    off = form.values(GenerationRequest(extensions={"red": {"amount": 0.9}}))
    on = form.values(GenerationRequest(extensions={"red": {"enabled": True, "amount": 0.9}}))
    titles = [
        {update["label"] for update in shown.values() if isinstance(update, dict)}
        for shown in (off, on)
    ]
    assert "Red" in titles[0]
    assert "Red · on · Amount 0.9" in titles[1]


def test_a_control_with_show_if_waits_for_its_toggle(house: House) -> None:
    window = house.open()
    assert window.part("txt2img_ext_red_count")["props"]["visible"] is False
    told = window.fire("txt2img_ext_red_deep", "change", txt2img_ext_red_deep=True).json()
    assert told["data"][0]["visible"] is True


def test_a_builder_that_fails_is_named_and_the_page_stands(house: House, studio: Studio) -> None:
    window = house.open()
    assert not window.has("txt2img_ext_broken")
    assert not window.has("broken_words")
    assert window.has("txt2img_generate")
    failed = studio.extensions.get("broken").failures
    assert failed
    assert {each.hook for each in failed} == {"ui_accordion"}
    assert "planted" in failed[0].traceback


def test_an_extension_draws_its_own_controls(house: House, form: Form) -> None:
    window = house.open()
    assert window.has("own_txt2img")
    assert window.has("txt2img_ext_own_words")
    values = at_first(form)
    values[form.component("extensions.own.amount")] = 0.25
    assert form.request(values).extensions == {"own": {"amount": 0.25}}


def test_who_takes_a_job_over_is_chosen_in_a_list(house: House, form: Form) -> None:
    window = house.open()
    choices = window.part("txt2img_script_of")["props"]["choices"]
    assert [list(each) for each in choices] == [["None", ""], ["Runner", "runner"]]
    assert window.part("txt2img_script_of_runner")["props"]["visible"] is False
    values = at_first(form)
    assert form.request(values).script is None
    values[form.component("script")] = "runner"
    assert form.request(values).script == "runner"


def test_a_tab_of_its_own_works_for_its_role(house: House) -> None:
    answer = house.open().fire("talk_press", "click", talk_words="hello")
    assert answer.json()["data"] == ["HELLO"]
    for role in ("artist", "viewer"):
        refused = house.open(role).fire("talk_press", "click", talk_words="hello")
        assert "HELLO" not in refused.text
        assert refused.status_code >= 400 or "not for" in refused.text
    assert house.open().part("tab_ext_owner_talk_0")["props"]["label"] == "Talk"


def test_an_event_that_fails_is_named(house: House) -> None:
    assert "“talk” failed" in house.open().fire("talk_fail", "click").text


def test_something_is_drawn_beside_a_part_of_the_page(house: House) -> None:
    window = house.open()

    def ids(node: dict[str, object]) -> Iterator[int]:
        yield int(str(node["id"]))
        for child in node.get("children") or ():  # type: ignore[attr-defined]
            yield from ids(child)

    order = list(ids(window.config["layout"]))
    steps, attached, size = (
        order.index(window.part(id)["id"])
        for id in ("txt2img_steps", "talk_attached", "txt2img_width")
    )
    assert steps < attached < size


def swapped(house: House, studio: Studio, id: str, *, is_on: bool) -> None:
    """Switch one and wait for the page."""
    before = house.keeper.holder.page
    (studio.extensions.enable if is_on else studio.extensions.disable)(id)
    until(lambda: house.keeper.holder.page is not before)


@pytest.fixture(scope="module")
def living(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Studio]]:
    """A house whose extensions come and go."""
    made = Workshop(tmp_path_factory.mktemp("living"))
    made.write("red", RED)
    made.write("talk", TALK)
    made.write("tool", ROUTES.replace("ROLE", "Role.ARTIST"))
    made.write("free", ROUTES.replace("ROLE", '"open"'))
    studio = made.studio("talk")
    with opened(studio) as found:
        yield found, studio
    made.close()


def test_the_page_follows_while_it_is_served(living: tuple[House, Studio]) -> None:
    house, studio = living
    told: list[object] = []
    studio.bus.subscribe(lambda message: told.append(message.event))
    before = house.open()
    assert not before.has("txt2img_ext_red")
    swapped(house, studio, "red", is_on=True)
    until(lambda: ExtensionsChanged(is_page=True) in told)
    after = house.open()
    assert after.has("txt2img_ext_red")
    old = before.fire("talk_press", "click", talk_words="as before")
    new = after.fire("talk_press", "click", talk_words="as after")
    assert old.json()["data"] == ["AS BEFORE"]
    assert new.json()["data"] == ["AS AFTER"]


def test_routes_come_and_go_with_the_extension(living: tuple[House, Studio]) -> None:
    house, studio = living
    window, guest = house.open("artist"), house.open("viewer")
    url = "/ext/tool/words"
    assert house.site.get(url, headers=window.headers).status_code == 404
    swapped(house, studio, "tool", is_on=True)
    assert house.site.get(url, headers=window.headers).json() == {"said": "yes"}
    assert house.site.get(url, headers=guest.headers).status_code == 403
    assert house.site.get(url).status_code == 401
    swapped(house, studio, "tool", is_on=False)
    assert house.site.get(url, headers=window.headers).status_code == 404


def test_an_extension_with_an_open_route_is_switched_off_and_named(
    living: tuple[House, Studio],
) -> None:
    house, studio = living
    studio.extensions.enable("free")
    until(lambda: not studio.extensions.get("free").is_enabled)
    assert "“free” registers routes for “open”" in studio.extensions.get("free").error
    assert house.site.get("/ext/free/words", headers=house.open().headers).status_code == 404


def test_a_window_of_a_page_that_is_gone_is_told_so(house: House) -> None:
    body = {"data": [], "fn_index": 7, "session_hash": "window"}
    headers = house.open().headers
    stale = house.site.post("/gradio_api/run/predict", json=body, headers=headers)
    assert stale.status_code == 409
    assert "Reload" in stale.json()["detail"]


@pytest.mark.slow
def test_the_same_extensions_give_a_page_with_the_same_numbers(workshop: Workshop) -> None:
    """So a window survives that the server is started again."""
    workshop.write("talk", TALK)
    numbers = []
    for _ in range(2):
        with opened(workshop.studio("talk")) as house:
            numbers.append([each["id"] for each in house.open().config["dependencies"]])
        workshop.close()
    assert numbers[0] == numbers[1]


def test_what_stands_in_the_controls_survives_a_reload(house: House) -> None:
    window = house.open()
    kept = window.fire(
        "gesso_drafts_keep",
        "click",
        txt2img_prompt="half a thought",
        txt2img_steps=999,  # can't be asked for, and is kept all the same
        txt2img_ext_red_words="more",
    )
    drafts = json.loads(kept.json()["data"][0])
    assert drafts["txt2img"]["prompt"] == "half a thought"
    assert drafts["txt2img"]["sampling"]["steps"] == 999
    assert drafts["txt2img"]["extensions"] == {"red": {"words": "more"}}
    wish = json.dumps({"drafts": drafts})
    text = window.fire("gesso_wish_apply", "click", gesso_wish=wish).text
    assert "half a thought" in text
    assert "999" in text
