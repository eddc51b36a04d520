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
    signature_drift,
    stub_added,
    stub_resolved,
    tag_added,
    tag_removed,
    test_enabled,
    test_skipped,
    undefined_on_windows,
    vendor_drift,
)


@dataclass(frozen=True, slots=True)
class Rule:
    """What a rule's module offers.

    Attributes:
        id: its name everywhere: file, case folder, configuration key, link anchor.
        page: the module's docstring, which is the user's page (`winparity explain`).
        check: the findings of one package.
        vendored: whether it is the vendored packages that it looks at.
        overall: the findings that are of no package.
    """

    id: str
    page: str
    check: Callable[[PackageChange, Diff], Iterator[Finding]]
    vendored: bool = False
    overall: Callable[[Diff], Iterator[Finding]] | None = None


RULES = tuple(
    Rule(
        module.ID,
        module.__doc__ or "",
        module.check,
        vendored=module is vendor_drift,
        overall=vendor_drift.unseen if module is vendor_drift else None,
    )
    for module in (
        undefined_on_windows,
        implementation_lost,
        tag_added,
        stub_added,
        missing_on_windows,
        signature_drift,
        vendor_drift,
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
