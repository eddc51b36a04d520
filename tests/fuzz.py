"""Fuzz targets: `make fuzz SECONDS=60`, or `python tests/fuzz.py TARGET -max_total_time=60 [-seed=1]`.

An answer has to come back for every input. Those of the analyzer are run by atheris, which looks for new paths, and by a
plain loop over changed seeds where there is no atheris; what breaks stays in .cache/fuzz/. The others go through real entry
points (`tests.fuzz_web`, `tests.fuzz_repos`), and say how many were tried.
"""

import contextlib
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
CORPUS = ROOT / ".cache" / "fuzz"
CASES = ROOT / "tests" / "cases"
# Larger input is slower and no other.
MAX_LENGTH = 8192

try:
    import atheris  # it has wheels for some versions of Python on Linux only
except ImportError:
    atheris = None

with atheris.instrument_imports(include=["analyzer"]) if atheris else contextlib.nullcontext():
    from analyzer import analyze, scan, syntax
    from analyzer.constraint import ConstraintError, evaluate, header_constraint, parse_go_build, parse_plus_build
    from analyzer.model import LINUX, WINDOWS, Snapshot, SourceFile
    from analyzer.outline import Depth

SEPARATOR = b"-- \n"


def constraint(data: bytes) -> None:
    """A //go:build line, a // +build line, and a whole header."""
    line = data.decode(errors="surrogateescape")
    try:
        expr = parse_go_build(line)
    except ConstraintError:
        pass
    else:
        evaluate(expr, LINUX)
    plus = parse_plus_build(line)
    if plus is not None:
        evaluate(plus, WINDOWS)
    header_constraint(data)


def source(data: bytes) -> None:
    """One file, at each depth. An outline says what the whole file says, where both can be read."""
    whole, outline, header = (syntax.read(data, depth) for depth in (Depth.WHOLE, Depth.OUTLINE, Depth.HEADER))
    if whole.broken_line is None:
        assert outline.declarations == whole.declarations, (outline, whole)
        assert outline.imports == whole.imports == header.imports, (header, whole)
        assert outline.package == whole.package == header.package, (header, whole)
    for found in whole.declarations:
        assert 0 <= found.start < found.end <= len(data), found


def case(data: bytes) -> None:
    """Base and head, each of them files as a txtar case has them."""
    before, _, after = data.partition(SEPARATOR)
    analyze(_snapshot("a", before), _snapshot("b", after))
    scan(_snapshot("b", after))


def _snapshot(rev: str, data: bytes) -> Snapshot:
    names = ("p/x_windows.go", "p/x_linux.go", "p/x.go", "p/x_test.go", "q/y.go")
    parts = data.split(b"\x00", len(names) - 1)
    files = {name: SourceFile(name, f"{rev}{name}", part) for name, part in zip(names, parts, strict=False)}
    return Snapshot(rev, files)


def _seeds(target: str) -> Iterator[bytes]:
    for path in sorted(CASES.glob("*/*.txtar")):
        _, *pieces = path.read_bytes().split(b"\n-- ")
        texts = [piece.partition(b"\n")[2] for piece in pieces]
        if target == "case":
            old = [t for p, t in zip(pieces, texts, strict=True) if not p.startswith(b"head/")]
            new = [t for p, t in zip(pieces, texts, strict=True) if not p.startswith(b"base/")]
            yield b"\x00".join(old[:5]) + SEPARATOR + b"\x00".join(new[:5])
        elif target == "source":
            yield from texts
        else:
            yield from (line.partition(b"build ")[2] for t in texts for line in t.splitlines() if b"build " in line)


TARGETS: dict[str, Callable[[bytes], None]] = {"constraint": constraint, "source": source, "case": case}


def _worlds() -> dict[str, Callable[[float, int], tuple[int, str]]]:
    """What needs processes of its own: seconds and a seed in, how many were tried and what held out."""
    from tests import fuzz_repos, fuzz_web  # noqa: PLC0415 - atheris has to be first

    return {
        "requests": fuzz_web.requests,
        "payloads": fuzz_web.payloads,
        "repositories": fuzz_repos.repositories,
        "configurations": fuzz_repos.configurations,
    }


def _plain(name: str, seconds: float, seed: int) -> None:
    """Seeds with some of their bytes changed, left out, and taken from others."""
    chance, seeds, tried = random.Random(seed), [*_seeds(name)], 0  # noqa: S311 - the same each time
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 8)):
            at, other = chance.randrange(len(data) + 1), chance.choice(seeds)
            start = chance.randrange(len(other) + 1)
            data[at : at + chance.randrange(20)] = other[start : start + chance.randrange(40)]
        found = bytes(data[:MAX_LENGTH])
        try:
            TARGETS[name](found)
        except Exception:
            (CORPUS / f"{name}-crash").write_bytes(found)
            raise
        tried += 1
    sys.stdout.write(f"{name}: {tried} inputs, without atheris\n")


def main() -> None:
    """Run one target; what follows its name goes to libFuzzer."""
    name, *words = sys.argv[1:] or [""]
    given = dict(word.removeprefix("-").partition("=")[::2] for word in words)
    seconds, seed = float(given.get("max_total_time", 60)), int(given.get("seed", 1))
    if name in TARGETS and atheris is None:
        CORPUS.mkdir(parents=True, exist_ok=True)
        _plain(name, seconds, seed)
    elif name in TARGETS:
        corpus = CORPUS / name
        corpus.mkdir(parents=True, exist_ok=True)
        for number, start in enumerate(_seeds(name)):
            (corpus / f"seed-{number}").write_bytes(start)
        options = [f"-max_len={MAX_LENGTH}", "-timeout=20", f"-artifact_prefix={CORPUS}/{name}-", *words]
        atheris.Setup([sys.argv[0], str(corpus), *options], TARGETS[name])
        atheris.Fuzz()
    elif name in (worlds := _worlds()):
        tried, words_found = worlds[name](seconds, seed)
        sys.stdout.write(f"{name}: {tried} tried, seed {seed}; {words_found}\n")
    else:
        sys.exit(f"usage: fuzz.py {'|'.join([*TARGETS, *worlds])} [libFuzzer's options]")


if __name__ == "__main__":
    main()
