"""Generate the code of the contract: ``python proto/generate.py [--check]``.

Two things come out of proto/vault/v1, and both are committed:

- the server's modules. They import ``buf.validate`` from the top level; we never ship a package of that name, so the import is
  rewritten into ``vault.v1``;
- the Python client's contract: the services and all they import as one ``FileDescriptorSet``, which the client loads into a
  descriptor pool of its own.

``--check`` writes nothing and fails if what is committed differs from what the protos give.
"""

import filecmp
import sys
import tempfile
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

PROTOS = Path(__file__).resolve().parent
REPOSITORY = PROTOS.parent
MODULES = Path("src/vault/v1")
CONTRACT = Path("clients/python/src/pdvault_client/_v1")
GENERATED = ("*_pb2.py", "*_pb2.pyi", "*.binpb")


def run_protoc(*arguments: str) -> None:
    """Run protoc on our protos.

    Raises:
        SystemExit: protoc found fault; it has said so on standard error.
    """
    well_known = str(resources.files("grpc_tools") / "_proto")
    if protoc.main(["protoc", f"-I{PROTOS}", f"-I{well_known}", *arguments]) != 0:
        raise SystemExit("protoc failed; see its message above")


def ours(pattern: str) -> list[str]:
    """The paths of our protos, sorted."""
    return [str(path) for path in sorted((PROTOS / "vault" / "v1").glob(pattern))]


def generate_modules(target: Path) -> None:
    """Write the modules of every proto of ours, and of buf.validate, below ``target``."""
    with tempfile.TemporaryDirectory() as name:
        raw = Path(name)
        validate = str(PROTOS / "buf" / "validate" / "validate.proto")
        run_protoc(f"--python_out={raw}", f"--pyi_out={raw}", *ours("*.proto"), validate)
        for source in sorted(raw.rglob("*_pb2.py*")):
            parts = source.relative_to(raw).parts
            home = target / source.name if parts[0] == "vault" else target / "_buf" / "validate" / source.name
            home.parent.mkdir(parents=True, exist_ok=True)
            text = source.read_text().replace("from buf.validate import", "from vault.v1._buf.validate import")
            home.write_text(text)


def generate_contract(target: Path) -> None:
    """Write the services with their imports below ``target``: among them the audit leaf, which auditors read."""
    target.mkdir(parents=True, exist_ok=True)
    run_protoc("--include_imports", f"--descriptor_set_out={target / 'contract.binpb'}", *ours("*_service.proto"))


def generate(root: Path) -> None:
    """Write everything below ``root``, laid out as in the repository."""
    generate_modules(root / MODULES)
    generate_contract(root / CONTRACT)


def differing(left: Path, right: Path) -> list[str]:
    """Paths of generated files that are missing below one of the roots or differ."""
    homes = [(root, root / home) for root in (left, right) for home in (MODULES, CONTRACT)]
    names = {str(path.relative_to(root)) for root, home in homes for glob in GENERATED for path in home.rglob(glob)}
    same, _, _ = filecmp.cmpfiles(left, right, names, shallow=False)
    return sorted(names - set(same))


def main() -> None:
    """Generate, or with ``--check`` compare."""
    if "--check" not in sys.argv[1:]:
        generate(REPOSITORY)
        return
    with tempfile.TemporaryDirectory() as name:
        generate(Path(name))
        stale = differing(Path(name), REPOSITORY)
    if stale:
        raise SystemExit(f"generated code is out of date: {', '.join(stale)}; run `make proto`")


if __name__ == "__main__":
    main()
