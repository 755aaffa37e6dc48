"""Which things a pickle of a model may name.

Nothing that a pickle names is ever imported or called here. But a file that names what only an
attack needs is refused as a whole: it would do its work in every program that opens it in the
usual way, and its weights are not to be trusted either.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from webui.modelfiles.damage import Hostile

HARMLESS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "collections": frozenset({"OrderedDict", "defaultdict", "Counter", "deque"}),
        "argparse": frozenset({"Namespace"}),
        "types": frozenset({"SimpleNamespace"}),
        "pathlib": frozenset(
            {"Path", "PurePath", "PosixPath", "PurePosixPath", "WindowsPath", "PureWindowsPath"}
        ),
        "pathlib._local": frozenset({"Path", "PosixPath", "WindowsPath"}),
        "datetime": frozenset({"date", "datetime", "time", "timedelta", "timezone"}),
        "decimal": frozenset({"Decimal"}),
        "fractions": frozenset({"Fraction"}),
        "uuid": frozenset({"UUID"}),
        "enum": frozenset({"Enum", "IntEnum"}),
        "typing": frozenset({"Any", "Union", "Dict", "List", "Tuple", "Optional"}),
        "copyreg": frozenset({"_reconstructor"}),
        "copy_reg": frozenset({"_reconstructor"}),
        "_codecs": frozenset({"encode"}),
    }
)
"""What is fine to name of Python's own library."""

PLAIN: Final = frozenset(
    {"bool", "int", "long", "float", "complex", "str", "unicode", "bytes", "bytearray", "tuple"}
    | {"list", "dict", "set", "frozenset", "object", "slice", "range"}
)
BUILTINS: Final = frozenset({"builtins", "__builtin__"})

OLD_PYTHON: Final = frozenset(
    {"__builtin__", "copy_reg", "commands", "cPickle", "popen2", "urllib2", "httplib", "StringIO"}
)
RUNNERS: Final = frozenset(
    {"pip", "setuptools", "pkg_resources", "distutils", "cloudpickle", "dill", "joblib", "IPython"}
    | {"pandas", "jsonpickle", "numba", "cffi", "psutil", "requests", "git", "fabric", "invoke"}
)
"""Of others: libraries that run, load or send things when asked, and that no model is made of."""

TORCH: Final = re.compile(
    r"torch\.(\w+Storage|Tensor|Size|device|dtype|FloatTensor|Generator"
    r"|u?int\d+|float\d+\w*|bfloat16|complex\d+|bool|strided|per_\w+|q?u?int\d+)"
    r"|torch\.storage\.(\w+Storage)"
    r"|torch\._utils\._rebuild_\w+"
    r"|torch\._tensor\._rebuild_from_type_v2"
    r"|torch\.serialization\._get_layout"
    r"|torch\.torch_version\.TorchVersion"
    r"|torch\.nn\.(modules|parameter|backends|quantized|utils\.parametr\w+)\b[\w.]*"
    r"|torch\.nn\.(Module|Parameter)"
    r"|torch\.optim\.[\w.]*"
    r"|torch\.cuda\.\w+(Storage|Tensor)"
    r"|torch\.(ao|quantization)\.[\w.]*"
)
"""What torch saves of tensors, layers and optimizers."""
NUMPY: Final = re.compile(
    r"numpy\.(dtype|ndarray|\w*float\w*|u?int\w*|bool_?|dtypes\.\w+)"
    r"|numpy\.(core|_core)\.(multiarray|numeric)\.(scalar|_reconstruct|_frombuffer)"
)


def check_name(module: str, name: str) -> None:
    """Raises Hostile where a model has no business to name this."""
    root = module.partition(".")[0]
    if root in BUILTINS:
        is_fine = module == root and name in PLAIN
    elif root in sys.stdlib_module_names or root in OLD_PYTHON:
        is_fine = name in HARMLESS.get(module, ())
    elif root == "torch":
        is_fine = TORCH.fullmatch(f"{module}.{name}") is not None
    elif root == "numpy":
        is_fine = NUMPY.fullmatch(f"{module}.{name}") is not None
    else:
        is_fine = root not in RUNNERS
    if not is_fine:
        said = ascii(f"{module}.{name}"[:60])[1:-1]
        raise Hostile(
            f"it asks for {said} when it is opened, which no model needs: it may have been made "
            "to harm. Nothing of it was run. Remove it."
        )
