"""The points of an exploration in a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from sfnhw.reports.few_samples import few_samples_text
from sfnhw.reports.mapping_report import cut_text
from sfnhw.reports.terminal import WIDTH, fits, table, wrapped
from sfnhw.reports.text import clean, field_text, scaled_unit, short_number, shortest_ends

Row = Mapping[str, Any]
PER_SECOND = "per\nsecond"


def table_text(rows: Sequence[Row], fields: Sequence[str], samples: int | None = None, about: str = "") -> str:
    """Return rows by energy in at most 80 columns, then what could not be estimated, each with its whole reason.

    Nothing is cut: a table that is too wide for a column for each field is without throughput, or has the settings as one text
    that wraps. Fields with the same value everywhere are said once.

    about : a sentence to begin with, e.g. `about_text`.
    samples : that accuracies were measured on, where that is to be said if they are few.
    """
    good = sorted((row for row in rows if row.get("error") is None), key=lambda row: row["energy_j"])
    # One name for each field, whether it varies or not: two that end alike are told apart everywhere.
    short = dict(zip(fields, shortest_ends(fields), strict=True))
    same = [field for field in fields if field not in varied_fields(rows, fields)]
    every, fields = setting_text(rows[0], [short[f] for f in same], same) if same else "", varied_fields(rows, fields)
    names = [short[field] for field in fields]
    lines = [*wrapped(about), ""] if about else []
    warned = sum(bool(row.get("warnings")) for row in good)
    if good:
        head, cells = _widest(good, names, fields)
        lines += table(head, cells)
        if every:
            lines += wrapped(f"in every point: {every}")
        lines += wrapped("* no other point has both less energy and less latency; area: of the whole chip")
        lines += wrapped("per second: inferences that follow each other") if PER_SECOND in head else []
        known = [r["accuracy"] for r in good if r.get("accuracy") is not None]
        few = few_samples_text(known, samples) if samples else ""
        lines += wrapped(f"accuracy {few}") if few else []
        if warned:
            lines += wrapped(
                f"! in doubt: {warned} of {len(good)} have warnings, in the column `warnings` of the table"
            )
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row.get("error") is not None:
            reasons.setdefault(clean(row["error"]), []).append(setting_text(row, names, fields))
    if reasons:
        failed = sum(len(settings) for settings in reasons.values())
        lines += [""] * bool(good) + wrapped(f"{failed} of {len(rows)} could not be estimated:")
        for reason, settings in reasons.items():
            for i, setting in enumerate(settings):
                lines += wrapped(setting + (":" if i == len(settings) - 1 else ","))
            lines += [f"  {line}" for line in wrapped(reason, "", WIDTH - 2)]
    return "\n".join(line.rstrip() for line in lines)


def about_text(points: int, chip: str, fidelity: str, objective: str, placer: str) -> str:
    """Return what every point has in common, e.g. ``6 points on reference, packet fidelity; layers cut for latency, placed by hilbert``."""
    return (
        f"{points:,} point{'s' * (points != 1)} on {chip}, {fidelity} fidelity; placed by {placer}; "
        f"{cut_text(objective, objective)}"
    )


def varied_fields(rows: Sequence[Row], fields: Sequence[str]) -> list[str]:
    """Return the fields that tell points apart; all of them where none does."""
    return [f for f in fields if len({field_text(row[f]) for row in rows}) > 1] or list(fields)


def setting_text(row: Row, names: Sequence[str], fields: Sequence[str]) -> str:
    """Return e.g. ``columns 4, synapse_lanes 8``."""
    return ", ".join(f"{name} {field_text(row[field])}" for name, field in zip(names, fields, strict=True))


def _widest(rows: Sequence[Row], names: Sequence[str], fields: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Heads and cells of the table that says most of those that fit."""
    for lay in (_columns, _folded):
        for throughput in (True, False):
            head, cells = lay(rows, names, fields, throughput)
            if fits(head, cells):
                return head, cells
    return head, cells


def _measures(rows: Sequence[Row], throughput: bool) -> tuple[list[str], list[list[str]]]:
    """Heads and cells of what was estimated; one unit a column, so that numbers can be compared at a glance."""
    with_accuracy = any(row.get("accuracy") is not None for row in rows)
    per_joule, joule = scaled_unit(max(row["energy_j"] for row in rows), "J")
    per_second, second = scaled_unit(max(row["latency_s"] for row in rows), "s")
    head = [f"energy\n{joule}", f"band\n{joule}", f"latency\n{second}", *([PER_SECOND] if throughput else [])]
    head += [*(["accuracy\n%"] if with_accuracy else []), "cores\n", "area\nmm2"]
    cells = []
    for row in rows:
        low, value, high = (short_number(per_joule * row[key]) for key in ("energy_low_j", "energy_j", "energy_high_j"))
        accuracy = row.get("accuracy")
        right = [f"{100 * accuracy:.2f}" if accuracy is not None else "unknown"] if with_accuracy else []
        pace = [short_number(row["throughput_inferences_per_s"])] if throughput else []
        latency = short_number(per_second * row["latency_s"])
        area = short_number(row["area_mm2"])
        cells.append([value, f"{low} to {high}", latency, *pace, *right, f"{row['cores_used']:,}", area])
    return head, cells


def _marks(rows: Sequence[Row]) -> list[str]:
    """``*`` on the front, ``!`` with warnings: as many characters for each row."""
    front = ["*" if row["on_pareto"] else " " for row in rows]
    doubt = ["!" if row.get("warnings") else " " for row in rows]
    return [a + b for a, b in zip(front, doubt, strict=True)] if "!" in doubt else front


def _columns(
    rows: Sequence[Row], names: Sequence[str], fields: Sequence[str], throughput: bool
) -> tuple[list[str], list[list[str]]]:
    """One column a field; the first holds the mark too."""
    head, measures = _measures(rows, throughput)
    heads = [_broken(name) for name in names]
    settings = [[field_text(row[field]) for field in fields] for row in rows]
    width = max(len(text) for text in [*heads[0].split("\n"), *(s[0] for s in settings)])
    marks = _marks(rows)
    first = [f"{mark} {s[0]:>{width}}" for mark, s in zip(marks, settings, strict=True)]
    cells = [[f, *s[1:], *m] for f, s, m in zip(first, settings, measures, strict=True)]
    indent = " " * (len(marks[0]) + 1)
    top = "\n".join(f"{indent}{line:>{width}}" for line in heads[0].split("\n"))
    return [top, *heads[1:], *head], cells


def _broken(name: str) -> str:
    """Break a field's name after the dot or underscore nearest to its middle, if it is long."""
    places = [i + 1 for i, c in enumerate(name) if c in "._" and i + 1 < len(name)]
    if len(name) <= 8 or not places:
        return f"{name}\n"
    at = min(places, key=lambda i: abs(2 * i - len(name)))
    return f"{name[:at]}\n{name[at:]}"


def _folded(
    rows: Sequence[Row], names: Sequence[str], fields: Sequence[str], throughput: bool
) -> tuple[list[str], list[list[str]]]:
    """All fields as one text."""
    head, measures = _measures(rows, throughput)
    marks = _marks(rows)
    texts = [f"{mark} {setting_text(row, names, fields)}" for mark, row in zip(marks, rows, strict=True)]
    return [f"{' ' * len(marks[0])} setting\n", *head], [[text, *m] for text, m in zip(texts, measures, strict=True)]
