"""Answers with files that a browser may keep."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Final

from fastapi import Request, Response
from fastapi.responses import FileResponse

FOR_EVER: Final = "private, max-age=31536000, immutable"
ASK_FIRST: Final = "no-cache"


def file_answer(
    request: Request,
    path: Path,
    media_type: str,
    tag: str,
    *,
    is_final: bool,
    download_as: str | None = None,
) -> Response:
    """A file, or word that the browser's copy with this tag is still right.

    `is_final` says that the address will never show anything else; `download_as` makes it a
    download with that name.
    """
    # The next person at the same browser has another cookie: what is kept is not for them.
    headers = {
        "ETag": f'"{tag}"',
        "Cache-Control": FOR_EVER if is_final else ASK_FIRST,
        "Vary": "Cookie",
    }
    if f'"{tag}"' in request.headers.get("if-none-match", ""):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return FileResponse(
        path,
        media_type=media_type,
        headers=headers,
        filename=download_as,
        content_disposition_type="attachment" if download_as else "inline",
    )
