"""What goes over the pipe between the web process and an engine process, see core's frames."""

from __future__ import annotations

import traceback
from dataclasses import replace
from typing import Any

from PIL import Image

from webui.core import errors
from webui.core.codec import decode, encode, from_json, to_json
from webui.core.engine import Work
from webui.core.events import (
    Alive,
    Ask,
    Called,
    EngineEvent,
    ImageReady,
    Loading,
    Preview,
    Progress,
)
from webui.core.frames import Frame
from webui.core.recipe import Recipe
from webui.core.request import GenerationRequest, InputId


class EngineBug(Exception):
    """An error in the engine's process that nobody thought of; its traceback is in the notes."""


def pack_event(event: EngineEvent, batch: int) -> Frame:
    """An engine's event as a frame."""
    data: dict[str, Any]
    match event:
        case Alive():
            return Frame(kind="alive", batch=batch)
        case Loading():
            data = {"model": event.model, "note": event.note}
            return Frame(kind="loading", batch=batch, data=data)
        case Progress():
            counted = {"step": event.step, "steps": event.steps, "note": event.note}
            return Frame(kind="progress", batch=batch, data=counted)
        case Preview():
            index = {"index": event.index}
            return Frame(kind="preview", batch=batch, data=index, payload=event.jpeg)
        case ImageReady():
            image = event.image.convert("RGB")
            data = {"index": event.index, "size": image.size, "facts": dict(event.facts)}
            data["is_extra"] = event.is_extra
            data["recipe"] = None if event.recipe is None else encode(event.recipe)
            return Frame(kind="image", batch=batch, data=data, payload=image.tobytes())
        case Called():
            return Frame(kind="called", batch=batch, data=vars(event))
        case Ask():
            sizes = {id: len(picture) for id, picture in event.pictures.items()}
            asked = {"request": encode(event.request), "pictures": sizes}
            payload = b"".join(event.pictures.values())
            return Frame(kind="ask", batch=batch, data=asked, payload=payload)


def unpack_event(frame: Frame) -> EngineEvent | None:
    """The event in a frame; None when it holds something else."""
    data = frame.data
    match frame.kind:
        case "alive":
            return Alive()
        case "loading":
            return Loading(model=data["model"], note=data["note"])
        case "progress":
            return Progress(step=data["step"], steps=data["steps"], note=data["note"])
        case "preview":
            return Preview(index=data["index"], jpeg=frame.payload)
        case "image":
            image = Image.frombytes("RGB", tuple(data["size"]), frame.payload)
            recipe = data["recipe"] and decode(Recipe, data["recipe"])
            return ImageReady(
                index=data["index"],
                image=image,
                facts=data["facts"],
                recipe=recipe,
                is_extra=data["is_extra"],
            )
        case "called":
            return Called(**data)
        case "ask":
            return _unpack_ask(frame)
        case _:
            return None


def _unpack_ask(frame: Frame) -> Ask:
    pictures, at = {}, 0
    for id, length in frame.data["pictures"].items():
        pictures[InputId(id)] = frame.payload[at : at + length]
        at += length
    return Ask(request=decode(GenerationRequest, frame.data["request"]), pictures=pictures)


def pack_answer(answer: Work | Exception, batch: int) -> Frame:
    """What an Ask is answered with: the work, or why there is none."""
    if isinstance(answer, Work):
        return Frame(kind="answer", batch=batch, payload=to_json(answer).encode())
    return replace(pack_error(answer, batch), kind="answer")


def unpack_answer(frame: Frame) -> Work | errors.GessoError:
    """The answer in a frame."""
    if not frame.data:
        return from_json(Work, frame.payload)
    refusal = unpack_error(frame)
    if isinstance(refusal, errors.GessoError):
        return refusal
    return errors.InvalidRequest("", str(refusal))


def pack_error(error: Exception, batch: int) -> Frame:
    """An exception as a frame: class, text and attributes of ours, the traceback of others."""
    data: dict[str, Any] = {"class": type(error).__name__, "text": str(error)}
    if isinstance(error, errors.GessoError):
        data["attributes"] = vars(error)
    else:
        data["traceback"] = "".join(traceback.format_exception(error))
    return Frame(kind="error", batch=batch, data=data)


def unpack_error(frame: Frame) -> Exception:
    """The exception in a frame: of the class it had if it is one of ours, else EngineBug."""
    name, text = frame.data["class"], frame.data["text"]
    kind = getattr(errors, name, None)
    if "attributes" not in frame.data or kind is None:
        bug = EngineBug(f"{name}: {text}")
        bug.add_note(frame.data.get("traceback", ""))
        return bug
    error: Exception = kind.__new__(kind)
    error.args = (text,)
    vars(error).update(frame.data["attributes"])
    return error
