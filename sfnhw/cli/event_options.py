"""The options of `sfnhw estimate` for the event log."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from sfnhw.cli.options import as_typed
from sfnhw.errors import InputError

if TYPE_CHECKING:
    from sfnhw.network import Network
    from sfnhw.run import Run

FLAGS = {"sample": "--event-sample", "limit": "--event-limit", "layers": "--event-layer"}


@dataclass(frozen=True)
class EventRequest:
    """What was asked for; `given` are the arguments of `Run.with_events`."""

    wanted: bool
    given: dict[str, Any]

    def check(self, fidelity: str) -> None:
        """Before anything is read: Parquet can be written, and the fidelity is the one that has events."""
        if not self.wanted:
            for name, value in self.given.items():
                found = ", ".join(value) if isinstance(value, tuple) else value
                raise InputError("is of the event log", field=FLAGS[name], found=found, expected="--events with it")
            return
        if fidelity != "packet":
            text = "only fidelity packet logs events"
            expected = "--fidelity packet, or no --events"
            raise InputError(text, field="--events", found=f"--fidelity {fidelity}", expected=expected)
        from sfnhw.reports.event_file import arrow

        arrow()

    def check_against(self, network: "Network", samples: int) -> None:
        """Before the run: there are such layers and such an inference."""
        if self.wanted:
            from sfnhw.sim.event_log import check_request

            with as_typed(FLAGS):
                check_request(network, samples, **self.given)

    def of(self, run: "Run") -> "Run":
        """Return the run with its log, where one is wanted."""
        return run.with_events(**self.given) if self.wanted else run


def event_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; the command gets them as one `EventRequest`."""

    @click.option(
        "--events",
        is_flag=True,
        help="Log every packet and busy interval of one inference to DIR/events.parquet, for `sfnhw trace`; with --fidelity "
        "packet only.",
    )
    @click.option("--event-sample", type=click.IntRange(0), metavar="K", help="Which inference to log  [default: 0]")
    @click.option(
        "--event-layer", "event_layers", multiple=True, metavar="NAME", help="Log this layer's; more than once."
    )
    @click.option("--event-limit", type=click.IntRange(1), metavar="N", help="Events at most  [default: 1,000,000]")
    @wraps(command)
    def with_request(
        *args: Any,
        events: bool,
        event_sample: int | None,
        event_layers: tuple[str, ...],
        event_limit: int | None,
        **rest: Any,
    ) -> Any:
        asked = {"sample": event_sample, "limit": event_limit, "layers": event_layers or None}
        request = EventRequest(events, {name: value for name, value in asked.items() if value is not None})
        return command(*args, events=request, **rest)

    return with_request
