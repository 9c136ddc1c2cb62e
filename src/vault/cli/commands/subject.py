"""``pdvault subject``: who is who, and whose data may be used. Erasing is a command of its own."""

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from vault.cli import options
from vault.cli.calling import Calling, calling_options, in_client_words
from vault.cli.clients import subject_client
from vault.cli.output import Fields, emit, iso
from vault.cli.parameters import Until, Uuid

if TYPE_CHECKING:
    from pdvault_client import Hold, Subject

_PAGE = 1000

_EPILOG = """\b
See:       list, show, holds
Name:      register, link, unlink
Restrict:  restrict, unrestrict
Hold:      hold, release
\b
A person's every name leads to the same data. To erase one: pdvault erase."""


@click.group(short_help="The people that data is about: names, restrictions, holds.", epilog=_EPILOG)
def subject() -> None:
    """The people that data is about: their names, whether their data may be used, what keeps them from being erased."""


def _named(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--subject``: whom it is about."""
    return click.option(
        "--subject", "name", metavar="ID", required=True, help="Who: one of your own opaque names of the person, no personal value."
    )(command)


@subject.command(
    short_help="Make a subject before any value is stored, or find it.",
    epilog=options.examples("pdvault subject register --subject customer-17 --alias crm-0042 --purpose onboarding"),
)
@_named
@click.option("--alias", "aliases", metavar="ID", multiple=True, help="Another name that shall lead to it. May be repeated.")
@calling_options
@options.output_option
def register(name: str, aliases: tuple[str, ...], calling: Calling, output: str | None) -> None:
    """Make a subject before any value is stored, or find the one that is there.

    Roles: tokenizer, admin. To give a subject that is there another name takes the role admin.
    """
    with subject_client(calling) as client, in_client_words():
        made = client.register(name, aliases=aliases, **calling.context)
    emit(output, [{"subject_uid": made.subject_uid.hex(), "existed": made.existed}])


@subject.command(epilog=options.examples("pdvault subject show --subject customer-17 --purpose support"))
@_named
@calling_options
@options.output_option
def show(name: str, calling: Calling, output: str | None) -> None:
    """What the vault holds of a subject, without a value. Roles: admin, privacy_officer."""
    emit(output, [_whole(_get(name, calling))])


@subject.command(epilog=options.examples("pdvault subject holds --subject customer-17 --purpose erasure"))
@_named
@calling_options
@options.output_option
def holds(name: str, calling: Calling, output: str | None) -> None:
    """What keeps a subject from being erased. Roles: admin, privacy_officer."""
    emit(output, map(_hold, _get(name, calling).holds))


@subject.command("list", epilog=options.examples("pdvault subject list --purpose inventory -o json | wc -l"))
@click.option("--limit", type=click.IntRange(1), help="The most subjects to print; all if not given.")
@calling_options
@options.output_option
def list_(limit: int | None, calling: Calling, output: str | None) -> None:
    """All subjects, in the order of their uids. Roles: admin, privacy_officer."""
    emit(output, _listed(limit, calling))


@subject.command(epilog=options.examples("pdvault subject link --subject customer-17 --alias crm-0042 --purpose onboarding"))
@_named
@click.option("--alias", metavar="ID", required=True, help="The other name.")
@calling_options
@options.output_option
def link(name: str, alias: str, calling: Calling, output: str | None) -> None:
    """Let another name lead to a subject. Role: admin."""
    with subject_client(calling) as client, in_client_words():
        client.link(name, alias, **calling.context)
    emit(output, [{"subject": name, "alias": alias}])


@subject.command(
    short_help="Take a linked name away again.",
    epilog=options.examples("pdvault subject unlink --alias crm-0042 --purpose onboarding"),
)
@click.option("--alias", metavar="ID", required=True, help="The name, as it was linked.")
@calling_options
@options.output_option
def unlink(alias: str, calling: Calling, output: str | None) -> None:
    """Take a name away that was linked; the one that a subject was made with stays. Role: admin."""
    with subject_client(calling) as client, in_client_words():
        client.unlink(alias, **calling.context)
    emit(output, [{"unlinked": alias}])


@subject.command(
    short_help="Keep a subject's data from being used.",
    epilog=options.examples("pdvault subject restrict --subject customer-17 --purpose complaint --reference T-4711"),
)
@_named
@calling_options
@options.output_option
def restrict(name: str, calling: Calling, output: str | None) -> None:
    """Keep a subject's data from being used: it is stored, and may be erased, and nothing else.

    It holds from the next call on, on every node. Roles: admin, privacy_officer.
    """
    with subject_client(calling) as client, in_client_words():
        client.restrict(name, **calling.context)
    emit(output, [{"subject": name, "state": "RESTRICTED"}])


@subject.command(epilog=options.examples("pdvault subject unrestrict --subject customer-17 --purpose complaint --reference T-4711"))
@_named
@calling_options
@options.output_option
def unrestrict(name: str, calling: Calling, output: str | None) -> None:
    """Let a subject's data be used again. Roles: admin, privacy_officer."""
    with subject_client(calling) as client, in_client_words():
        client.unrestrict(name, **calling.context)
    emit(output, [{"subject": name, "state": "ACTIVE"}])


@subject.command(
    epilog=options.examples(
        "pdvault subject hold --subject customer-17 --purpose litigation --reference court/4711",
        "pdvault subject hold --subject customer-17 --purpose tax --reference AO-147 --until 2032-12-31",
    )
)
@_named
@click.option(
    "--until",
    type=Until(),
    help="When it ends by itself: a date, through the end of that day by this machine's clock, or a time: 2032-12-31, "
    "2032-12-31T12:00:00Z. Never, if not given.",
)
@calling_options
@options.output_option
def hold(name: str, until: datetime | None, calling: Calling, output: str | None) -> None:
    """Keep a subject from being erased. --reference says why and is required. Role: privacy_officer."""
    expire_time = until.astimezone(UTC) if until else None
    with subject_client(calling) as client, in_client_words():
        placed = client.place_hold(name, expire_time=expire_time, **calling.context)
    emit(output, [_hold(placed)])


@subject.command(
    epilog=options.examples(
        "pdvault subject release --subject customer-17 --hold 0d9d5a9e6f0c4b0e8a5e0c7d1f0b6a11 --purpose litigation",
        title="Example",
    )
)
@_named
@click.option("--hold", "hold_uid", type=Uuid(), required=True, help="The hold's uid, as `subject holds` prints it.")
@calling_options
@options.output_option
def release(name: str, hold_uid: uuid.UUID, calling: Calling, output: str | None) -> None:
    """End a hold. Role: privacy_officer."""
    with subject_client(calling) as client, in_client_words():
        client.release_hold(name, hold_uid.bytes, **calling.context)
    emit(output, [{"released": hold_uid.hex}])


def _get(name: str, calling: Calling) -> "Subject":
    with subject_client(calling) as client, in_client_words():
        return client.get_subject(name, **calling.context)


def _listed(limit: int | None, calling: Calling) -> Iterator[Fields]:
    with subject_client(calling) as client, in_client_words():
        every = client.list_subjects(page_size=min(limit or _PAGE, _PAGE), **calling.context)
        yield from map(_who, islice(every, limit))


def _who(found: "Subject") -> Fields:
    return {"subject_uid": found.subject_uid.hex(), "subject_id": found.subject_id, "state": found.state.name}


def _whole(found: "Subject") -> Fields:
    items = [f"{data_class} {count}" for data_class, count in found.items.items()]
    return {**_who(found), "aliases": list(found.aliases), "holds": [each.hold_uid.hex() for each in found.holds], "items": items}


def _hold(found: "Hold") -> Fields:
    times = {"create_time": iso(found.create_time), "expire_time": iso(found.expire_time)}
    return {"hold_uid": found.hold_uid.hex(), "reference": found.reference, **times}
