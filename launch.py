"""Sets the program up and starts it: `python launch.py --help`.

Only the standard library, and only the syntax of Python 3.6: an unsuitable Python must get far
enough to say what to do.
"""

import struct
import sys

from webui.launcher import pythons


def main() -> int:
    """Run a command with a suitable Python; the modules behind it need one to be imported."""
    if not pythons.is_suitable(sys.version_info[:2], struct.calcsize("P")):
        return pythons.restart(sys.argv)
    from webui.launcher.cli import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
