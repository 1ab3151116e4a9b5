"""Writing files so that nobody ever sees half of one."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sfnhw.errors import InputError, Where


def replace_file(path: str | Path, write: Callable[[Path], object]) -> Path:
    """Call `write` on a path beside `path`, then rename over `path`; on any failure nothing is left.

    Folders around it are made where they are missing, as for a run's folder.

    Raises
    ------
    InputError : the folder cannot be made or written.
    """
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.touch()
        mode = beside.stat().st_mode  # what the umask leaves: some libraries make files for their owner alone
        write(beside)
        beside.chmod(mode)
        os.replace(beside, path)
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror or error})", where=Where(path)) from None
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
    return path


def write_text(path: str | Path, text: str) -> Path:
    """Write UTF-8 text, whole or not at all."""
    return replace_file(path, lambda beside: beside.write_text(text, encoding="utf-8"))
