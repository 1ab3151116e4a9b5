"""`sfnhw convert FILE.nir`, `record` and `export` on the command line."""

import nir
import numpy as np
import pytest

import sfnhw
from sfnhw.cli import main
from tests.snntorch_networks import exported, forward, mlp, trains


@pytest.fixture
def folder(tmp_path):
    net, x = mlp(3, 0.9, 0.7, "zero"), trains(3, 3, 20, (20,))
    nir.write(tmp_path / "net.nir", exported(net, (20,)))
    np.savez(tmp_path / "x.npz", inputs=x, labels=np.array([1, 2, 3]))
    np.savez(tmp_path / "spikes.npz", **forward(net, x))
    return tmp_path


def run(capsys, *arguments):
    code = main([str(a) for a in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_convert_record_and_export(folder, capsys):
    code, _, err = run(
        capsys, "convert", folder / "net.nir", "--dt", "1e-4", "--reset", "zero", "-o", folder / "net.sfn"
    )
    assert code == 0, err
    assert "following snntorch (v > θ, reset one step late)" in err
    for more, name in (((), "out.npz"), (("--real",), "real.npz")):
        code, _, err = run(
            capsys, "record", folder / "net.sfn", "--inputs", folder / "x.npz", "-o", folder / name, *more
        )
        assert code == 0, err
        assert "3 samples, T = 20" in err
    with np.load(folder / "real.npz") as real, np.load(folder / "spikes.npz") as expected:
        assert sorted(real.files) == ["levels/input", "levels/lif1", "levels/lif2", "outputs"]
        for name in ("lif1", "lif2"):
            assert real[f"levels/{name}"].dtype.kind == "i"
            assert np.array_equal(real[f"levels/{name}"], expected[name])
        assert np.allclose(real["outputs"], expected["lif2"].mean(axis=1))
    with np.load(folder / "out.npz") as chip, np.load(folder / "x.npz") as x:
        assert chip["levels/output"].shape == (3, 20, 10)
        assert chip["levels/output"].dtype.kind == "i"
        assert np.array_equal(chip["levels/input"], x["inputs"])
    code, _, err = run(capsys, "export", folder / "net.sfn", "--dt", "1e-3", "-o", folder / "again.nir")
    assert code == 0, err
    again = sfnhw.from_nir(folder / "again.nir", timesteps=20)
    assert again["lif1"].coding.reset == "zero"
    assert not [p for p in folder.iterdir() if p.name.startswith(".")], "nothing half written is left"


def test_estimate_runs_what_was_converted(folder, capsys, few_figures):
    run(capsys, "convert", folder / "net.nir", "--dt", "1e-4", "--reset", "zero", "-o", folder / "net.sfn")
    code, out, err = run(
        capsys, "estimate", folder / "net.sfn", "--inputs", folder / "x.npz", "-o", folder / "run", "--json"
    )
    assert code == 0, err
    assert '"leak": 2400' in out  # 3 samples × 20 steps × 40 neurons


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (["net.nir"], ["--dt SECONDS", "--reset subtract|zero"]),
        (["net.nir", "--dt", "1e-4", "--reset", "hard"], ["--reset: found 'hard'"]),
        (["net.nir", "--dt", "0", "--reset", "zero"], ["--dt: found 0.0"]),
        (["net.nir", "--dt", "1e-4", "--reset", "zero", "--coding", "sfn"], ["--coding: a NIR file brings its own"]),
        (["net.nir", "--dt", "1e-4", "--reset", "zero", "--input", "graded"], ["--timesteps T"]),
        (["net.nir", "--dt", "1e-4", "--reset", "zero", "--library", "norse"], ["--library: found 'norse'"]),
        (["cut.nir", "--dt", "1e-4", "--reset", "zero"], ["cut.nir: cannot be read as a NIR file"]),
        (["none.nir", "--dt", "1e-4", "--reset", "zero"], ["none.nir: found"]),
        (["module.py:build", "--dt", "1e-4", "--calibration", "x.npz"], ["--dt: only a NIR file has it"]),
        (["module.py:build"], ["--calibration: is needed"]),
    ],
)
def test_bad_calls_end_with_2_and_one_sentence(folder, capsys, monkeypatch, arguments, texts):
    monkeypatch.chdir(folder)
    (folder / "cut.nir").write_bytes((folder / "net.nir").read_bytes()[:2000])
    code, out, err = run(capsys, "convert", *arguments, "-o", "n.sfn")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    for text in texts:
        assert text.replace("none.nir: found", "none.nir: no such file") in err
    assert not (folder / "n.sfn").exists()


def test_without_the_package_the_extra_is_named(folder, capsys, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "nir", None)
    code, _, err = run(capsys, "convert", folder / "net.nir", "--dt", "1e-4", "--reset", "zero", "-o", folder / "n.sfn")
    assert code == 2
    assert "pip install 'sfnhw[nir]'" in err
