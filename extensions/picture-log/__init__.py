"""A line for each picture in a table, which the owner fetches at /ext/picture-log/pictures.csv."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse

from webui.extend import Context, Routes, SavedImage, Toggle, hook

SETTINGS = [Toggle("prompts", "Write prompts into the table", default=True)]
COLUMNS = ("time", "file", "width", "height", "seed", "model", "sampler", "steps", "prompt")


@hook
def image_save_after(saved: SavedImage, ctx: Context) -> None:
    """One line more; the first brings the names of the columns."""
    recipe = saved.recipe
    table = ctx.data / "pictures.csv"
    is_new = not table.exists()
    with table.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if is_new:
            writer.writerow(COLUMNS)
        prompt = recipe.prompt if ctx.settings["prompts"] else ""
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        writer.writerow(
            (now, saved.path.name, recipe.width, recipe.height, recipe.seed, recipe.model.name,
             recipe.sampler, recipe.steps, prompt)
        )  # fmt: skip


@hook
def api_routes(register: Callable[[Routes], None], ctx: Context) -> None:
    """For the owner only: it tells of everybody's pictures."""
    register(Routes(router=_router(ctx.data / "pictures.csv")))


def _router(table: Path) -> APIRouter:
    router = APIRouter()

    @router.get("/pictures.csv")
    def read_table() -> FileResponse:
        if not table.exists():
            raise HTTPException(404, "No picture was made since the log was switched on.")
        return FileResponse(table, media_type="text/csv", filename="pictures.csv")

    return router
