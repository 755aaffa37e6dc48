"""Model files that mean harm, as people have found them: written anew for each test run.

Each would make the folder `canary`, open the network or fill the memory of a program that opens
it in the usual way. Nothing of them is run here: pickles are written operation by operation.
"""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Final

from tests.model_files import Packer, Raw, Tensor, raw_safetensors, torch_legacy, torch_zip

SUFFIXES: Final = (".ckpt", ".pt", ".pth", ".bin", ".safetensors", ".gguf", ".vae.pt")
EMBEDDING: Final[dict[str, object]] = {"string_to_param": {"*": Tensor([2, 768])}}


def text(value: object) -> bytes:
    """The operations that push a plain value."""
    return Packer().pack(value)


def called(module: str, name: str, *arguments: object) -> bytes:
    """The operations of a call."""
    return f"c{module}\n{name}\n".encode() + text(arguments) + b"R"


def gadgets(canary: Path) -> dict[str, bytes]:
    """Operations that would run something, by what they use."""
    made, shell = str(canary), f"mkdir {canary}"
    code = f"import os; os.mkdir({made!r})"
    inner = b"\x80\x02" + called("os", "mkdir", made) + b"."
    getter = called("builtins", "getattr", Raw(b"cos\n__dict__\n"), "system")
    return {
        "os.system": called("os", "system", shell),
        "posix.system": called("posix", "system", shell),
        "subprocess": called("subprocess", "Popen", ["mkdir", made]),
        "importlib": called("importlib", "import_module", "antigravity"),
        "open": called("builtins", "open", made, "w"),
        "spawnv": called("multiprocessing.util", "spawnv_passfds", b"/bin/mkdir", [made], []),
        "runpy": called("runpy", "_run_code", code, {}),
        "exec": called("builtins", "exec", code),
        "eval": called("__builtin__", "eval", f"__import__('os').mkdir({made!r})"),
        "getattr": getter + text((shell,)) + b"R",
        "torch.hub": called("torch.hub", "load", made, "x"),
        "torch.jit": called("torch.jit", "load", made),
        "torch._utils": called("torch._utils", "_import_dotted_name", "os.system"),
        "load_from_bytes": called("torch.storage", "_load_from_bytes", inner),
        "numpy.load": called("numpy", "load", made, "r", True),
        "numpy runstring": called("numpy.testing._private.utils", "runstring", code, {}),
        "ctypes": called("ctypes", "CDLL", made),
        "webbrowser": called("webbrowser", "open", "file:///tmp"),
        "rmtree": called("shutil", "rmtree", made),
        "socket": called("socket", "create_connection", ("127.0.0.1", 9)),
        "pickle": called("_pickle", "loads", inner),
        "marshal": called("types", "FunctionType", Raw(called("marshal", "loads", b"c")), {}),
        "setstate": called("argparse", "Namespace") + b"}(" + text("a")
        + called("os", "mkdir", made) + b"ub",
        "attrgetter": called("operator", "attrgetter", "system"),
        "partial": called("functools", "partial", Raw(b"cos\nmkdir\n"), made),
        "instance": b"(" + text(made) + b"ios\nmkdir\n",
        "object": b"(cos\nmkdir\n" + text(made) + b"o",
        "named on the stack": b"\x8c\x02os\x8c\x05mkdir\x93" + text((made,)) + b"R",
        "a dotted name": b"\x8c\x0acollections\x8c\x18abc.sys.modules.os.mkdir\x93)R",
        "pip": called("pip._internal.cli.main", "main", ["install", "x"]),
        "persistent": b"Pos.system\n",
        "registered": b"\x82\x01",
    }  # fmt: skip


Writer = Callable[[Path, bytes], None]


def as_zip(path: Path, gadget: bytes) -> None:
    """Beside an embedding that is fine."""
    torch_zip(path, {**EMBEDDING, "trap": Raw(gadget)})


def as_legacy(path: Path, gadget: bytes) -> None:
    """The same, in the older form."""
    torch_legacy(path, {**EMBEDDING, "trap": Raw(gadget)})


def as_first_pickle(path: Path, gadget: bytes) -> None:
    """In place of the magic number of the older form."""
    torch_legacy(path, EMBEDDING)
    path.write_bytes(b"\x80\x02" + gadget + b"0." + path.read_bytes())


def as_bare(path: Path, gadget: bytes) -> None:
    """Alone."""
    path.write_bytes(b"\x80\x04" + gadget + b".")


WRITERS: Final[tuple[Writer, ...]] = (as_zip, as_legacy, as_first_pickle, as_bare)


def write_pickles(folder: Path, canary: Path) -> Iterator[Path]:
    """Every gadget under every ending, in one form after the other."""
    forms = cycle(WRITERS)
    for number, (name, gadget) in enumerate(gadgets(canary).items()):
        for suffix in SUFFIXES:
            path = folder / "pickles" / f"{number:02} {name}{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            next(forms)(path, gadget)
            yield path


def write_containers(folder: Path, canary: Path) -> Iterator[Path]:
    """Archives and pickles that are not as they should be."""
    gadget = gadgets(canary)["os.system"]
    for name, data in containers(gadget, str(canary)).items():
        path = folder / "containers" / f"{name}.ckpt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        yield path
    claims = {"": Tensor([2, 2])} | {f"t{number}": Tensor([2]) for number in range(3)}
    yield torch_zip(folder / "containers" / "big endian.pt", claims, byteorder=b"big")


def containers(gadget: bytes, made: str) -> dict[str, bytes]:
    """Whole files by name."""
    bomb = b"\x80\x02" + b"]" * 5_000_000 + b"."
    laughs = b"\x80\x02}q\x00" + b"".join(
        b"}(" + b"".join(text(f"{key}") + b"h" + bytes([level]) for key in range(10)) + b"uq"
        + bytes([level + 1]) for level in range(9)
    ) + b"."  # fmt: skip
    trap = b"\x80\x02" + gadget + b"."
    huge = Packer().pickle({"a": Tensor([2**40])})
    return {
        "deflated": zipped({"a/data.pkl": trap}, zipfile.ZIP_DEFLATED),
        "bomb": zipped({"a/data.pkl": bytes(2**27)}, zipfile.ZIP_DEFLATED),
        "zip in zip": zipped({"a/data.pkl": zipped({"a/data.pkl": trap})}),
        "two programs": zipped({"a/data.pkl": b"\x80\x02N.", "b/data.pkl": trap}),
        "no program": zipped({"a/b.txt": b"x"}),
        "empty archive": zipped({}),
        "many files": many_files(),
        "huge table": b"PK\3\4" + bytes(40) + b"PK\5\6" + struct.pack("<4H2LH", *(0, 0, 9, 9),
                                                                    2**31, 0, 0),
        "cut": zipped({"a/data.pkl": trap})[:60],
        "huge tensor": zipped({"a/data.pkl": huge, "a/data/0": b"1234"}),
        "no storage": zipped({"a/data.pkl": huge}),
        "long": zipped({"a/data.pkl": bomb}),
        "laughs": zipped({"a/data.pkl": laughs}),
        "nested": b"\x80\x02" + b"]" * 900_000 + b"a" * 899_999 + b".",
        "huge memo": b"\x80\x02Nr\xff\xff\xff\xffNj\xff\xff\xff\x7f.",
        "huge string": b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"x.",
        "huge number": b"\x80\x02\x8b" + struct.pack("<i", 2**30) + b"x" * 100,
        "huge digits": b"I" + b"9" * 2_000_000 + b"\n.",
        "protocol 0": pickle.dumps({"a": [1, 2, "x"]}, 0),
        **{f"protocol {number}": pickle.dumps({made: 1}, number) for number in range(1, 6)},
        "text gadget": f"cos\nmkdir\n(S'{made}'\ntR.".encode(),
        "underflow": b"\x80\x020000.",
        "no stop": b"\x80\x02}",
        "buffer": b"\x80\x05\x97.",
    }  # fmt: skip


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return target.getvalue()


def many_files() -> bytes:
    """An archive whose table lists the same bytes 200,000 times."""
    name = b"a/data/0"
    local = b"PK\3\4" + struct.pack("<5H3L2H", 20, 0, 0, 0, 0, 0, 4, 4, len(name), 0) + name
    entry = b"PK\1\2" + struct.pack(
        "<6H3L5H2L", 20, 20, 0, 0, 0, 0, 0, 4, 4, len(name), 0, 0, 0, 0, 0, 0
    )
    table = (entry + name) * 200_000
    start = local + b"1234"
    return (
        start
        + table
        + b"PK\5\6"
        + struct.pack("<4H2LH", 0, 0, 60_000, 60_000, len(table), len(start), 0)
    )


ENTRY: Final = '"%s":{"dtype":"F16","shape":%s,"data_offsets":%s}'
GOOD: Final = ENTRY % ("a", "[2]", "[0,4]")


def headers() -> dict[str, tuple[bytes, int]]:
    """Headers of safetensors files, and how many bytes follow."""
    listed = {name: (f"{{{words}}}".encode(), size) for name, (words, size) in entries().items()}
    return listed | {
        "50 MB of metadata": (b'{"__metadata__":{"a":"' + b"x" * 50 * 2**20 + b'"}}', 0),
        "a list": (b'["a"]', 0),
        "deep": (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 0),
        "many lists": (b'{"a":[' + b"[]," * 3_000_000 + b"[]]}", 0),
        "no JSON": (b"{" * 50, 0),
        "not UTF-8": (b'{"\xff\xfe":1}', 0),
    }


def entries() -> dict[str, tuple[str, int]]:
    """What stands between the outermost braces, and how many bytes follow."""
    many = ",".join(ENTRY % (number, "[0]", "[0,0]") for number in range(300_000))
    return {
        "300000 tensors": (many, 0),
        "two of a name": (f"{GOOD},{GOOD}", 4),
        "two kinds": ('"a":{"dtype":"F16","dtype":"F32","shape":[],"data_offsets":[0,2]}', 2),
        "overlap": (f"{GOOD},{ENTRY % ('b', '[2]', '[2,6]')}", 6),
        "gap": (f"{GOOD},{ENTRY % ('b', '[2]', '[9,13]')}", 13),
        "outside": (ENTRY % ("a", "[2]", "[4,8]"), 4),
        "backwards": (ENTRY % ("a", "[2]", "[4,0]"), 4),
        "negative": (ENTRY % ("a", "[-2]", "[0,4]"), 4),
        "overflow": (ENTRY % ("a", f"[{2**62},{2**62},4]", "[0,0]"), 0),
        "floats": (ENTRY % ("a", "[2.0]", "[0,4]"), 4),
        "true": (ENTRY % ("a", "[true]", "[0,2]"), 2),
        "wrong length": (ENTRY % ("a", "[3]", "[0,4]"), 4),
        "unknown kind": ('"a":{"dtype":"OBJECT","shape":[],"data_offsets":[0,2]}', 2),
        "kind of a list": ('"a":{"dtype":["F16"],"shape":[],"data_offsets":[0,2]}', 2),
        "no place": ('"a":{"dtype":"F16","shape":[2]}', 4),
        "a long number": ('"a":{"dtype":"F16","shape":[' + "9" * 10_000 + "]}", 0),
        "control in a name": (GOOD.replace("a", r"a\u0000b", 1), 4),
        "direction in a name": (GOOD.replace("a", r"a\u202eb", 1), 4),
        "half a sign": (GOOD.replace("a", r"\ud800", 1), 4),
        "a long name": (GOOD.replace("a", "a" * 5000, 1), 4),
        "bytes behind": (GOOD, 400),
    }


def write_headers(folder: Path) -> Iterator[Path]:
    """As safetensors files, and such with lengths that can't be."""
    for name, (header, data_bytes) in headers().items():
        yield raw_safetensors(folder / "headers" / f"{name}.safetensors", header, b"", data_bytes)
    for name, length in (("no length", 0), ("2^63", 2**63), ("4 GB", 2**32 - 1), ("1", 1)):
        path = folder / "headers" / f"{name}.safetensors"
        path.write_bytes(struct.pack("<Q", length) + b'{"a":1}' * 10)
        yield path


def write_others(folder: Path) -> Iterator[Path]:
    """What is no model at all, and GGUF files that are none."""
    words = struct.Struct("<4sIQQ")
    page = b"<!DOCTYPE html><html><script>alert(1)</script>"
    others = {
        "page.safetensors": page,
        "page.ckpt": b"\n\n  " + page,
        "json.safetensors": json.dumps({"error": "Access to this model is restricted."}).encode(),
        "text.pt": b"Repository not found. Please log in and try again.",
        "pointer.safetensors": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
        "seven.ckpt": b"7z\xbc\xaf\x27\x1c" + bytes(100),
        "rar.safetensors": b"Rar!\x1a\x07\x01\x00" + bytes(100),
        "gzip.pt": b"\x1f\x8b\x08" + bytes(100),
        "tar.pth": b"x".ljust(257, b"\0") + b"ustar\x0000" + bytes(500),
        "program.safetensors": b"MZ" + bytes(200),
        "elf.bin": b"\x7fELF" + bytes(200),
        "picture.safetensors": b"\x89PNG\r\n\x1a\n" + bytes(100),
        "keras.ckpt": b"\x89HDF\r\n\x1a\n" + bytes(100),
        "numpy.pt": b"\x93NUMPY\x01\x00" + bytes(100),
        "empty.ckpt": b"",
        "zeros.safetensors": bytes(5000),
        "many.gguf": words.pack(b"GGUF", 3, 2**60, 0) + bytes(64),
        "entries.gguf": words.pack(b"GGUF", 3, 1, 2**60) + bytes(64),
        "text.gguf": words.pack(b"GGUF", 3, 0, 1) + struct.pack("<Q", 2**62) + bytes(64),
        "version.safetensors": words.pack(b"GGUF", 99, 1, 1) + bytes(64),
        "cut.ckpt": b"GGUF\x03\x00",
    }
    for name, data in others.items():
        path = folder / "others" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        yield path


def write_corpus(folder: Path, canary: Path) -> list[Path]:
    """All of them, below a folder."""
    return [
        *write_pickles(folder, canary),
        *write_containers(folder, canary),
        *write_headers(folder),
        *write_others(folder),
    ]
