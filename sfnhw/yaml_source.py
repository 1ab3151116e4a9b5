"""YAML with positions: plain values, and where in the file each of them stands.

Read as YAML 1.2 core: `1e-12` is a number, `no` and `on` are text. Keys are text. Refused: equal keys, tags, more than
one document, files over `MAX_BYTES`, nesting over `MAX_DEPTH`, aliases that blow up to over `MAX_NODES` values.
"""

import re
from dataclasses import dataclass, field
from math import isinf
from pathlib import Path
from typing import Any, Self

import yaml

from sfnhw.errors import ChipError, InputError, Where

MAX_BYTES = 1 << 20
MAX_NODES = 100_000
MAX_DEPTH = 50

Path_ = tuple[str | int, ...]

# YAML 1.2.2, section 10.3.2: tag resolution of the core schema.
_NULL = re.compile(r"null|Null|NULL|~|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?)\.(?:(inf|Inf|INF)|nan|NaN|NAN)")
_PLAIN = "plain scalar"


@dataclass(frozen=True)
class YamlSource:
    """A document: its value, and the place of every value and key.

    Attributes
    ----------
    value : dicts, lists, text, integers, floats, booleans, None.
    places : path of keys and indices -> where the value stands (a mapping or list: where its key stands).
    key_places : path -> where its key stands.
    """

    value: Any
    places: dict[Path_, Where] = field(default_factory=dict)
    key_places: dict[Path_, Where] = field(default_factory=dict)

    def where(self, path: Path_, key: bool = False) -> Where | None:
        """Return the place of `path`, or of the nearest thing around it; with `key`, of its key."""
        if key and path in self.key_places:
            return self.key_places[path]
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path)


def read_yaml(path: str | Path, error: type[InputError] = ChipError) -> YamlSource:
    """Read one YAML document from a file.

    Raises
    ------
    error : (a ChipError unless told otherwise) no such file, not text, not YAML, or refused; with line and column.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as problem:
        raise error(f"cannot be read ({problem.strerror or problem})", where=Where(path)) from None
    if len(raw) > MAX_BYTES:
        raise error("the file is too large", where=Where(path), expected=f"at most {MAX_BYTES // 1024} KiB") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = raw.count(b"\n", 0, problem.start) + 1
        raise error(
            "not a text file",
            where=Where(path, line),
            found=raw[problem.start : problem.start + 1],
            expected="UTF-8 text",
        ) from None
    return parse_yaml(text, path, error)


def parse_yaml(text: str, file: str | Path = "<text>", error: type[InputError] = ChipError) -> YamlSource:
    """Read one YAML document from a string; `file` is the name that errors give. Raises as `read_yaml`."""
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        raise error(f"not valid YAML: {_one_line(problem)}", where=_where(file, mark)) from None
    except yaml.reader.ReaderError as problem:
        line = text.count("\n", 0, problem.position) + 1
        column = problem.position - text.rfind("\n", 0, problem.position)
        found = f"character U+{ord(text[problem.position]):04X}"
        raise error(f"not a text file: {found} is not allowed in YAML", where=Where(file, line, column)) from None
    except RecursionError:
        raise error(f"nested deeper than {MAX_DEPTH} levels", where=Where(file)) from None
    if node is None:
        raise error("the file is empty", where=Where(file), expected="a YAML mapping")
    builder = _Builder(file, error)
    value = builder.build(node, (), 0)
    return YamlSource(value, builder.places, builder.key_places)


def parse_scalar(text: str) -> Any:
    """Read a plain scalar by the YAML 1.2 core schema: None, bool, int, float or the text itself."""
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
        return text[0] in "tT"
    if _INTEGER.fullmatch(text) and len(text) < 100:
        return int(text)
    if _BASED.fullmatch(text) and len(text) < 100:
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        value = float(text)
        return _Written(text) if isinf(value) or _INTEGER.fullmatch(text) else value
    special = _SPECIAL.fullmatch(text)
    if special:
        return float(special[1] + "inf") if special[2] else float("nan")
    return text


class _Written(float):
    """A number too large for its kind, which an error shows as it was written."""

    text: str

    def __new__(cls, text: str) -> Self:
        """Read the number; keep the text."""
        self = super().__new__(cls, text)
        self.text = text
        return self

    def __repr__(self) -> str:
        return self.text


class _Loader(yaml.BaseLoader):
    """Composes nodes and resolves nothing, but remembers which scalars were plain and untagged."""

    def resolve(self, kind: type, value: Any, implicit: Any) -> str:
        """Mark plain scalars; give the rest YAML's own default tag."""
        if kind is yaml.ScalarNode and implicit[0]:
            return _PLAIN
        return str(super().resolve(kind, value, implicit))


class _Builder:
    """Turns nodes into values and notes their places."""

    def __init__(self, file: str | Path, error: type[InputError]) -> None:
        self.file, self.error, self.nodes = file, error, 0
        self.places: dict[Path_, Where] = {}
        self.key_places: dict[Path_, Where] = {}

    def build(self, node: yaml.Node, path: Path_, depth: int) -> Any:
        """Return the value of `node`, which stands at `path`."""
        where = _where(self.file, node.start_mark)
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self.error(f"more than {MAX_NODES} values once its aliases are expanded", where=where)
        if depth > MAX_DEPTH:
            raise self.error(f"nested deeper than {MAX_DEPTH} levels (or an alias that holds itself)", where=where)
        if node.tag != _PLAIN and node.tag not in _DEFAULT_TAGS:
            raise self.error(f"the tag {node.tag!r} is not allowed", where=where, expected="plain values, no tags")
        is_scalar = isinstance(node, yaml.ScalarNode)
        if is_scalar:
            self._check_text(node.value, where)
        self.places[path] = where if is_scalar else self.key_places.get(path, where)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, i), depth + 1) for i, item in enumerate(node.value)]
        return parse_scalar(node.value) if node.tag == _PLAIN else node.value

    def _check_text(self, text: str, where: Where) -> None:
        # "\\ud800" is no character; it would break whatever writes the text again as UTF-8.
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise self.error("half of a surrogate pair is not a character", where=where, found=text)

    def _mapping(self, node: yaml.MappingNode, path: Path_, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            where = _where(self.file, key_node.start_mark)
            if not isinstance(key_node, yaml.ScalarNode):
                raise self.error(f"a {key_node.id} stands where a key belongs", where=where, expected="text")
            key = key_node.value
            self._check_text(key, where)
            if key in values:
                lines_of = f"in line {lines[key]} and " if lines[key] != where.line else ""
                raise self.error(
                    f"{_dotted((*path, key))}: the key stands twice, {lines_of}in line {where.line}", where=where
                )
            lines[key] = where.line or 0
            self.key_places[(*path, key)] = where
            values[key] = self.build(value_node, (*path, key), depth + 1)
        return values


_DEFAULT_TAGS = tuple(f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map"))


def _where(file: str | Path, mark: Any) -> Where:
    return Where(file) if mark is None else Where(file, mark.line + 1, mark.column + 1)


def _one_line(problem: yaml.MarkedYAMLError) -> str:
    parts = [part for part in (problem.context, problem.problem) if part]
    return ", ".join(" ".join(part.split()) for part in parts)


def _dotted(path: Path_) -> str:
    return ".".join(str(part) for part in path)
