"""Makes the Qwen vocabulary that ships in webui/families/configs from the one that was published.

    python webui/families/configs/qwen_tokenizer.py qwen.tiktoken webui/families/configs/qwen

The file is dashscope/resources/qwen.tiktoken in Alibaba's package dashscope; its licence is Apache
2.0 (see NOTICE). It lists the pieces of words in the order in which they are put together; here
each but the single bytes is written as the two pieces that it is made of, which is all that a
tokenizer needs.
"""

from __future__ import annotations

import sys
from base64 import b64decode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

PUBLISHED = "b2b1b8dfb5cc5f024bafc373121c6aba3f66f9a5a0269e243470a1de16a33186"
"""sha256 of the published file."""
BYTES = 256


def main(published: Path, folder: Path) -> None:
    """Write merges.txt into `folder`."""
    content = published.read_bytes()
    if sha256(content).hexdigest() != PUBLISHED:
        raise SystemExit(f"{published} is not the file that was published with dashscope.")
    pieces = [b64decode(line.split()[0]) for line in content.splitlines()]
    ranks = {piece: rank for rank, piece in enumerate(pieces)}
    letters = dict(zip((piece[0] for piece in pieces[:BYTES]), _letters(), strict=True))
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "merges.txt").open("w", encoding="utf-8", newline="\n") as file:
        for rank, piece in enumerate(pieces[BYTES:], start=BYTES):
            first, second = _halves(piece, ranks, rank)
            words = ("".join(letters[byte] for byte in half) for half in (first, second))
            file.write(" ".join(words) + "\n")


def _halves(piece: bytes, ranks: Mapping[bytes, int], rank: int) -> Sequence[bytes]:
    """The two pieces that are left when only those of lower rank are put together."""
    parts = [piece[place : place + 1] for place in range(len(piece))]
    while len(parts) > 2:
        joined = [ranks.get(parts[i] + parts[i + 1], rank) for i in range(len(parts) - 1)]
        place = joined.index(min(joined))
        parts[place : place + 2] = [parts[place] + parts[place + 1]]
    return parts


def _letters() -> list[str]:
    """What stands for each byte in the order of the published file: itself where it can be seen,
    the others from U+0100 on, as GPT-2 has it."""
    seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(each) for each in seen] + [chr(0x100 + i) for i in range(BYTES - len(seen))]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
