"""Whose turn it is, whatever people queue: nobody starves, nobody is overtaken twice by anybody."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from webui.core.job import PersonId
from webui.jobs.forecast import Planned, Station, forecast
from webui.jobs.turns import Affinity, Bounds, Pick, Waiting, in_turn, may_come

NAMES = ("anna", "ben", "cleo", "dan", "eve")
MODELS = ("sd15", "sdxl", "flux", "")


def waiting(owner: str, *, last_turn: int = 0, since: int = 0, **more: object) -> Waiting:
    values = {"job": 1, "model": "sd15", **more}
    return Waiting(
        owner=PersonId(owner), last_turn=last_turn, since=max(since, last_turn), **values
    )  # type: ignore[arg-type]


@dataclass
class Team:
    """People who queue and are served, as the jobs table does it."""

    pick: Pick
    queues: dict[str, deque[tuple[int, str]]] = field(default_factory=dict)
    last_turn: dict[str, int] = field(default_factory=dict)
    since: dict[str, int] = field(default_factory=dict)
    served: list[str] = field(default_factory=list)
    jobs: int = 0

    def add(self, owner: str, model: str = "sd15") -> None:
        queue = self.queues.setdefault(owner, deque())
        if not queue:
            self.since[owner] = len(self.served)
        self.jobs += 1
        queue.append((self.jobs, model))

    def waiting(self) -> list[Waiting]:
        return [
            waiting(
                owner,
                job=queue[0][0],
                model=queue[0][1],
                priority=int(owner == "anna"),
                last_turn=self.last_turn.get(owner, 0),
                since=self.since[owner],
            )
            for owner, queue in self.queues.items()
            if queue
        ]

    def serve(self) -> Waiting | None:
        chosen = self.pick(self.waiting())
        if chosen is not None:
            self.queues[chosen.owner].popleft()
            self.served.append(chosen.owner)
            self.last_turn[chosen.owner] = len(self.served)
        return chosen


Steps = Sequence[tuple[str, str] | None]
STEPS = st.lists(
    st.one_of(st.none(), st.tuples(st.sampled_from(NAMES), st.sampled_from(MODELS))), max_size=120
)
"""What happens: somebody adds a job for a model, or (None) an engine takes one."""


def with_affinity(bounds: Bounds) -> tuple[Pick, Callable[[Waiting | None], None]]:
    """A choice that keeps to the model that is loaded, and the loading."""
    loaded = [""]

    def load(chosen: Waiting | None) -> None:
        loaded[0] = (chosen and chosen.model) or loaded[0]

    return Affinity(lambda: loaded[0], bounds, clock=lambda: 0.0), load


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, jobs=st.integers(0, 4))
def test_nobody_is_overtaken_twice_by_anybody_while_they_wait(steps: Steps, jobs: int) -> None:
    pick, load = with_affinity(Bounds(jobs=jobs))
    team = Team(pick)
    overtaken: dict[str, Counter[str]] = {}
    for step in [*steps, *[None] * len(steps)]:
        if step is not None:
            team.add(*step)
            continue
        before = {one.owner for one in team.waiting()}
        load(chosen := team.serve())
        if chosen is None:
            continue
        overtaken.pop(chosen.owner, None)
        for owner in before - {chosen.owner}:
            overtaken.setdefault(owner, Counter())[chosen.owner] += 1
        assert all(max(counter.values()) <= 1 for counter in overtaken.values())
    assert not team.waiting(), "somebody was never served"


@settings(max_examples=100, deadline=None)
@given(
    jobs=st.lists(st.sampled_from(MODELS), min_size=1, max_size=40),
    people=st.integers(2, 5),
    bound=st.integers(0, 9),
)
def test_people_who_always_have_jobs_are_never_more_than_one_apart(
    jobs: list[str], people: int, bound: int
) -> None:
    pick, load = with_affinity(Bounds(jobs=bound))
    team = Team(pick)
    for number in range(people):
        for shift in range(len(jobs)):
            team.add(NAMES[number], jobs[(number + shift) % len(jobs)])
    for _ in range(people * len(jobs)):
        load(team.serve())
        counts = [team.served.count(name) for name in NAMES[:people]]
        assert max(counts) - min(counts) <= 1


@settings(max_examples=100, deadline=None)
@given(steps=STEPS, jobs=st.integers(0, 3))
def test_a_loaded_model_keeps_the_next_in_turn_waiting_for_so_many_jobs_at_most(
    steps: Steps, jobs: int
) -> None:
    pick, load = with_affinity(Bounds(jobs=jobs))
    team = Team(pick)
    favours = 0
    for step in [*steps, *[None] * len(steps)]:
        if step is not None:
            team.add(*step)
            continue
        first = in_turn(team.waiting())
        load(chosen := team.serve())
        favours = favours + 1 if chosen != first else 0
        assert favours <= jobs


def test_the_loaded_model_is_kept_where_turns_allow_it() -> None:
    people = [waiting("anna", model="sdxl"), waiting("ben", job=2), waiting("cleo", job=3)]
    chosen = Affinity(lambda: "sd15")(people)
    assert chosen is not None
    assert chosen.owner == "ben"


def test_the_loaded_model_is_kept_for_so_many_seconds_at_most() -> None:
    now = [0.0]
    pick = Affinity(lambda: "sd15", Bounds(jobs=99, seconds=10), clock=lambda: now[0])
    people = [waiting("anna", model="sdxl"), waiting("ben", job=2), waiting("cleo", job=3)]
    owners = []
    for at in (0.0, 9.9, 10.1):
        now[0] = at
        chosen = pick(people)
        assert chosen is not None
        owners.append(chosen.owner)
    assert owners == ["ben", "ben", "anna"]


def test_an_owner_comes_first_but_once() -> None:
    team = Team(in_turn)
    for name in ("ben", "cleo", "anna", "anna", "anna"):
        team.add(name)
    for _ in range(5):
        team.serve()
    assert team.served == ["anna", "ben", "cleo", "anna", "anna"]


def test_nobody_waits_so_nobody_comes() -> None:
    assert in_turn([]) is None
    assert Affinity(lambda: "sd15")([]) is None
    assert may_come([]) == []


def planned(team: Team, seconds: float | None = 1.0) -> list[Planned]:
    heads = {one.owner: one for one in team.waiting()}
    return [
        Planned(
            id=str(job),  # type: ignore[arg-type]
            waiting=waiting(
                owner,
                job=job,
                model=model,
                priority=heads[PersonId(owner)].priority,
                last_turn=heads[PersonId(owner)].last_turn,
                since=heads[PersonId(owner)].since,
            ),
            seconds=seconds,
            switch_s=5.0,
        )
        for owner, queue in team.queues.items()
        for job, model in queue
    ]


@settings(max_examples=80, deadline=None)
@given(steps=STEPS)
def test_the_forecast_is_what_then_happens(steps: Steps) -> None:
    pick, load = with_affinity(Bounds(seconds=1e9))
    team = Team(pick)
    for step in steps:
        if step is not None:
            team.add(*step)
    told = [turn.id for turn in forecast(planned(team), [Station()], Bounds(seconds=1e9))]
    happened = []
    while (chosen := team.serve()) is not None:
        load(chosen)
        happened.append(str(chosen.job))
    assert told == happened


def test_the_forecast_counts_the_loading_of_models() -> None:
    team = Team(in_turn)
    team.add("ben", "sdxl")
    team.add("cleo", "sd15")
    turns = forecast(planned(team, 2.0), [Station(free_in_s=3.0, model="sdxl")])
    assert [(turn.ahead, turn.done_in_s) for turn in turns] == [(0, 5.0), (1, 12.0)]


def test_after_a_job_of_unknown_length_nobody_knows() -> None:
    team = Team(in_turn)
    team.add("ben")
    team.add("cleo")
    assert [turn.done_in_s for turn in forecast(planned(team, None), [Station()])] == [None, None]
    running = [Station(free_in_s=None)]
    assert [turn.done_in_s for turn in forecast(planned(team, 1.0), running)] == [None, None]


def test_two_engines_share_the_line() -> None:
    team = Team(in_turn)
    for _ in range(4):
        team.add("ben")
    turns = forecast(planned(team), [Station(model="sd15"), Station(model="sd15")])
    assert [turn.done_in_s for turn in turns] == [1.0, 1.0, 2.0, 2.0]


def test_the_forecast_of_a_very_long_queue_still_takes_turns() -> None:
    team = Team(in_turn)
    for _ in range(300):
        for name in NAMES[:3]:
            team.add(name)
    turns = forecast(planned(team), [Station(model="sd15")])
    owners = {str(job): owner for owner, queue in team.queues.items() for job, _ in queue}
    order = [owners[turn.id] for turn in turns]
    assert len(order) == 900
    assert all(len(set(order[at : at + 3])) == 3 for at in range(0, 900, 3))
