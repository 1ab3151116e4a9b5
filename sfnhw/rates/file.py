"""The rates file: an .npz of plain arrays (no pickle) with a versioned JSON header; or numbers in YAML or JSON.

Key ``header`` holds UTF-8 JSON as bytes: ``format`` ("sfnhw.rates"), ``version`` (1), ``source``, and ``populations``,
each with ``name``, ``by`` and ``steps``. Arrays are named ``<i>/group``, ``<i>/offsets``, ``<i>/levels`` and
``<i>/probability`` (see `PopulationRates`), so a name given by a user is never a key.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from sfnhw.errors import ActivityError, Where
from sfnhw.inputs import read_npz
from sfnhw.network import Network
from sfnhw.npz_header import read_header, write_npz
from sfnhw.rates.given import given_rates
from sfnhw.rates.population import PopulationRates
from sfnhw.yaml_source import read_yaml

if TYPE_CHECKING:
    from sfnhw.rates.rates import Rates

FORMAT, VERSION = "sfnhw.rates", 1
ARRAYS = ("group", "offsets", "levels", "probability")
TEXT_SUFFIXES = (".yaml", ".yml", ".json")
EXPECTED = "a rates file (.npz) as `sfnhw rates` writes it"


def save_rates(rates: "Rates", path: str | Path) -> Path:
    """Write beside, then rename.

    Raises
    ------
    InputError : a name that does not end in .npz, or a folder that cannot be written.
    """
    header = {
        "format": FORMAT,
        "version": VERSION,
        "source": rates.source,
        "populations": [{"name": name, "by": p.by, "steps": p.steps} for name, p in rates.populations.items()],
    }
    arrays: dict[str, Any] = {}
    for i, p in enumerate(rates.populations.values()):
        arrays.update({f"{i}/{key}": getattr(p, key) for key in ARRAYS})
    return write_npz(path, header, arrays, ActivityError)


def load_rates(path: str | Path, network: Network | None = None) -> "Rates":
    """Read rates from .npz, .yaml, .yml or .json; with a network given, check that they are its rates.

    Raises
    ------
    ActivityError : no such file, another kind of file, truncated, pickled or of another version, numbers that are no
        distribution, rates of another network; or YAML and JSON without a network, which they need.
    """
    from sfnhw.rates.rates import Rates

    path = Path(path)
    if path.suffix.lower() in TEXT_SUFFIXES:
        if network is None:
            raise ActivityError("numbers need the network that they are for", where=Where(path), field="network")
        source = read_yaml(path, ActivityError)
        if not isinstance(source.value, dict):
            raise ActivityError(where=Where(path), found=source.value, expected="a mapping from population names")
        return Rates(
            given_rates(network, source.value, lambda name: source.where((name,), key=True)), f"given in {path.name}"
        )
    arrays = read_npz(path, EXPECTED)
    try:
        header = read_header(arrays, FORMAT, VERSION, EXPECTED)
        populations = {str(c["name"]): _population(i, c, arrays) for i, c in enumerate(header["populations"])}
        rates = Rates(populations, str(header["source"]))
        if network is not None:
            rates.check(network)
    except ActivityError as error:
        raise ActivityError(str(error), where=Where(path)) from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        text = f"the header is malformed ({type(error).__name__}: {error})"
        raise ActivityError(text, where=Where(path), expected=EXPECTED) from None
    return rates


def _population(i: int, config: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> PopulationRates:
    for key in ARRAYS:
        if f"{i}/{key}" not in arrays:
            raise ActivityError(f"array '{i}/{key}' (of population {config['name']!r}) is missing")
    parts = {key: arrays[f"{i}/{key}"] for key in ARRAYS}
    try:
        return PopulationRates(by=str(config["by"]), steps=config["steps"], **parts)
    except ActivityError as error:
        raise ActivityError(str(error), field=f"population {config['name']!r}") from None
