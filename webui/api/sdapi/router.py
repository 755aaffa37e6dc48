"""The router of A1111's routes: errors in its shape, and addresses that may end in a slash."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter

from webui.api.sdapi.errors import SdapiRoute


class SdapiRouter(APIRouter):
    """Takes each address with a slash behind it, too: A1111 redirects those, and programs have come
    to rely on that. Its routes are described in docs/api-a1111.md, not in our own schema."""

    def __init__(self, prefix: str = "/sdapi/v1") -> None:
        super().__init__(
            prefix=prefix, tags=["sdapi"], route_class=SdapiRoute, include_in_schema=False
        )

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **more: Any) -> None:
        """Add a route under both addresses."""
        super().add_api_route(path, endpoint, **more)
        super().add_api_route(f"{path}/", endpoint, **more)
