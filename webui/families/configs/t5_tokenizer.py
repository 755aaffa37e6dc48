"""Makes the T5 tokenizer that ships in webui/families/configs from the one that Google published.

    python webui/families/configs/t5_tokenizer.py tokenizer.json webui/families/configs/t5/tokenizer

The file comes with google/t5-v1_1-xxl and with every model that reads its prompts with that T5;
its licence is Apache 2.0 (see NOTICE). Here only what no tokenizer needs is left out: spaces
between its values, and the hundred marks of T5's own training, which nobody types.
"""

from __future__ import annotations

import json
import sys
from hashlib import sha256
from pathlib import Path

PUBLISHED = "fe2ebbbbde2985be723e0ce18217853e4020c5e9d35bd07be2c27ab9d3ead57a"
"""sha256 of the published file."""
MARKS = ("<pad>", "</s>", "<unk>")


def main(published: Path, folder: Path) -> None:
    """Write tokenizer.json and tokenizer_config.json into `folder`."""
    content = published.read_bytes()
    if sha256(content).hexdigest() != PUBLISHED:
        raise SystemExit(f"{published} is not the file that was published with T5 1.1.")
    tokenizer = json.loads(content)
    tokenizer["added_tokens"] = [
        token for token in tokenizer["added_tokens"] if token["content"] in MARKS
    ]
    pad, end, unknown = MARKS
    config = {
        "tokenizer_class": "T5Tokenizer",
        "model_max_length": 512,
        "pad_token": pad,
        "eos_token": end,
        "unk_token": unknown,
        "extra_ids": 0,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, made in (("tokenizer", tokenizer), ("tokenizer_config", config)):
        compact = json.dumps(made, ensure_ascii=False, separators=(",", ":"))
        (folder / f"{name}.json").write_text(compact + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
