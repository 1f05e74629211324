"""Checks what must be on the machine before anything is installed; runs on any Python 3."""

import shutil
import sys

NEEDED = {
    "g++": "a C++ compiler: apt install g++",
    "gcc": "a C compiler: apt install gcc",
    "make": "make: apt install make",
}


def main():
    """Prints one line and exits with 2 when something is missing."""
    if sys.version_info < (3, 11):
        found = ".".join(str(part) for part in sys.version_info[:3])
        advice = "install Python 3.11 or newer and run 'make PYTHON=python3.11'"
        return "error: Python {} is too old; {}".format(found, advice)
    for program, advice in NEEDED.items():
        if shutil.which(program) is None:
            return f"error: no {program} on this machine; install {advice}"
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        return "error: Python has no venv; install it: apt install python3-venv"
    return None


if __name__ == "__main__":
    message = main()
    if message:
        sys.stderr.write(message + "\n")
        sys.exit(2)
