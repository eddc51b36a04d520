"""Tells as one what happens to many files, functions or tests of one package at once: nobody reads it ten times."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace

from analyzer.model import Finding, Level, Options
from analyzer.names import in_words_of
from analyzer.rules.wording import NEVER_BUILT, listed

MAX_OF_ONE_FILE = 3
"""Functions that are gone, or tests of one file, that are told one by one."""

MAX_OF_ONE_PACKAGE = 5
"""Files of one package that are told one by one: each has a line of its own where it can be mended."""

MAX_TESTS = 10
"""Tests of one package that are told one by one, in however few files."""

# Names that are listed.
_NAMED = 3

_FILES = {
    "implementation-lost": "{n} files of this package no longer build on Windows, and nothing there replaces what they have",
    "tag-added": "{n} files of this package no longer build on Windows",
    "test-skipped": "{tests} in {n} files of this package no longer run on Windows",
    "tag-removed": "{n} files of this package now build on Windows",
    "test-enabled": "{tests} in {n} files of this package now run on Windows",
}
_TESTS = {"test-skipped": "no longer run on Windows", "test-enabled": "now run on Windows"}


def folded(findings: Iterable[Finding], options: Options) -> list[Finding]:
    """The findings, many that are of one kind and of one package as one.

    What differs in how much it matters stays apart, and so does what is accepted: somebody said so of that alone.

    Args:
        findings: of a comparison, settled.
        options: the platforms.
    """
    found = _together(findings, _of_a_test, MAX_OF_ONE_FILE, _tests)
    found = _together(found, _gone, MAX_OF_ONE_FILE, _functions)
    found = _together(found, _of_a_package, MAX_OF_ONE_PACKAGE, _files)
    return [replace(f, message=in_words_of(options, f.message)) if f.parts else f for f in found]


def _together(
    findings: Iterable[Finding],
    key_of: Callable[[Finding], Hashable | None],
    most: int,
    one_of: Callable[[Sequence[Finding]], Finding | None],
) -> list[Finding]:
    """Findings with one for all of a key, where these are too many; it stands where the first of them stood."""
    groups: dict[Hashable, list[Finding]] = defaultdict(list)
    for number, finding in enumerate(findings):
        key = key_of(finding) if finding.level is not Level.NOTE else None
        groups[number if key is None else (key, finding.level, finding.gap, finding.side)].append(finding)
    found: list[Finding] = []
    for group in groups.values():
        one = one_of(sorted(group, key=_place)) if len(group) > most else None
        found += group if one is None else [one]
    return found


def _of_a_test(finding: Finding) -> Hashable | None:
    """Of a test, its file; a new one had no place before."""
    if finding.rule in _TESTS and finding.symbol is not None:
        return finding.rule, finding.path, _is_new(finding)
    return None


def _is_new(finding: Finding) -> bool:
    """Whether a test has no place before: nobody misses what was never there. One that got another name is missed."""
    return finding.rule == "test-skipped" and finding.before is None and not finding.gap


def _gone(finding: Finding) -> Hashable | None:
    """Of a function that is not there any more, its package."""
    is_gone = finding.rule == "implementation-lost" and finding.symbol is not None and finding.side == "base"
    return (finding.package, finding.stub is None) if is_gone else None


def _of_a_package(finding: Finding) -> Hashable | None:
    """Of a file that left the target or came to it, or of tests, its package; a new test has left nothing."""
    if finding.rule in _TESTS:
        return None if _is_new(finding) else (finding.rule, finding.package)
    return (finding.rule, finding.package) if finding.rule in _FILES and finding.symbol is None else None


def _tests(group: Sequence[Finding]) -> Finding:
    first, names = group[0], [f.symbol or "" for f in group]
    if _is_new(first):
        words = f"{len(_unlike(names))} new tests of this file do not run on Windows"
    else:
        words = f"{len(_unlike(names))} tests of this file {_TESTS[first.rule]}"
    in_part = any(" in some cases" in f.message or " its subtest " in f.message for f in group)
    return _one(group, f"{words}{', or not all of each' * in_part}", names)


def _functions(group: Sequence[Finding]) -> Finding:
    state = "are stubs that are no longer" if group[0].stub is not None else "are no longer"
    return _one(
        group,
        f"{len(group)} functions of this package {state} declared on Windows; Linux keeps them",
        [f.symbol or "" for f in group],
    )


def _files(group: Sequence[Finding]) -> Finding | None:
    paths = _unlike(f.path for f in group)
    if len(paths) <= MAX_OF_ONE_PACKAGE and len(group) <= MAX_TESTS:
        return None
    single = [part.symbol for f in group for part in (f.parts or (f,))]
    # Of a whole file it is not known how many of its tests ran.
    tests = "Tests" if None in single else f"{len(_unlike(map(str, single)))} tests"
    words = _FILES[group[0].rule].format(n=len(paths), tests=tests)
    return _one(group, words, [path.rpartition("/")[2] for path in paths])


def _one(group: Sequence[Finding], words: str, names: Iterable[str]) -> Finding:
    never = NEVER_BUILT if all(f.message.endswith(NEVER_BUILT) for f in group) else ""
    return replace(
        group[0],
        symbol=None,
        stub=None,
        counterpart=None,
        end_line=group[0].line,
        silent=False,
        message=f"{words}: {listed(_unlike(names), _NAMED)}.{never}",
        parts=tuple(part for f in group for part in (f.parts or (f,))),
    )


def _unlike(names: Iterable[str]) -> list[str]:
    return [*dict.fromkeys(names)]


def _place(finding: Finding) -> tuple[str, int]:
    return finding.path, finding.line
