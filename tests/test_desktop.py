"""When the page opens by itself."""

from __future__ import annotations

import pytest

from webui.desktop import has_desktop


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("linux", {}, False),
        ("linux", {"DISPLAY": ":0", "SSH_CONNECTION": "a"}, False),
        ("win32", {}, True),
        ("darwin", {}, True),
        ("darwin", {"SSH_CONNECTION": "a"}, False),
        ("win32", {"CI": "true"}, False),
    ],
)
def test_the_page_opens_only_where_somebody_sees_it(
    platform: str, environment: dict[str, str], expected: bool
) -> None:
    assert has_desktop(platform, environment) is expected
