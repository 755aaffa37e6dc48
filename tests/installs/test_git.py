"""Extensions from git repositories: at a ref, at a commit, with submodules on consent, and never
from where nobody may ask."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installs.making import Content, House, extension, make_house
from tests.installs.repositories import Forge, git, serving_git
from webui.installs.source import Asked
from webui.installs.task import Task, TaskState


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[Forge]:
    with serving_git(tmp_path / "repositories") as made:
        yield made


@pytest.fixture
def house(tmp_path: Path, forge: Forge, as_before: None) -> Iterator[House]:
    made = make_house(tmp_path / "house", hosts=[forge.host], doctor=Content())
    yield made
    made.installs.close()


def fetched(house: House, address: str, **more: object) -> Task:
    asked = Asked(address=address, **more)  # type: ignore[arg-type]
    return house.installs.wait(house.installs.begin(asked).id)


def text_of(house: House, name: str) -> str:
    (path,) = house.quarantine.glob(f"*/files/*/{name}")
    return path.read_text()


def test_a_repository_comes_at_its_newest_commit_without_its_history(
    house: House, forge: Forge
) -> None:
    repository = forge.repository("dust", extension())
    commit = repository.commit({"new.txt": "new"})
    task = fetched(house, repository.url)
    assert task.source is not None
    assert (task.state, task.source.commit) == (TaskState.REVIEW, commit)
    assert text_of(house, "new.txt") == "new"
    assert list(house.quarantine.rglob(".git")) == []


@pytest.mark.parametrize("is_beside", [True, False])
def test_a_ref_is_a_branch_a_tag_or_a_commit(house: House, forge: Forge, is_beside: bool) -> None:
    repository = forge.repository("dust", extension({"n.txt": "first"}))
    first = git(repository.work, "rev-parse", "HEAD")
    git(repository.work, "tag", "-a", "v1", "-m", "x")
    git(repository.work, "branch", "old")
    repository.commit({"n.txt": "second"})
    for ref in ("v1", "old", first):
        task = (
            fetched(house, repository.url, ref=ref)
            if is_beside
            else fetched(house, f"{repository.url}@{ref}")
        )
        assert task.source is not None
        assert task.source.commit == first, task.note
        assert text_of(house, "n.txt") == "first"
        house.installs.cancel(task.id)


def test_a_ref_that_is_not_there_is_answered_with_those_that_are(
    house: House, forge: Forge
) -> None:
    task = fetched(house, forge.repository("dust", extension()).url, ref="nowhere")
    assert task.state is TaskState.FAILED
    assert "main" in task.note


def test_a_forge_is_asked_for_the_zip_of_the_commit(
    tmp_path: Path, forge: Forge, as_before: None
) -> None:
    house = make_house(tmp_path / "zips", hosts=[forge.host], forges=forge.archives)
    repository = forge.repository("dust", extension({"n.txt": "zipped"}))
    task = fetched(house, f"{repository.url}/")
    assert task.review is not None, task.note
    assert (text_of(house, "n.txt"), task.review.file_count) == ("zipped", 3)
    commit = git(repository.work, "rev-parse", "HEAD")
    assert forge.asked[-1] == f"/zip/dust/{commit}"


def test_submodules_come_only_on_consent(house: House, forge: Forge) -> None:
    inner = forge.repository("inner", {"inner.txt": "inner"})
    outer = forge.repository("outer", extension())
    git(outer.work, "submodule", "--quiet", "add", "../inner", "inner")
    git(outer.work, "commit", "-q", "-m", "x")
    task = fetched(house, outer.url)
    assert task.review is not None, task.note
    assert any("submodules" in warning for warning in task.review.warnings)
    assert list(house.quarantine.rglob("inner.txt")) == []
    house.installs.cancel(task.id)
    task = fetched(house, outer.url, has_submodules=True)
    assert task.state is TaskState.REVIEW, task.note
    assert text_of(house, "inner/inner.txt") == "inner"
    assert inner.url in "".join(f"http://{forge.host}{path}" for path in forge.asked)


def test_a_submodule_elsewhere_meets_the_guard(house: House, forge: Forge, tmp_path: Path) -> None:
    outer = forge.repository("outer", extension())
    forge.repository("inner", {"secret.txt": "x"})
    git(outer.work, "submodule", "--quiet", "add", "../inner", "inner")
    modules = outer.work / ".gitmodules"
    unlisted = f"http://localhost:{forge.port}/git/inner"
    for address in (unlisted, str(forge.root / "inner"), "ext::sh -c id", "../../inner"):
        modules.write_text(f'[submodule "inner"]\n\tpath = inner\n\turl = {address}\n')
        git(outer.work, "commit", "-q", "-a", "--allow-empty", "-m", "x")
        task = fetched(house, outer.url, has_submodules=True)
        assert task.state is TaskState.FAILED
        assert list(house.quarantine.rglob("secret.txt")) == []
    assert [path for path in forge.asked if "inner" in path and "/git/inner" in path] == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such links in repositories")
def test_a_link_in_a_repository_leads_nowhere(house: House, forge: Forge) -> None:
    repository = forge.repository("dust", extension())
    (repository.work / "words").symlink_to("/etc/passwd")
    repository.commit({})
    task = fetched(house, repository.url)
    assert task.state is TaskState.REVIEW, task.note
    assert text_of(house, "words") == "/etc/passwd"


def test_hooks_of_the_user_do_not_run(
    house: House, forge: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = tmp_path / "template" / "hooks"
    hooks.mkdir(parents=True)
    (hooks / "post-checkout").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    (hooks / "post-checkout").chmod(0o755)
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(hooks.parent))
    monkeypatch.setenv("GIT_SSH_COMMAND", f"touch {tmp_path}/ran")
    task = fetched(house, forge.repository("dust", extension()).url)
    assert task.state is TaskState.REVIEW, task.note
    assert not (tmp_path / "ran").exists()


def test_nobody_is_asked_in_the_own_network(tmp_path: Path, forge: Forge, as_before: None) -> None:
    house = make_house(tmp_path / "strict")
    url = forge.repository("dust", extension()).url
    for address in (url, url.replace("http:", "https:"), f"{url}/x.zip", f"{url}/x.py"):
        task = fetched(house, address)
        assert task.state is TaskState.FAILED
    assert forge.asked == []


def test_a_redirect_into_the_own_network_is_not_followed(house: House, forge: Forge) -> None:
    path = "/git/dust/info/refs?service=git-upload-pack"
    forge.redirects[path] = "http://127.0.0.1:1/elsewhere"
    task = fetched(house, f"http://{forge.host}/git/dust")
    assert task.state is TaskState.FAILED
    assert "install_hosts" in task.note or "not encrypted" in task.note


def test_what_is_no_repository_is_refused(house: House, forge: Forge) -> None:
    for path in ("/git/none", "/nothing"):
        task = fetched(house, f"http://{forge.host}{path}")
        assert task.state is TaskState.FAILED
        assert "repository" in task.note
