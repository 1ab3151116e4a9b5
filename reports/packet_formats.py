"""Which packet format each layer uses, and why."""

from collections.abc import Mapping
from typing import Any

from sfnhw.mapping.packet_formats import AER, AUTO, formats_for, packing
from sfnhw.reports.text import elide
from sfnhw.run import Run
from sfnhw.units import joules

NAMED = 4  # layers of a format that are named where there are many


def packet_format_rows(run: Run) -> list[dict[str, Any]]:
    """Return one row a layer: ``layer``, ``format``, ``formats`` (it could have had), and, where the chip chooses, why.

    break_even : format → spikes of each neuron in a timestep from which on a full bundle of its largest slice is shorter than
        its spikes by themselves (`Packing.break_even`; None: never). spikes_per_neuron : in a timestep, what really spikes.
    bits_per_neuron : format → bits of its packets for each neuron and timestep. energy_j, flits : format → energy of its packets
        and their flits through routers, an inference. The last three are empty with a fixed format.
    """
    network, counts = run.network, run.result.counts
    spikes = run.result.by_population(counts.sent_spikes)
    rows = []
    for p in network.order:
        choice = run.result.formats[p.name]
        forms = formats_for(p, run.chip)
        widest = max(run.mapping.slices_of(p.name), key=lambda s: s.neurons)
        single = packing(p, widest.block, run.chip, AER)
        values = run.samples * p.size * (1 if p.coding.only_last_timestep else network.timesteps)
        even = {form: packing(p, widest.block, run.chip, form).break_even(single) for form in forms if form != AER}
        rows.append(
            {
                "layer": p.name,
                "format": choice.format,
                "formats": list(forms),
                "break_even": {form: rate if rate < float("inf") else None for form, rate in even.items()},
                "spikes_per_neuron": spikes[p.name] / values,
                "bits_per_neuron": {form: bits / values for form, bits in choice.bits.items()},
                "energy_j": {form: joules(aj) / run.samples for form, aj in choice.energy_aj.items()},
                "flits": {form: flits / run.samples for form, flits in choice.flits.items()},
            }
        )
    return rows


def formats_text(run: Run) -> str:
    """Say how spikes are packed, in one sentence; empty where each is an address event of its own."""
    form, names = run.chip.packet.format, {name: choice.format for name, choice in run.result.formats.items()}
    if form == AER:
        return ""
    if form != AUTO:
        return f"Packets: {form}."
    used = sorted(set(names.values()))
    parts = (f"{form} from {', '.join(p.name for p in run.network.order if names[p.name] == form)}" for form in used)
    return f"Packets, in the format that takes the least energy: {'; '.join(parts)}."


def chosen_text(data: Mapping[str, Any]) -> str:
    """Return the format of each layer's packets from run.json, e.g. ``bundled from conv1, conv2; dense from input``.

    Of many layers of one format the first few are named. Empty where each spike is an address event of its own by the
    chip's order, and for runs of older versions, which do not say.
    """
    if data["chip"].get("packet.format", AER) == AER or "packet_formats" not in data:
        return ""
    layers: dict[str, list[str]] = {}
    for row in data["packet_formats"]:
        layers.setdefault(row["format"], []).append(row["layer"])
    parts = []
    for form in sorted(layers):
        names = [elide(name, 24, "..") for name in layers[form]]
        more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED + 1 else ""
        parts.append(f"{form} from {', '.join(names[: NAMED if more else None])}{more}")
    return "; ".join(parts)
