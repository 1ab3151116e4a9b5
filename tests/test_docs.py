"""The pages' links lead somewhere, and the README's Python is the API."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest

import sfnhw
from tests.networks import chain, random_inputs

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "examples" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if not (page.parent / link).exists()]
    assert missing == []


def test_readme_calls_what_exists():
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    names = {
        n.attr
        for n in ast.walk(ast.parse(code))
        if isinstance(n, ast.Attribute) and getattr(n.value, "id", "") == "sfnhw"
    }
    assert {"convert", "estimate"} <= names
    assert all(callable(getattr(sfnhw, name)) for name in names)


def test_the_example_of_a_sweep_runs_and_more_lanes_are_no_slower(tmp_path, monkeypatch, capsys):
    (code,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / "exploration.md").read_text(encoding="utf-8"), re.DOTALL
    )
    network = chain([12, 40, 5])
    network.save(tmp_path / "net.sfn")
    np.savez(tmp_path / "test.npz", inputs=random_inputs(network, 1))
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "exploration.md", "exec"), {})
    found = re.findall(
        r"^ *(\d+) lanes, links of (\d): ([\d.]+) µs, ([\d.]+) nJ$", capsys.readouterr().out, re.MULTILINE
    )
    assert [(int(n), int(k)) for n, k, _, _ in found] == [(n, k) for n in (1, 4, 16) for k in (1, 2)]
    latency = np.array([float(us) for _, _, us, _ in found]).reshape(3, 2)
    assert (np.diff(latency, axis=0) <= 0).all()
    assert (np.diff(latency, axis=1) >= 0).all()
    assert latency[0, 0] > latency[2, 0]
