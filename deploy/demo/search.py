"""The search for plaintext: every value in every file that the vault, its database and its KMS have written."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from deploy.demo.people import Person
from deploy.demo.plaintexts import plaintexts
from deploy.demo.scan import MIN_BYTES, Hit, Scanner
from deploy.demo.story import Story

_MARKER = "a token"
_MARKERS = 20
_TRIED = 300
_SHOWN = 10
_SMALL = 100_000


class BlindScannerError(RuntimeError):
    """The scanner does not find what is certainly there, so what it says is worth nothing."""


def everywhere(story: Story, people: Sequence[Person], folders: Sequence[Path], tokens_file: Path) -> bool:
    """Search and tell; whether nothing was found.

    Raises:
        BlindScannerError: see there.
    """
    scanner = _scanner(story, people)
    for token in islice(_tokens(tokens_file), _MARKERS):
        scanner.add(token.encode(), _MARKER)
    hits = _scan(story, scanner, folders)
    marked = {hit.path for hit in hits if hit.label == _MARKER}
    if tokens_file not in marked:
        raise BlindScannerError(f"{_MARKERS} tokens are in {tokens_file.name}, and the scanner did not find one")
    others = f" and {len(marked) - 1} other files" if len(marked) > 1 else ", and in the encrypted database not even these"
    story.note(
        f"The search can fail: it found a sample of the texts among random bytes, and the {_MARKERS} tokens it was also given in "
        f"{tokens_file.name}{others}."
    )
    found = [hit for hit in hits if hit.label != _MARKER]
    if found:
        story.note(f"{len(found):,} plaintexts were found, the first of them:", "bold red")
        story.table(["file", "byte", "what"], [(hit.path, hit.offset, hit.label) for hit in found[:_SHOWN]])
    else:
        story.note("It found none of the values.", "bold green")
    return not found


def _scanner(story: Story, people: Sequence[Person]) -> Scanner:
    scanner = Scanner()
    texts: set[bytes] = set()
    for text, label in plaintexts(people):
        scanner.add(text, label)
        texts.add(text)
    story.note(
        f"{len(texts):,} texts of {MIN_BYTES} bytes or more: every value, as given and as normalised. In UTF-8, hexadecimal, "
        f"base64 and escaped, long ones in pieces, they are {len(scanner):,} patterns."
    )
    missed = scanner.misses(sorted(texts)[:: max(1, len(texts) // _TRIED)])
    if missed:
        raise BlindScannerError(f"the scanner missed {missed} texts in its own trial")
    return scanner


def _scan(story: Story, scanner: Scanner, folders: Sequence[Path]) -> list[Hit]:
    hits: list[Hit] = []
    sizes: Counter[str] = Counter()
    files = [(path, folder) for folder in folders for path in sorted(_files(folder))]
    with story.progress("files", len(files)) as bar:
        for path, folder in files:
            hits += scanner.scan(path)
            sizes["/".join(path.relative_to(folder).parts[:2])] += path.stat().st_size
            bar.advance(bar.task_ids[0])
    small = sum(size for size in sizes.values() if size < _SMALL)
    rows = [(name, f"{size / 1e6:.1f} MB") for name, size in sizes.most_common() if size >= _SMALL]
    story.table(["searched", "size"], [*rows, ("everything else", f"{small / 1e6:.1f} MB")])
    return hits


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _tokens(tokens_file: Path) -> Iterator[str]:
    with tokens_file.open(encoding="utf-8") as file:
        next(file)
        for line in file:
            yield line.split(",")[1]
