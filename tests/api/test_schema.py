"""Requests made up from the API's own description get only answers that it announces.

By schemathesis, over a real server behind its gate: as the owner, and as nobody.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.people import gate_of_people
from tests.conftest import finished, make_studio, png
from tests.gate.site import serving
from webui.api.build import build_api
from webui.core.job import LOCAL
from webui.core.request import GenerationRequest
from webui.engine.fake import FakeEngine
from webui.gate.server import protect
from webui.settings import SettingsStore
from webui.studio import Studio

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
MAKING = "/v1/images/"
ENDLESS = {"/api/v1/events"}
"""Streams without an end, which test_events.py reads."""
NOWHERE = "http://127.0.0.1:9"
MANY = int(os.environ.get("GESSO_EXAMPLES", "25"))
"""Examples per operation and kind of data; there are two kinds. Before a release GESSO_EXAMPLES=500
asks each operation a thousand times, unless fewer requests to it can be told apart."""
SHARD, SHARDS = (int(n) for n in os.environ.get("GESSO_SHARD", "0/1").split("/"))
"""Which part of the operations is asked many times: processes beside each other take one each."""
BOTH = (GenerationMode.NEGATIVE, GenerationMode.POSITIVE)
"""Some operations take anything that can be sent: nothing is wrong to them, and they are asked for
what is right all the more often."""
PATIENCE_S = 60
PICTURES = st.one_of(st.sampled_from([png(), png(1, 3, mode="L")]), st.binary(max_size=2000))
"""Bodies that are a file; by itself schemathesis knows three of them."""
for kind in ("image/png", "image/jpeg", "image/webp"):
    schemathesis.openapi.media_type(kind, PICTURES)


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A running server and what it says of itself."""

    address: str
    description: Any
    studio: Studio
    ids: Mapping[str, str] = field(default_factory=dict)


def furnish(root: Path) -> None:
    """A picture, its job, an upload and a plan, so that some ids are those of real things."""
    studio = make_studio(root)
    studio.start()
    job = studio.submit(GenerationRequest(prompt="x", width=64, height=64))
    finished(studio, job.id)
    studio.inputs.add(png())
    studio.close()


def real_ids(studio: Studio) -> dict[str, str]:
    """What may stand for `{id}`, by the last word of the path before it."""
    (job,) = studio.jobs.recent(LOCAL)
    (picture,) = studio.gallery.page(LOCAL)
    return {
        "jobs": job.id,
        "pictures": picture.id,
        "inputs": hashlib.sha256(png()).hexdigest(),
        "models": studio.current_model().id,
        "cards": studio.current_model().id,
        "people": LOCAL,
    }


def idle_studio(root: Path) -> Studio:
    """One that takes jobs and never runs them, and that has nobody to ask outside."""
    outside = {"hugging_face": NOWHERE, "civitai": NOWHERE, "extension_index": NOWHERE}
    store = SettingsStore({"data_dir": str(root), "keep_free_mb": 0, **outside})
    studio = Studio(store, [FakeEngine("fake")])
    studio.catalog.refresh()
    return studio


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Where everyone is the owner."""
    root = tmp_path_factory.mktemp("schema")
    furnish(root)
    studio = idle_studio(root)
    app, ids = build_api(studio, None), real_ids(studio)
    with serving(protect(app)) as site:
        yield Ground(address=site.origin, description=app.openapi(), studio=studio, ids=ids)
    studio.close()


@pytest.fixture(scope="module")
def working(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """The same with an engine at work, for requests that wait for pictures."""
    studio = idle_studio(tmp_path_factory.mktemp("working"))
    studio.start()
    app = build_api(studio, None)
    with serving(protect(app)) as site:
        yield Ground(address=site.origin, description=app.openapi(), studio=studio)
    studio.close()


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Where nobody is signed in."""
    studio = idle_studio(tmp_path_factory.mktemp("closed"))
    app = build_api(studio, None)
    with serving(gate_of_people(app)) as site:
        yield Ground(address=site.origin, description=app.openapi(), studio=studio)
    studio.close()


def operations(description: Any) -> list[tuple[str, str]]:
    return [
        (path, verb)
        for path, verbs in description["paths"].items()
        for verb in verbs
        if path not in ENDLESS
    ]


def without_making(ground: Ground) -> list[tuple[str, str]]:
    """Those that don't wait for pictures."""
    return [each for each in operations(ground.description) if not each[0].startswith(MAKING)]


def ours(asked: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    """Those that this process asks many times."""
    return asked[SHARD::SHARDS]


def statuses(
    ground: Ground,
    path: str,
    verb: str,
    examples: int,
    modes: tuple[GenerationMode, ...] = BOTH,
) -> Counter[int]:
    """How often each status was answered; fails at the first answer that was not announced."""
    seen: Counter[int] = Counter()
    operation = schemathesis.openapi.from_dict(ground.description)[path][verb]
    with requests.Session() as session:
        session.trust_env = False
        for after, mode in enumerate(modes, 1):
            if mode is GenerationMode.NEGATIVE and not _takes_anything(operation):
                continue

            @given(case=operation.as_strategy(generation_mode=mode))
            @settings(
                max_examples=max(1, examples * after - sum(seen.values())),
                phases=[Phase.generate],
                deadline=None,
                database=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
            )
            def run(case: schemathesis.Case) -> None:
                _impatient(case)
                _with_real_id(case, path, ground.ids, sum(seen.values()))
                answer = case.call(base_url=ground.address, session=session, timeout=PATIENCE_S)
                seen[answer.status_code] += 1
                case.validate_response(answer, checks=CHECKS)

            with suppress(Unsatisfiable):
                run()
    return seen


def _takes_anything(operation: Any) -> bool:
    definition = operation.definition.raw
    return bool(definition.get("parameters") or definition.get("requestBody"))


def _impatient(case: schemathesis.Case) -> None:
    """Waiting is tested elsewhere."""
    for part, name in ((case.query, "wait"), (case.headers, "Prefer"), (case.headers, "prefer")):
        if part is not None:
            part.pop(name, None)


def _with_real_id(case: schemathesis.Case, path: str, ids: Mapping[str, str], count: int) -> None:
    """Every third time the id of something that is there."""
    word = path.partition("/{")[0].rpartition("/")[2]
    if count % 3 == 0 and word in ids and case.path_parameters:
        case.path_parameters[next(iter(case.path_parameters))] = ids[word]


def explore(
    ground: Ground,
    asked: Sequence[tuple[str, str]],
    examples: int,
    modes: tuple[GenerationMode, ...] = BOTH,
) -> dict[str, Counter[int]]:
    """The answers of each operation; fails when all have been asked, with every fault found."""
    found, faults = {}, []
    for path, verb in asked:
        try:
            found[f"{verb} {path}"] = statuses(ground, path, verb, examples, modes)
        except (FailureGroup, requests.RequestException) as fault:
            causes = getattr(fault, "exceptions", [fault])
            faults += [f"{verb} {path}: {cause}" for cause in causes]
    assert not faults, "\n\n".join(faults)
    return found


def test_the_owner_gets_only_answers_that_are_announced(ground: Ground) -> None:
    """One request per operation: many are slow."""
    found = explore(ground, without_making(ground), 1, (GenerationMode.POSITIVE,))
    assert sum(1 for seen in found.values() if min(seen) < 300) > len(found) / 4


def test_nobody_gets_anything_that_is_not_open(closed: Ground) -> None:
    with requests.Session() as session:
        for path, verb in operations(closed.description):
            operation = closed.description["paths"][path][verb]
            address = closed.address + path.replace("{", "").replace("}", "")
            answer = session.request(verb, address, allow_redirects=False, timeout=PATIENCE_S)
            assert str(answer.status_code) in operation["responses"], (verb, path)
            assert not operation["security"] or answer.status_code in (303, 401), (verb, path)


Record = Callable[[str, object], None]


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_the_owner_gets_only_answers_that_are_announced_many_times(
    ground: Ground, record_property: Record
) -> None:
    record_property("answers", json.dumps(explore(ground, ours(without_making(ground)), MANY)))


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_pictures_in_the_answer_are_announced_many_times(
    working: Ground, record_property: Record
) -> None:
    making = [each for each in operations(working.description) if each[0].startswith(MAKING)]
    record_property("answers", json.dumps(explore(working, ours(making), MANY)))


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_nobody_gets_only_refusals_that_are_announced_many_times(
    closed: Ground, record_property: Record
) -> None:
    everything = ours(operations(closed.description))
    record_property("answers", json.dumps(explore(closed, everything, MANY)))


def test_every_operation_is_described(ground: Ground) -> None:
    description = ground.description
    names = Counter(
        description["paths"][path][verb]["operationId"] for path, verb in operations(description)
    )
    assert [name for name, count in names.items() if count > 1] == []
    for path, verb in operations(description):
        operation = description["paths"][path][verb]
        assert operation.get("description"), (path, verb)
        assert {"400", "403", "421"} <= set(operation["responses"]), (path, verb)
        if operation["security"]:
            assert "401" in operation["responses"], (path, verb)
        content = [answer.get("content", {}) for answer in operation["responses"].values()]
        refs = {ref for part in content for ref in _refs(part)}
        assert refs <= set(description["components"]["schemas"]), (path, verb)


def _refs(value: object) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"].rpartition("/")[2]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(_refs(part) for part in value.values()))
    return set().union(*(_refs(part) for part in value)) if isinstance(value, list) else set()


def test_the_description_is_served(ground: Ground) -> None:
    with requests.get(f"{ground.address}/api/v1/openapi.json", timeout=PATIENCE_S) as answer:
        assert answer.json() == json.loads(json.dumps(ground.description))
