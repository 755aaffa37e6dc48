"""A studio in a process of its own that fetches one model, for tests that kill it.

`python -m tests.downloads.fetching_server FOLDER HOST [ADDRESS]`: asks for the address if there is
one, goes on with what was begun in any case, and ends when nothing is open.
"""

from __future__ import annotations

import sys

from tests.conftest import until
from webui.downloads.download import Wish
from webui.engine.fake import FakeEngine
from webui.settings import SettingsStore
from webui.studio import Studio


def main(folder: str, host: str, address: str = "") -> None:
    """Fetch, and end when it is done."""
    given = {"data_dir": folder, "keep_free_mb": 0, "download_hosts": host}
    studio = Studio(SettingsStore(given), [FakeEngine("fake")])
    studio.start()
    try:
        if address:
            studio.downloads.add(Wish(address=address))
        until(lambda: not any(one.state.is_open for one, _ in studio.downloads.all()), 120)
    finally:
        studio.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
