"""A NIR file or graph as one flat graph: nodes by name, edges, nothing nested."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sfnhw.errors import NetworkError, Where

# What joins the names of nested graphs, as nirtorch does.
DOT = "."


@dataclass(frozen=True)
class FlatGraph:
    """Nodes and edges of a NIR graph, subgraphs dissolved into it.

    Attributes
    ----------
    nodes : name → NIR node; a node of subgraph `a` is called ``a.node``.
    edges : (from, to), in the order of the file, each once.
    metadata : of the outermost graph.
    nested : names of the subgraphs.
    """

    nodes: dict[str, Any]
    edges: tuple[tuple[str, str], ...]
    metadata: dict[str, Any]
    nested: tuple[str, ...]

    def before(self, name: str) -> list[str]:
        """Nodes with an edge into this one."""
        return [a for a, b in self.edges if b == name]

    def after(self, name: str) -> list[str]:
        """Nodes that this one has an edge to."""
        return [b for a, b in self.edges if a == name]

    def kind(self, name: str) -> str:
        """Type of a node, as NIR calls it."""
        return type(self.nodes[name]).__name__


def nir_package() -> Any:
    """Import the `nir` package; raises NetworkError with what to install where it is missing."""
    try:
        import nir
    except ImportError as error:
        raise NetworkError(
            f"NIR files need the package 'nir', which is not installed ({error}): pip install 'sfnhw[nir]'"
        ) from None
    return nir


def read_graph(source: Any) -> FlatGraph:
    """Read a file, or take a `nir.NIRGraph`, and flatten it.

    Raises
    ------
    NetworkError : no such file, not a NIR file (truncated, foreign), an edge without a node.
    """
    nir = nir_package()
    if isinstance(source, nir.NIRGraph):
        return _flat(source)
    if not isinstance(source, str | Path):
        raise NetworkError(field="source", found=type(source).__name__, expected="a path or a nir.NIRGraph")
    path = Path(source)
    if not path.is_file():
        raise NetworkError(
            "is a folder" if path.is_dir() else "no such file", where=Where(path), expected="a NIR file (.nir)"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Shapes are worked out and checked here: files of snnTorch leave scalars where nir wants whole shapes.
            graph = nir.read(path, type_check=False)
    except Exception as error:  # nir lets through whatever h5py, numpy and its own asserts raise on a foreign file
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        raise NetworkError(
            f"cannot be read as a NIR file ({what}): truncated, or not written by nir.write", where=Where(path)
        ) from None
    if not isinstance(graph, nir.NIRGraph):
        raise NetworkError("is no NIR graph", where=Where(path), found=type(graph).__name__, expected="a NIRGraph")
    try:
        return _flat(graph)
    except NetworkError as error:
        raise NetworkError(str(error), where=Where(path)) from None


def _flat(graph: Any) -> FlatGraph:
    nodes: dict[str, Any] = {}
    edges: list[tuple[str, str]] = []
    nested: list[str] = []
    _collect(graph, "", nodes, edges, nested)
    for a, b in edges:
        for end in (a, b):
            if end not in nodes:
                raise NetworkError("an edge to a node that is not there", field=f"edge {a!r} → {b!r}", found=end)
    return FlatGraph(nodes, tuple(dict.fromkeys(edges)), _plain(graph.metadata), tuple(nested))


def _collect(
    graph: Any, prefix: str, nodes: dict[str, Any], edges: list[tuple[str, str]], nested: list[str]
) -> tuple[list[str], list[str]]:
    """Add a graph's nodes and edges; return the names of its own inputs and outputs.

    Inputs and outputs of a subgraph stay as nodes: they pass on what they get.
    """
    ends: dict[str, tuple[list[str], list[str]]] = {}
    inputs, outputs = [], []
    for name, node in graph.nodes.items():
        kind = type(node).__name__
        if kind == "NIRGraph":
            nested.append(prefix + name)
            ends[name] = _collect(node, prefix + name + DOT, nodes, edges, nested)
            continue
        nodes[prefix + name] = node
        ends[name] = ([prefix + name], [prefix + name])
        if kind == "Input":
            inputs.append(prefix + name)
        elif kind == "Output":
            outputs.append(prefix + name)
    for a, b in graph.edges:
        for end in (a, b):
            if end not in ends:
                raise NetworkError("an edge to a node that is not there", field=f"edge {a!r} → {b!r}", found=end)
        edges += [(x, y) for x in ends[a][1] for y in ends[b][0]]
    return inputs, outputs


def _plain(metadata: Any) -> dict[str, Any]:
    return dict(metadata) if isinstance(metadata, dict) else {}
