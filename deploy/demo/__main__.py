"""``python -m deploy.demo``: the vault at work on invented people, and a search for their data everywhere it should not be."""

import shutil
import signal
import sys
from pathlib import Path
from types import FrameType

import click

from deploy.demo.people import MAX_COUNT
from deploy.demo.run import run
from deploy.demo.stacks import STACKS

_MARK = ".pdvault-demo"


@click.command()
@click.option("--people", "count", type=click.IntRange(1, MAX_COUNT), default=10_000, show_default=True, help="How many people.")
@click.option("--seed", type=int, default=999_999, show_default=True, help="Which people: a seed always gives the same.")
@click.option("--stack", type=click.Choice(list(STACKS)), default="local", show_default=True, help="full: PostgreSQL and OpenBao.")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), default=Path(".demo"), show_default=True)
def main(count: int, seed: int, stack: str, folder: Path) -> None:
    """See the vault at work. Everything lies in one folder, which is made anew each time."""
    signal.signal(signal.SIGTERM, _leave)
    _make_anew(folder)
    sys.exit(0 if run(folder.absolute(), count, seed, stack) else 1)


def _make_anew(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        if not (folder / _MARK).exists():
            raise click.ClickException(f"{folder} holds something that is not the demo's: choose another --folder")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARK).touch()


def _leave(number: int, _frame: FrameType | None) -> None:
    """End as by an exception, so that no server is left behind."""
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
