"""The rules, in the order in which a reader wants them. A new rule is its file, a line here, and a folder of cases.

Left out, because the Go toolchain or an ordinary CI run reports it: code that no platform compiles, vet and style
findings, and whatever concerns platforms other than target and reference.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from analyzer.diff import Diff, PackageChange
from analyzer.model import Finding
from analyzer.rules import (
    guard_added,
    guard_removed,
    implementation_added,
    implementation_lost,
    missing_on_windows,
    option_refused,
    stub_added,
    stub_resolved,
    tag_added,
    tag_removed,
    test_enabled,
    test_skipped,
)


@dataclass(frozen=True, slots=True)
class Rule:
    """What a rule's module offers.

    Attributes:
        id: its name everywhere: file, case folder, configuration key, link anchor.
        page: the module's docstring, which is the user's page (`winparity explain`).
        check: the findings of one package.
    """

    id: str
    page: str
    check: Callable[[PackageChange, Diff], Iterator[Finding]]


RULES = tuple(
    Rule(module.ID, module.__doc__ or "", module.check)
    for module in (
        implementation_lost,
        tag_added,
        stub_added,
        missing_on_windows,
        guard_added,
        option_refused,
        test_skipped,
        stub_resolved,
        implementation_added,
        tag_removed,
        guard_removed,
        test_enabled,
    )
)
