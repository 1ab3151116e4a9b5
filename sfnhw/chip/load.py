"""From a chip file or a preset's name to a validated Chip."""

from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from sfnhw.chip.checks import problems, unknown_names
from sfnhw.chip.chip import Chip
from sfnhw.chip.inherit import merge
from sfnhw.chip.validation import Locate, from_pydantic, nowhere, raise_first
from sfnhw.errors import ChipConflictError, ChipError, Where, nearest
from sfnhw.yaml_source import YamlSource, read_yaml

C = TypeVar("C", bound=Chip)

_SUFFIXES = (".yaml", ".yml")
_MAX_BASES = 8


def preset_names() -> tuple[str, ...]:
    """Return the names of the chips that ship with sfnhw."""
    folder = resources.files("sfnhw.chips")
    return tuple(sorted(Path(item.name).stem for item in folder.iterdir() if item.name.endswith(".yaml")))


def load_chip(name_or_path: str | Path) -> Chip:
    """Load a chip: a preset by name (``"reference"``), or a YAML file by path.

    A file may say ``base: reference`` (or the path of another file, relative to its own folder) and then gives only
    what differs; mappings are merged field by field, lists and values are replaced.

    Raises
    ------
    ChipError : one sentence with file, line, column and field; for an unknown name, all presets and the nearest.
    """
    path = _find(name_or_path, Path())
    stat = path.stat() if path.exists() else None
    return _load(path, (stat.st_mtime_ns, stat.st_size) if stat else None)


def build(data: dict[str, Any], locate: Locate = nowhere, model: type[C] = Chip) -> C:  # type: ignore[assignment]
    """Validate plain data as a chip; raises ChipError, and ChipConflictError where each field is valid by itself."""
    try:
        chip = model.model_validate(data)
    except ValidationError as error:
        found, unknown = from_pydantic(error, model), unknown_names(data)
        # What is wrong inside a row of no action is of no interest.
        inside = {problem.path for problem in unknown}
        raise_first([problem for problem in found if problem.path[:2] not in inside] + unknown, locate)
        raise
    try:
        raise_first(problems(chip), locate, ChipConflictError)
    except ChipConflictError as conflict:
        conflict.chip = chip
        raise
    return chip


@lru_cache(maxsize=32)
def _load(path: Path, version: Any) -> Chip:
    # A chip is frozen, so the same object may be given to all; a changed file has another version.
    source = _read_with_bases(path, ())
    return build(source.value, source.where)


def _read_with_bases(path: Path, above: tuple[Path, ...]) -> YamlSource:
    source = read_yaml(path)
    if not isinstance(source.value, dict):
        raise ChipError("not a chip", where=Where(path, 1), found=source.value, expected="a mapping of chip fields")
    if "base" not in source.value:
        return source
    where, name = source.where(("base",)), source.value["base"]
    if not isinstance(name, str) or not name:
        raise ChipError(
            where=where, field="base", found=name, expected="the name of a preset or the path of a chip file"
        )
    try:
        base_path = _find(name, path.parent)
    except ChipError as error:
        raise ChipError(str(error), where=where, field="base") from None
    if not base_path.is_file():
        raise ChipError("no such file", where=where, field="base", found=name)
    if base_path.resolve() in {p.resolve() for p in (*above, path)} or len(above) >= _MAX_BASES:
        raise ChipError("a chip cannot be its own base", where=where, field="base", found=name)
    return merge(_read_with_bases(base_path, (*above, path)), source, default_name=path.stem)


def _find(name_or_path: str | Path, folder: Path) -> Path:
    """Return the file that a preset name or a path means."""
    text = str(name_or_path)
    looks_like_path = isinstance(name_or_path, Path) or text.endswith(_SUFFIXES) or "/" in text or "\\" in text
    if looks_like_path:
        return folder / Path(text).expanduser()
    presets = preset_names()
    if text not in presets:
        expected = "a path ending in .yaml, or one of the presets: " + ", ".join(presets) + nearest(text, presets)
        raise ChipError("no such chip", found=text, expected=expected)
    return Path(str(resources.files("sfnhw.chips") / f"{text}.yaml"))
