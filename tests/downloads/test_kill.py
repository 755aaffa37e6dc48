"""kill -9 in the middle of a download: the next start goes on where it was, and ends with the
whole file once."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.conftest import until
from tests.downloads.source import Source, sha256
from tests.model_files import safetensors
from webui.downloads.download import DownloadState
from webui.downloads.store import DownloadStore

ROOT = Path(__file__).resolve().parents[2]
KEY = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
KILLS = 4

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="kills as Unix does"),
]


def server(*arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.downloads.fetching_server", *arguments]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"})


def safe_bytes(folder: Path) -> int:
    """How much of the file is known to be on the disk."""
    if not any(folder.rglob("*.part")):
        return 0
    store = DownloadStore(folder / "data" / "downloads.sqlite")
    try:
        return max((download.received_bytes for download in store.all()), default=0)
    finally:
        store.close()


def kill_when_more_came(begun: subprocess.Popen[bytes], folder: Path) -> None:
    """In the middle: the source keeps back the rest of the file."""
    before = safe_bytes(folder)
    until(lambda: safe_bytes(folder) > before or begun.poll() is not None, 120)
    assert begun.poll() is None, "it ended before the whole file can have come"
    begun.kill()
    begun.wait()


def test_a_killed_server_goes_on_with_its_download(tmp_path: Path, source: Source) -> None:
    noise = random.Random(7).randbytes(24 * 2**20)
    shapes = {f"{KEY}.lora_down.weight": [16384, 768], f"{KEY}.lora_up.weight": [320, 16384]}
    data = safetensors(tmp_path / "made", shapes, noise).read_bytes()
    gate, held_at = threading.Event(), len(data) // (2 * KILLS)
    url = source.put("/large.safetensors", data, gate=gate, held_at=held_at)
    folder = tmp_path / "studio"
    folder.mkdir()
    begun = server(str(folder), source.host, url)
    for kill in range(KILLS):
        kill_when_more_came(begun, folder)
        if kill == KILLS - 1:
            source.files["/large.safetensors"].gate = None
            gate.set()
        begun = server(str(folder), source.host)
    assert begun.wait(300) == 0

    (done,) = DownloadStore(folder / "data" / "downloads.sqlite").all()
    assert (done.state, done.sha256) == (DownloadState.DONE, sha256(data))
    files = [path for path in (folder / "models").rglob("*") if path.is_file()]
    assert files == [folder / "models" / "Lora" / "large.safetensors"]
    assert files[0].read_bytes() == data
    ranges = [headers.get("Range", "") for headers in source.headers_for("/large.safetensors")]
    starts = [int(found[1]) for text in ranges if (found := re.fullmatch(r"bytes=(\d+)-", text))]
    assert starts == sorted(starts)
    assert len(starts) >= KILLS - 1, "the kills came before anything did"
