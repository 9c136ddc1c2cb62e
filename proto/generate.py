"""Generate the Python code of the contract: ``python proto/generate.py [--check]``.

Generated modules import ``buf.validate`` from the top level; we never ship a package of that name, so the import is rewritten
into ``vault.v1``. ``--check`` writes nothing and fails if the committed code differs from what the protos give.
"""

import filecmp
import sys
import tempfile
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent
TARGET = ROOT.parent / "src" / "vault" / "v1"


def generate(target: Path) -> None:
    """Write the generated modules of every proto of ours, and of buf.validate, below ``target``."""
    with tempfile.TemporaryDirectory() as name:
        raw = Path(name)
        protos = [str(p) for p in sorted((ROOT / "vault" / "v1").glob("*.proto"))]
        wkt = str(resources.files("grpc_tools") / "_proto")
        arguments = ["protoc", f"-I{ROOT}", f"-I{wkt}", f"--python_out={raw}", f"--pyi_out={raw}", *protos]
        if protoc.main([*arguments, str(ROOT / "buf" / "validate" / "validate.proto")]) != 0:
            raise SystemExit("protoc failed; see its message above")
        for source in sorted(raw.rglob("*_pb2.py*")):
            parts = source.relative_to(raw).parts
            home = target / source.name if parts[0] == "vault" else target / "_buf" / "validate" / source.name
            home.parent.mkdir(parents=True, exist_ok=True)
            text = source.read_text().replace("from buf.validate import", "from vault.v1._buf.validate import")
            home.write_text(text)


def differing(left: Path, right: Path) -> list[str]:
    """Names of generated modules that are missing on one side or differ."""
    names = {str(p.relative_to(d)) for d in (left, right) for p in d.rglob("*_pb2.py*") if p.suffix in {".py", ".pyi"}}
    same, _, _ = filecmp.cmpfiles(left, right, names, shallow=False)
    return sorted(names - set(same))


def main() -> None:
    """Generate, or with ``--check`` compare."""
    if "--check" not in sys.argv[1:]:
        generate(TARGET)
        return
    with tempfile.TemporaryDirectory() as name:
        generate(Path(name))
        stale = differing(Path(name), TARGET)
    if stale:
        raise SystemExit(f"generated code is out of date: {', '.join(stale)}; run `make proto`")


if __name__ == "__main__":
    main()
