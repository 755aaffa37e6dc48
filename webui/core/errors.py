"""Everything that can go wrong on purpose.

    GessoError
    |-- InvalidRequest        the person asked for something that can't be; names the field
    |   `-- LimitReached      they have used up what they may; it passes, or can be freed
    |-- NotFound              no job, picture, model or input with that id
    |-- NotPermitted          it exists, but it isn't theirs
    |-- ModelUnreadable       a file in models/ that can't be used; says why
    |-- UnreadablePicture     an upload that is no picture we accept
    |-- ExtensionFailed       an extension could not do what it was asked; names it
    |-- DiskFull              not enough room to write; the queue pauses
    `-- EngineError           the engine could not finish a batch
        |-- EngineDied        its process ended (crash, signal, fatal device error)
        |-- EngineHung        no heartbeat for too long; it was ended
        `-- OutOfMemory       the device has too little memory for this batch

The text of each has three parts: what happened, with which value, what to do about it.
"""

from __future__ import annotations


class GessoError(Exception):
    """The root of everything Gesso raises on purpose; its text is fit for a person."""


class InvalidRequest(GessoError):
    """A request that can't be carried out. `field` is a path such as "sampling.steps"."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class LimitReached(InvalidRequest):
    """A request that is in order, from somebody who has used up what they may have at a time;
    `field` names the limit. The same request may be accepted later."""


class NotFound(GessoError):
    """No thing of this kind with this id."""

    def __init__(self, kind: str, id: str) -> None:
        super().__init__(f"There is no {kind} “{id}”. It may have been deleted.")
        self.kind = kind
        self.id = id


class NotPermitted(GessoError):
    """The person may not do this to a thing that isn't theirs."""


class ModelUnreadable(GessoError):
    """A model file that can't be used."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"The model “{name}” can't be used: {why}")
        self.name = name


class UnreadablePicture(GessoError):
    """An uploaded file that is not a picture we accept."""


class ExtensionFailed(GessoError):
    """An extension that can't be loaded, or that failed at what only it can do."""

    def __init__(self, extension: str, message: str) -> None:
        super().__init__(message)
        self.extension = extension


class DiskFull(GessoError):
    """Too little room to write; nothing was lost, the queue waits."""


class EngineError(GessoError):
    """The engine could not finish a batch; the job may be tried once more."""


class EngineDied(EngineError):
    """The engine's process ended in the middle of a batch."""


class EngineHung(EngineError):
    """The engine gave no sign of life for too long and was ended."""


class OutOfMemory(EngineError):
    """The device has too little memory for the batch."""
