"""Makes the CLIP tokenizer that ships in webui/families/configs from OpenAI's list of merges.

    pip download --no-deps open_clip_torch==3.3.0 && unzip open_clip_torch-3.3.0-*.whl
    python webui/families/configs/clip_tokenizer.py open_clip/bpe_simple_vocab_16e6.txt.gz \
        webui/families/configs/sd15/tokenizer

The list (MIT, see NOTICE) names merges only; ids follow from their order: the 256 bytes, the same
at the end of a word, the merges, and two marks.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path

MERGES = 49_152 - 256 - 2
BEGIN, END = "<|startoftext|>", "<|endoftext|>"


def main(merge_list: Path, folder: Path) -> None:
    """Write tokenizer.json and tokenizer_config.json into `folder`."""
    from transformers import CLIPTokenizer

    lines = gzip.decompress(merge_list.read_bytes()).decode().split("\n")
    merges = [(left, right) for left, right in map(str.split, lines[1 : MERGES + 1])]
    letters = list(byte_letters())
    words = [*letters, *(f"{letter}</w>" for letter in letters), *map("".join, merges), BEGIN, END]
    vocabulary = {word: id for id, word in enumerate(words)}
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=merges, pad_token=END, model_max_length=77)
    tokenizer.save_pretrained(folder)
    for file in folder.glob("*.json"):
        compact = json.dumps(json.loads(file.read_text("utf-8")), ensure_ascii=False)
        file.write_text(compact + "\n", encoding="utf-8")


def byte_letters() -> Iterator[str]:
    """The printable letter that stands for each byte, in the order of the vocabulary."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1)]
    printable += range(ord("®"), ord("ÿ") + 1)
    yield from map(chr, printable)
    yield from (chr(256 + i) for i in range(256 - len(printable)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
