"""The demo from beginning to end: a vault is filled, used, stopped, and searched for what it should have hidden."""

import shutil
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from deploy.demo import auditing, calls, events, forgetting, search, tokens_csv
from deploy.demo.calls import Callers
from deploy.demo.people import Person, people
from deploy.demo.plaintexts import values
from deploy.demo.server_process import KeyWorkerProcess, ServerProcess
from deploy.demo.stacks import STACKS, Stack
from deploy.demo.story import Story
from vault.cli.development import PRINCIPALS, TENANT

TOKENS_FILE = "people-with-tokens.csv"
_WAL_COPY = "write-ahead-log-while-serving"


def run(folder: Path, count: int, seed: int, stack: str) -> bool:
    """Tell the whole story; whether no plaintext was found.

    Raises:
        UnexpectedError: a call did not end as it should.
        VaultError: a call failed.
        ServerError: the server did.
    """
    story = Story()
    story.title(f"A vault for the personal data of {count:,} invented people")
    with story.step("Invent people"):
        crowd = _invent(story, count, seed)
    with ExitStack() as running:
        with story.step("Make a vault, and serve it"):
            made = running.enter_context(STACKS[stack](folder))
            server = running.enter_context(ServerProcess(made.vault.config_file, folder / "server.log"))
            if made.key_worker:
                running.enter_context(KeyWorkerProcess(made.key_worker, folder / "key-worker.log"))
            _tell_stack(story, made, server.address)
        callers = Callers(made.vault, server.address)
        with story.step("Tokenise everything that is known of them"):
            tokens = _tokenise(story, callers, crowd, folder / TOKENS_FILE)
        _use(story, callers, crowd)
        with story.step("Hear, as the auditor, what happened to that person"):
            auditing.hear(story, callers, _somebody(crowd))
        with story.step("Take the log home, and check it without the vault"):
            auditing.take_home(story, callers, folder)
        with story.step("Forget somebody, and prove it"):
            forgetting.forget(story, callers, crowd[0], folder)
        with story.step("Rotate the keys of everybody else"):
            forgetting.rotate(story, callers)
        with story.step("Stop the server, and read what its audit log says of all that"):
            _keep_wal(made, folder)
            server.stop()
            _tell_events(story, made)
        with story.step("Search every file for every value"):
            made.stop()
            clean = search.everywhere(story, crowd, made.folders, folder / TOKENS_FILE)
    _tell_how_to_go_on(story, folder, stack, _somebody(crowd))
    if clean:
        story.end(f"{len(crowd):,} people, {tokens:,} values, no plaintext anywhere.", "green")
    else:
        story.end("PLAINTEXT WAS FOUND.", "red")
    return clean


def _invent(story: Story, count: int, seed: int) -> list[Person]:
    crowd = list(people(seed, count))
    found = Counter(name for person in crowd for name, _ in values(person))
    listed = ", ".join(f"{number:,} {name}" for name, number in found.items())
    story.note(f"Seed {seed}, half Chinese, half European, none of them real: {listed}.")
    story.note("Resident IDs are of region 999999, cards are test cards, e-mail addresses end in example.org.")
    return crowd


def _somebody(crowd: list[Person]) -> Person:
    """Somebody in the middle, of whom everything is known: every hundredth person is Chinese and has a face."""
    return crowd[len(crowd) // 200 * 100]


def _tell_stack(story: Story, made: Stack, address: str) -> None:
    story.note(f"{made.title}; gRPC at {address}, only with a client certificate (mutual TLS).")
    story.table(["principal", "may"], [(name, ", ".join(roles)) for name, roles in PRINCIPALS.items()])


def _tokenise(story: Story, callers: Callers, crowd: list[Person], path: Path) -> int:
    with callers.client("app") as app, story.progress("people", len(crowd)) as bar:
        tokens = tokens_csv.write(app, crowd, path, lambda done: bar.advance(bar.task_ids[0], done))
        seconds = bar.tasks[0].elapsed or 0.0
    story.note(f"{tokens:,} values became tokens, {tokens / max(seconds, 0.01):,.0f} a second. The application keeps {path.name}:")
    with path.open(encoding="utf-8") as file:
        names, cells = (next(file).rstrip("\n").split(",") for _ in range(2))
    story.table(["column", "in the first row"], zip(names, cells, strict=True))
    return tokens


def _use(story: Story, callers: Callers, crowd: list[Person]) -> None:
    person = _somebody(crowd)
    with story.step("Find one person by ID number"):
        tokens = calls.find(story, callers, person)
    with story.step("Reveal: masked, in part, plain"):
        calls.show(story, callers, tokens)
    with story.step("Be denied"):
        calls.deny(story, callers, tokens["bank_account"])
    with story.step("Use a one-time token twice"):
        calls.use_once(story, callers, person)


def _keep_wal(made: Stack, folder: Path) -> None:
    """SQLite removes its write-ahead log when it is closed; a copy stays, to be searched as well."""
    for wal in made.vault.folder.glob("*-wal"):
        shutil.copyfile(wal, folder / _WAL_COPY)


def _tell_events(story: Story, made: Stack) -> None:
    found = events.read(made.owner, TENANT)
    story.table(
        ["time (UTC)", "events", "who", "did", "and it was", "purpose", "what"],
        [
            (
                f"{line.time:%H:%M:%S}",
                line.events,
                line.principal,
                line.action,
                f"{line.decision} {line.reason}".rstrip(),
                line.purpose,
                line.what,
            )
            for line in events.lines(found)
        ],
    )
    story.note(f"{len(found):,} events, each with the hash of the one before it, and no value, token or subject_id in any.")
    if made.tamper:
        story.note(f"The server's own role tries to delete them from the database: {made.tamper()}.", "yellow")


def _tell_how_to_go_on(story: Story, folder: Path, stack: str, person: Person) -> None:
    with story.step("Go on"):
        command = Path(sys.executable).with_name("pdvault")
        pdvault, here = (_short(command) if command.exists() else "pdvault"), _short(folder)
        if stack == "local":
            story.note(f"{pdvault} dev --folder {here}/vault     serves this vault again; then, in another terminal:")
            story.note(f". {here}/vault/env-support.sh")
            by, value = calls.identifier(person)
            story.note(f"echo '{value}' | {pdvault} search --class {by} --purpose {tokens_csv.PURPOSES[0]}")
            story.note("make demo STACK=full     the same on PostgreSQL and OpenBao.")
        else:
            story.note("make demo     the same on SQLite and a local keyring; that vault stays and can be served again.")
        story.note(f"{here}/{TOKENS_FILE}     what the application keeps. {here}/server.log     what the server logged.")
        taken_home = f"{here}/{auditing.BUNDLE} --state {here}/{auditing.STATE}"
        story.note(f"{pdvault} audit verify {taken_home}     checks again the log that was taken home.")
        receipt = f"{here}/{forgetting.RECEIPT}"
        story.note(f"{pdvault} erasure verify {receipt} --state {here}/{auditing.STATE}     and the receipt of who was forgotten.")
        story.note(
            "README.md     what the vault is. docs/cli.md     its command. clients/python/README.md     calling it from Python."
        )


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
