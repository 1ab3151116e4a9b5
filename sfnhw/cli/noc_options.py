"""Options of `sfnhw noc` that say what the network and its traffic are."""

import math
from collections.abc import Sequence

import click

from sfnhw.cli.options import Decorator
from sfnhw.errors import InputError


def _cycles(flag: str, what: str) -> Decorator:
    return click.option(flag, default=1, show_default=True, type=int, metavar="N", help=f"Cycles of {what}.")


NETWORK_OPTIONS: tuple[Decorator, ...] = (
    click.option("--size", default="8x8", show_default=True, metavar="CxR", help="Nodes across and down."),
    click.option("--topology", default="mesh", show_default=True, metavar="T", help="mesh, torus or cmesh."),
    click.option("--concentration", metavar="CxR", help="Nodes of one router on a cmesh.  [default: 2x2]"),
    click.option(
        "--pattern",
        default="uniform",
        show_default=True,
        metavar="P",
        help="uniform, transpose, bit-complement, neighbor or hotspot.",
    ),
    click.option("--hotspot", multiple=True, metavar="NODE:SHARE", help="With pattern hotspot; may be repeated."),
    click.option("--routing", default="xy", show_default=True, metavar="R", help="Dimension order: xy or yx."),
    click.option(
        "--shared-vc",
        default="whole",
        show_default=True,
        metavar="S",
        help="Who may take the channel that both classes of a torus with an odd number share: `whole`: a packet that has "
        "room in it; `any`: every one, which can deadlock.",
    ),
    click.option("--packet-flits", default=1, show_default=True, type=int, metavar="F", help="Length of a packet."),
    click.option("--virtual-channels", default=4, show_default=True, type=int, metavar="V", help="Of each channel."),
    click.option("--buffer-flits", default=8, show_default=True, type=int, metavar="B", help="Of a virtual channel."),
    _cycles("--route-cycles", "route computation; 0: look-ahead"),
    _cycles("--vc-alloc-cycles", "virtual-channel allocation"),
    _cycles("--switch-alloc-cycles", "switch allocation"),
    _cycles("--switch-cycles", "switch traversal"),
    _cycles("--link-cycles", "a link"),
    _cycles("--credit-cycles", "a credit's way back"),
)


def parse_size(option: str, text: str) -> tuple[int, int]:
    """Read ``8x8``.

    Raises
    ------
    InputError : anything else.
    """
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(p.isascii() and p.isdecimal() and len(p) < 6 and int(p) > 0 for p in parts):
        raise InputError(field=option, found=text, expected="columns and rows, such as 8x8")
    return int(parts[0]), int(parts[1])


def parse_hotspots(texts: Sequence[str]) -> tuple[tuple[int, float], ...]:
    """Read ``NODE:SHARE`` once or more.

    Raises
    ------
    InputError : anything else, or a node twice.
    """
    found = []
    for text in texts:
        node, colon, share = text.partition(":")
        try:
            value = float(share)
        except ValueError:
            value = math.nan
        if not (colon and node.isascii() and node.isdecimal() and len(node) < 8 and math.isfinite(value)):
            raise InputError(field="--hotspot", found=text, expected="a node and its share, such as 27:0.2")
        found.append((int(node), value))
    if len({node for node, _ in found}) < len(found):
        raise InputError("the same node twice", field="--hotspot", found=" ".join(texts))
    return tuple(found)
