"""NIR graphs that any program may write: one sentence with the node, never a traceback, nothing dropped."""

from typing import Any

import nir
import numpy as np
import pytest

from sfnhw.errors import NetworkError
from sfnhw.nir import from_nir


def lif(n: int = 3, notes: dict[str, Any] | None = None, **changed: Any) -> nir.LIF:
    given = {"tau": 1e-3, "r": 10.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0} | changed
    return nir.LIF(**{name: np.full(n, value) for name, value in given.items()}, metadata=notes or {})


def graph(notes: dict[str, Any] | None = None, **nodes: Any) -> nir.NIRGraph:
    parts = {
        "input": nir.Input({"input": np.array([4])}),
        "w": nir.Affine(np.ones((3, 4)), np.zeros(3)),
        "l": lif(),
        "output": nir.Output({"output": np.array([3])}),
    } | nodes
    edges = [("input", "w"), ("w", "l"), ("l", "output")]
    return nir.NIRGraph(nodes=parts, edges=edges, metadata=notes or {}, type_check=False)


def convolution(**changed: Any) -> nir.NIRGraph:
    given = {"input_shape": (8, 8), "stride": 1, "padding": 0, "dilation": 1, "groups": 1} | changed
    shape = np.array([3, 6, 6])
    return graph(
        input=nir.Input({"input": np.array([1, 8, 8])}),
        w=nir.Conv2d(weight=np.ones((3, 1, 3, 3)), bias=np.zeros(3), **given),
        l=nir.IF(r=np.full(shape, 1e4), v_threshold=np.ones(shape)),
        output=nir.Output({"output": shape}),
    )


def events(**notes: Any) -> nir.Input:
    return nir.Input({"input": np.array([4])}, metadata=notes)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (graph(w=nir.Affine(np.full((3, 4), 1j), np.zeros(3))), "weight holds values of type complex128"),
        (graph(w=nir.Affine(np.full((3, 4), "a"), np.zeros(3))), "'w' (Affine)"),
        (graph(w=nir.Affine(np.full((3, 4), {}, object), np.zeros(3))), "weight holds values of type object"),
        (graph(l=lif(v_threshold="high")), "v_threshold holds values of type"),
        (graph(l=lif(v_threshold=np.inf)), "not finite (expected finite numbers): node 'l'"),
        (graph(l=lif(v_leak=1e308, r=1e-5)), "not finite (expected finite numbers): node 'l'"),
        (graph(output=nir.Output({"output": np.array([9])})), "(3,) lead into it (expected (9,)"),
        (graph(input=nir.Input({"input": np.array([2**62])})), "at most 2,147,483,648 of them): node 'input'"),
        (graph(input=nir.Input({"input": np.array([0, 4])})), "values of shape (0, 4)"),
        (convolution(groups=2), "2 groups for 1 channels into 3"),
        (convolution(groups=0), "groups is 0"),
        (convolution(dilation=0), "node 'w' (Conv2d)"),
        (graph(input=events(sfnhw_input_max="many")), "sfnhw_input_max: found 'many'"),
        (graph(input=events(sfnhw_input="graded")), "sfnhw_input_bits: missing from the file's metadata"),
        (graph(input=events(sfnhw_input_signed=7)), "sfnhw_input_signed: found 7.0, expected 0 or 1"),
        (graph({"sfnhw_timesteps": "some"}), "sfnhw_timesteps: found 'some', expected one finite number"),
        (graph({"sfnhw_timesteps": 2.5}), "sfnhw_timesteps: found 2.5, expected a whole number"),
    ],
)
def test_a_graph_with_wrong_values_is_refused_by_node(made, words):
    with pytest.raises(NetworkError) as error:
        from_nir(made, dt=1e-4, reset="subtract")
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("notes", "words"),
    [
        ({"sfnhw_reset": "subtract"}, "sfnhw_delayed_reset: missing"),
        ({"sfnhw_reset": "never", "sfnhw_delayed_reset": 0, "sfnhw_strict": 0}, "sfnhw_reset of 'l': found 'never'"),
        ({"sfnhw_reset": "zero", "sfnhw_delayed_reset": "x", "sfnhw_strict": 0}, "sfnhw_delayed_reset: found 'x'"),
    ],
)
def test_notes_of_our_own_export_are_not_trusted(notes, words):
    with pytest.raises(NetworkError) as error:
        from_nir(graph(l=lif(notes=notes)), dt=1e-4)
    assert words in str(error.value)
    with pytest.raises(NetworkError, match="sfnhw_dt: found 'x'"):
        from_nir(graph({"sfnhw_dt": "x"}), reset="zero")


@pytest.mark.parametrize("steps", [0, -3, 2.0, True])
def test_timesteps_are_a_whole_number_above_zero(steps):
    with pytest.raises(NetworkError, match="timesteps: found"):
        from_nir(graph(), dt=1e-4, reset="subtract", timesteps=steps)


def test_the_graph_itself_is_fine():
    assert [p.name for p in from_nir(graph(), dt=1e-4, reset="subtract").populations] == ["input", "l", "output"]
