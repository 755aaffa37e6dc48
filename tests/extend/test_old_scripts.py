"""Scripts written for A1111, as the studio asks for them: a host of our own stands for the real
one, which has its own tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.extend.conftest import Workshop, on
from webui.core.engine import Legacy
from webui.core.errors import InvalidRequest
from webui.core.job import PersonId
from webui.core.recipe import Recipe
from webui.core.request import GenerationRequest, Mode
from webui.extend.extension import State
from webui.extend.extensions import Extensions, Places
from webui.extend.legacy import LegacyInput, LegacyPart, LegacyTab


@dataclass
class Host:
    """Has one script per extension that always takes part, and one to choose."""

    loads: list[dict[str, Path]] = field(default_factory=list)
    is_broken: bool = False

    def load(self, folders: Mapping[str, Path]) -> Mapping[str, str]:
        self.loads.append(dict(folders))
        return {id: "Traceback\nImportError: ldm" for id in folders if id == "bad"}

    def unload(self) -> None:
        self.loads.append({})

    def parts(self) -> Sequence[LegacyPart]:
        if self.is_broken:
            raise SystemExit
        inputs = (
            LegacyInput("amount", "Amount", 0.5, infotext="Old amount"),
            LegacyInput("names", "Names", ()),
        )
        return [
            LegacyPart(
                id=f"{id}/{stem}", extension=id, title=stem.title(), modes=(Mode.TXT2IMG,),
                inputs=inputs, is_always=stem == "always",
            )
            for id in self.loads[-1]
            for stem in ("always", "chosen")
        ]  # fmt: skip

    def work(self, request: GenerationRequest, recipe: Recipe, person: PersonId) -> Legacy | None:
        return None

    def pasted(self, text: str, fields: Mapping[str, str]) -> dict[str, str]:
        if self.is_broken:
            raise ValueError
        return {**fields, "Steps": "44"}

    def building(self) -> AbstractContextManager[None]:
        return nullcontext()

    def draw(self, mode: Mode, form: Any) -> None: ...

    def tabs(self) -> Sequence[LegacyTab]:
        return ()

    def draw_settings(self) -> None: ...

    def head(self) -> str:
        return ""

    def attach(self, app: Any, blocks: Any) -> None: ...


@pytest.fixture
def host() -> Host:
    """One that has loaded nothing."""
    return Host()


@pytest.fixture
def old(workshop: Workshop, host: Host) -> Extensions:
    """Two old extensions, one of them on, and one that can't be loaded."""
    for id in ("one", "two", "bad"):
        (workshop.folder / id / "scripts").mkdir(parents=True)
    places = Places(shipped=workshop.root / "no", folder=workshop.folder, data=workshop.data)
    extensions = Extensions(places, open_legacy=lambda: host)
    workshop.opened.append(extensions)
    extensions.start()
    assert extensions.legacy is None
    on(extensions.enable("one"))
    return extensions


def asked(values: dict[str, Any], script: str | None = None) -> GenerationRequest:
    return GenerationRequest(extensions=values, script=script)


def test_they_are_loaded_together_and_only_when_one_comes_or_goes(
    workshop: Workshop, old: Extensions, host: Host
) -> None:
    workshop.write("native")
    old.scan()
    old.enable("native")
    assert [sorted(folders) for folders in host.loads] == [["one"]]
    on(old.enable("two"))
    assert [sorted(folders) for folders in host.loads] == [["one"], ["one", "two"]]
    old.disable("one")
    old.disable("two")
    assert host.loads[-2:] == [{"two": workshop.folder / "two"}, {}]
    assert old.legacy is None


def test_one_that_can_not_be_loaded_says_why(old: Extensions) -> None:
    bad = old.enable("bad")
    assert (bad.state, bad.error) == (
        State.FAILED,
        "“bad” could not be loaded: ImportError: ldm",
    )
    assert bad.traceback == "Traceback\nImportError: ldm"
    assert old.get("one").is_on


def test_a_layer_that_can_not_be_had_is_told(workshop: Workshop) -> None:
    (workshop.folder / "one" / "scripts").mkdir(parents=True)
    one = workshop.open().enable("one")
    assert one.state is State.FAILED
    assert "Scripts for A1111 can't be run here" in one.error


def test_values_of_scripts_are_checked_and_those_changed_recorded(old: Extensions) -> None:
    given = {"one/always": {"amount": 0.5, "names": ["a"]}, "one/chosen": {"amount": 0.5}}
    assert old.values(asked(given)) == {"one/always": {"names": ["a"]}}
    for values, field_ in (
        ({"one/always": {"amount": object()}}, "extensions.one/always.amount"),
        ({"one/always": {"other": 1}}, "extensions.one/always.other"),
        ({"two/always": {"amount": 1}}, "extensions.two/always"),
    ):
        with pytest.raises(InvalidRequest) as refused:
            old.values(asked(values))
        assert refused.value.field == field_


def test_only_scripts_that_are_chosen_take_jobs_over(old: Extensions) -> None:
    assert old.values(asked({}, "one/chosen")) == {}
    for script, said in (
        ("one/always", "There are: one/chosen"),
        ("two/chosen", "The extension “two” is off"),
    ):
        with pytest.raises(InvalidRequest, match=said):
            old.values(asked({}, script))


def test_their_keys_are_read_and_their_readers_asked(old: Extensions) -> None:
    assert old.texts.read("Old amount", "0.75") == ("one/always", "amount", 0.75)
    assert old.texts.pairs({"one/always": {"amount": 0.75}}) == {}
    assert old.parsed("text", {"Steps": "1"}) == {"Steps": "44"}


def test_a_host_that_fails_leaves_requests_and_texts_alone(old: Extensions, host: Host) -> None:
    host.is_broken = True
    assert old.values(asked({})) == {}
    assert old.parsed("text", {"Steps": "1"}) == {"Steps": "1"}
