"""Which events are meant: the same options in every audit command, as far as its call knows them."""

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from vault.cli.audit.calling import AuditCalling
from vault.cli.audit.parameters import EVENT_UID, Certificate, subject_id
from vault.cli.audit.times import FORMS, When, WhenType, Zone
from vault.cli.parameters import Uuid

if TYPE_CHECKING:
    from pdvault_client import Event, EventFilter

Command = Callable[..., Any]

_DECISIONS = ("allowed", "denied", "failed", "partial")

TIMES = (
    click.option("--from", "start", type=WhenType(), metavar="TIME", help=f"At or after this time: {FORMS}."),
    click.option("--to", "end", type=WhenType(), metavar="TIME", help="Before this time; a date is meant to its end."),
)
FACETS = (
    click.option("--principal", metavar="NAME", help="Who: a certificate's URI, or its last part for somebody beside you."),
    click.option("--action", metavar="ACTION", help="What was done: Reveal, Tokenize, TenantCreated, …"),
    click.option("--decision", type=click.Choice(_DECISIONS, case_sensitive=False), help="How it ended."),
    click.option("--class", "data_class", metavar="CLASS", help="A data class that was touched."),
    click.option("--purpose", metavar="PURPOSE", help="What they said it was for."),
    click.option("--recipient", metavar="NAME", help="Who outside received what was released."),
    click.option("--policy", "policy_id", metavar="ID", help="A policy that decided."),
    click.option("--node", metavar="NAME", help="Which node answered."),
    click.option(
        "--certificate",
        "certificate_sha256",
        type=Certificate(),
        metavar="SHA256|FILE",
        help="With which certificate they called: its SHA-256 (hexadecimal), or a PEM file.",
    ),
)
SUBJECTS = (
    click.option(
        "--subject-id",
        metavar="ID|@FILE|-",
        help="Whom it is about, by your own name of the subject; @FILE and - (stdin) keep it out of the process list.",
    ),
    click.option("--subject-uid", type=EVENT_UID, metavar="UID", help="The same by the subject's uid, as events have it."),
)
MENTIONS = (
    *SUBJECTS,
    click.option("--token", metavar="TOKEN", help="Which token was used."),
    click.option("--token-uid", type=EVENT_UID, metavar="UID", help="The same by the token's uid, as events have it."),
    click.option("--request-id", type=Uuid(), metavar="UUID", help="One call, by its request id."),
)


@dataclass(frozen=True)
class Filters:
    """What was typed. ``fields`` are those of an EventFilter that are set, as they were typed."""

    start: When | None
    end: When | None
    fields: Mapping[str, Any]

    def event_filter(self, calling: AuditCalling, zone: Zone) -> "EventFilter":
        """The filter, for a call.

        Raises:
            ClickException: something that was given can't be read, or excludes something else.
        """
        from pdvault_client import Decision, EventFilter

        fields = {name: value for name, value in self.fields.items() if value}
        for one, other in (("subject_id", "subject_uid"), ("token", "token_uid")):
            if one in fields and other in fields:
                raise click.UsageError(f"--{one.replace('_', '-')} and --{other.replace('_', '-')} exclude each other")
        if "subject_id" in fields:
            fields["subject_id"] = subject_id(fields["subject_id"])
        if "principal" in fields:
            fields["principal"] = calling.full_name(fields["principal"])
        if "decision" in fields:
            fields["decision"] = Decision[fields["decision"].upper()]
        if "action" in fields:
            fields["action"] = fields["action"][0].upper() + fields["action"][1:]
        if "request_id" in fields:
            fields["request_id"] = str(fields["request_id"])
        now = datetime.now(UTC)
        start = self.start.begin(zone, now) if self.start else None
        end = self.end.end(zone, now) if self.end else None
        if start and end and start >= end:
            raise click.UsageError("--from must be before --to")
        return EventFilter(start_time=start, end_time=end, **fields)


def filter_options(*groups: tuple[Callable[[Command], Command], ...]) -> Callable[[Command], Command]:
    """Options of these groups; the command gets them as one ``filters``."""
    options = [option for group in groups for option in group]
    names = [parameter.name for parameter in _parameters(options) if parameter.name]

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_filters(*args: Any, **kwargs: Any) -> Any:
            given = {name: kwargs.pop(name) for name in names}
            filters = Filters(given.pop("start", None), given.pop("end", None), given)
            return command(*args, filters=filters, **kwargs)

        wrapped: Command = with_filters
        for option in reversed(options):
            wrapped = option(wrapped)
        return wrapped

    return decorate


def _parameters(options: Iterable[Callable[[Command], Command]]) -> list[click.Parameter]:
    """The parameters that these options would give to a command."""

    def nothing() -> None: ...

    for option in options:
        option(nothing)
    return list(getattr(nothing, "__click_params__", []))


def matches(event: "Event", wanted: "EventFilter") -> bool:
    """Whether an event matches what a filter says of times and of what events are counted by; subjects and tokens do not count."""
    same = ("principal", "action", "decision", "purpose", "recipient", "request_id", "node", "certificate_sha256")
    return (
        (wanted.start_time is None or event.time >= wanted.start_time)
        and (wanted.end_time is None or event.time < wanted.end_time)
        and all(getattr(event, name) == getattr(wanted, name) for name in same if getattr(wanted, name))
        and (not wanted.policy_id or wanted.policy_id in event.policy_ids)
        and (not wanted.data_class or any(touched.data_class == wanted.data_class for touched in event.touched))
    )
