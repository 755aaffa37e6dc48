"""What a prompt means, before it is used: its length, its networks, and what is doubtful in it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request

import webui.families
from webui.api.context import RawBody, the_studio
from webui.api.known_fields import refuse_unknown_fields
from webui.core.errors import InvalidRequest, ModelUnreadable, NotFound
from webui.core.model import ModelInfo, ModelKind
from webui.core.request import Emphasis, Name, Prompt, Steps
from webui.families.dit_family import TransformerFamily
from webui.gate.access import Access, needs
from webui.modelfiles.front import read_front
from webui.prompting import parse
from webui.prompting.counter import CHUNK, TokenCount, count_tokens
from webui.prompting.embeddings import find_embeddings
from webui.prompting.faults import NEGATIVE_PROMPT, PROMPT, WrongPrompt
from webui.prompting.prompt import Part
from webui.prompting.schedule import schedule
from webui.prompting.styles import Styled
from webui.prompting.weights import has_weights
from webui.prompting.wildcards import expand, wildcard_names
from webui.studio import Studio

log = logging.getLogger(__name__)

ROUTER = APIRouter(prefix="/api/v1", tags=["prompt"])

MOST_WARNINGS: Final = 20


@dataclass(frozen=True, kw_only=True)
class PromptQuestion:
    """A prompt as it stands in the page."""

    prompt: Prompt
    steps: Steps = 20
    checkpoint: Name | None = None
    emphasis: Emphasis = Emphasis.ORIGINAL
    styles: tuple[Name, ...] = ()
    is_negative: bool = False


@dataclass(frozen=True, kw_only=True)
class PlaceView:
    """What is to be said of a place in the prompt, which is counted from 0."""

    position: int
    message: str


@dataclass(frozen=True, kw_only=True)
class NetworkView:
    """A network that the prompt asks for. `id` is None when no such file is there."""

    name: str
    id: str | None
    text_weight: float
    unet_weight: float
    position: int


@dataclass(frozen=True, kw_only=True)
class PromptView:
    """A prompt that was read. `tokens` of `limit` with styles and, for an example, wildcards filled
    in; `error` says why a job with it would be refused."""

    tokens: int
    limit: int
    warnings: Sequence[PlaceView]
    error: PlaceView | None
    networks: Sequence[NetworkView]


@ROUTER.post("/prompt")
@needs(Access.PERSON)
def read_prompt(request: Request, asked: PromptQuestion, body: RawBody) -> PromptView:
    """How long a prompt is, what it asks for and what may not be as it was meant."""
    refuse_unknown_fields(PromptQuestion, body)
    studio = the_studio(request)
    try:
        return _read(studio, asked)
    except InvalidRequest as error:
        position = error.position if isinstance(error, WrongPrompt) else 0
        fault = PlaceView(position=position, message=error.message)
        return PromptView(tokens=0, limit=CHUNK, warnings=(), error=fault, networks=())


@ROUTER.get("/wildcards")
@needs(Access.PERSON)
def list_wildcards(request: Request) -> list[str]:
    """The wildcards that prompts may name, without the underscores."""
    return list(wildcard_names(the_studio(request).wildcards))


def _read(studio: Studio, asked: PromptQuestion) -> PromptView:
    field = NEGATIVE_PROMPT if asked.is_negative else PROMPT
    read = parse(asked.prompt, field, is_negative=asked.is_negative)
    expand(asked.prompt, 0, studio.wildcards, field)  # says what is wrong where it was typed
    count = _count(studio, asked, expand(_styled(studio, asked), 0, studio.wildcards, field))
    networks = [
        NetworkView(
            name=tag.name,
            id=_network(studio, tag.name),
            text_weight=tag.text_weight,
            unet_weight=tag.unet_weight,
            position=tag.position,
        )
        for tag in read.networks
    ]
    warnings = [PlaceView(position=r.position, message=r.message) for r in read.remarks]
    warnings += _missing(networks)
    warnings += _unheard(studio, asked, read.parts)
    return PromptView(
        tokens=count.tokens,
        limit=count.limit,
        warnings=sorted(warnings, key=lambda place: place.position)[:MOST_WARNINGS],
        error=None,
        networks=networks,
    )


def _unheard(studio: Studio, asked: PromptQuestion, parts: Sequence[Part]) -> Iterator[PlaceView]:
    """That the model hears no weights, where the prompt has some that a person may rely on."""
    family = studio.families.get(_model(studio, asked).family)
    is_deaf = isinstance(family, TransformerFamily) and not family.hears_weights
    if family is None or not is_deaf or asked.emphasis in (Emphasis.NONE, Emphasis.IGNORE):
        return
    texts = [stage.text for part in parts for stage in schedule(part.nodes, asked.steps)]
    if any(map(has_weights, texts)):
        signs = [place for sign in "([" if (place := asked.prompt.find(sign)) >= 0]
        message = f"{family.label} hears no weights: brackets around words change nothing."
        yield PlaceView(position=min(signs, default=0), message=message)


def _styled(studio: Studio, asked: PromptQuestion) -> str:
    if asked.is_negative:
        given = Styled(prompt="", negative_prompt=asked.prompt, styles=asked.styles)
        return studio.styles.apply(given).negative_prompt
    given = Styled(prompt=asked.prompt, negative_prompt="", styles=asked.styles)
    return studio.styles.apply(given).prompt


def _count(studio: Studio, asked: PromptQuestion, prompt: str) -> TokenCount:
    """The count with the tokenizer of the checkpoint, or of the chosen one where there is none."""
    model = _model(studio, asked)
    folder, size = _reading(studio, model)
    try:
        return count_tokens(
            prompt,
            folder,
            size=size,
            steps=asked.steps,
            emphasis=asked.emphasis,
            vectors=_vectors(studio, prompt),
            is_negative=asked.is_negative,
        )
    except (OSError, ValueError) as error:
        log.warning("The tokenizer of %s can't be used (%s).", model.name, error)
        return TokenCount(tokens=0, limit=size)


def _model(studio: Studio, asked: PromptQuestion) -> ModelInfo:
    """The checkpoint that the prompt is for."""
    try:
        return studio.catalog.find(asked.checkpoint or "")
    except NotFound:
        return studio.current_model()


def _reading(studio: Studio, model: ModelInfo) -> tuple[Path, int]:
    """The folder of a tokenizer, and how many tokens are read at once: of the model itself, or its
    family's for a single file. Of several encoders the one that reads most counts."""
    family = studio.families.get(model.family)
    if isinstance(family, TransformerFamily):
        return family.reading(model.variant)
    families = Path(webui.families.__file__).parent
    folder = model.path if model.path.is_dir() else families / "configs" / model.family
    return folder / "tokenizer", CHUNK


def _vectors(studio: Studio, prompt: str) -> Mapping[str, int]:
    """How many tokens each embedding in the prompt takes, as far as its file says it safely."""
    known = {model.name: model for model in studio.catalog.models(ModelKind.EMBEDDING)}
    names = {found.name for found in find_embeddings(prompt, known)}
    counts = {name: _rows(known[name].path) for name in names}
    return {name: count for name, count in counts.items() if count}


def _rows(path: Path) -> int:
    try:
        header = read_front(path).tensors
    except ModelUnreadable:
        return 0  # the engine will say why
    return max((t.shape[0] for t in header.values() if len(t.shape) == 2), default=0)


def _network(studio: Studio, name: str) -> str | None:
    try:
        return studio.catalog.find(name, ModelKind.LORA).id
    except NotFound:
        return None


def _missing(networks: Sequence[NetworkView]) -> Iterator[PlaceView]:
    for network in networks:
        if network.id is None:
            message = f"There is no network “{network.name}” on this server. Add its file."
            yield PlaceView(position=network.position, message=message)
