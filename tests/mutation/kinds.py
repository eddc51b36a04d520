"""All kinds of mutants: what must be caught, and what must be silent."""

from collections.abc import Iterator

from analyzer.rules import RULES
from tests.mutation import guard_noise, move_noise, pair_noise, text_noise, vendored
from tests.mutation.edit import Kind, Maker
from tests.mutation.losses import (
    emptied_error,
    emptied_helper,
    emptied_panic,
    emptied_zero,
    file_deleted,
    file_deleted_inner,
    file_narrowed,
    inner_function_moved,
    linux_only,
    needed_on_linux_only,
    option_refused,
    removed,
    signature_changed,
    stub_added,
    stub_copies,
    tests_narrowed,
    unshared,
)
from tests.mutation.shared_losses import (
    guard_leaves,
    guard_named,
    guard_refuses,
    guard_skips,
    guard_within,
    subtest_skipped,
    test_skipped,
)


def _kind(name: str, make: Maker, rules: str, *, backward: bool = False) -> Kind:
    return Kind(name, make, frozenset(rules.split()), backward)


LOSSES = (
    _kind("body: zero values", emptied_zero, "implementation-lost"),
    _kind("body: not-supported error", emptied_error, "implementation-lost"),
    _kind("body: panic", emptied_panic, "implementation-lost"),
    _kind("body: helper that refuses", emptied_helper, "implementation-lost"),
    _kind("function removed", removed, "implementation-lost undefined-on-windows"),
    _kind("windows file deleted", file_deleted, "implementation-lost undefined-on-windows"),
    _kind("file narrowed", file_narrowed, "implementation-lost tag-added undefined-on-windows"),
    _kind("tests narrowed", tests_narrowed, "test-skipped"),
    _kind("test skipped", test_skipped, "test-skipped"),
    _kind("subtest skipped", subtest_skipped, "test-skipped"),
    _kind("guard refuses", guard_refuses, "guard-added"),
    _kind("guard leaves", guard_leaves, "guard-added"),
    _kind("guard within", guard_within, "guard-added"),
    _kind("guard named", guard_named, "guard-added"),
    _kind("guard skips", guard_skips, "guard-added"),
    _kind("shared becomes a stub", unshared, "implementation-lost stub-added"),
    _kind("new stub", stub_added, "stub-added"),
    _kind("new on Linux only", linux_only, "missing-on-windows"),
)
# Only where the rule is there that can see them.
LATER = {
    "undefined-on-windows": (
        _kind("inner file deleted", file_deleted_inner, "undefined-on-windows implementation-lost"),
        _kind("inner function moved", inner_function_moved, "undefined-on-windows implementation-lost"),
        _kind("needed on Linux only", needed_on_linux_only, "undefined-on-windows missing-on-windows"),
    ),
    "signature-drift": (_kind("signature changed", signature_changed, "signature-drift"),),
    "vendor-drift": (
        Kind("vendored file narrowed", vendored.narrowed, frozenset({"vendor-drift"}), vendored=True),
        Kind("vendored function divided", vendored.divided, frozenset({"vendor-drift"}), vendored=True),
        Kind("vendored code updated", vendored.updated, vendored=True),
        Kind("vendored code unused", vendored.unused_narrowed, vendored=True),
    ),
    "option-refused": (_kind("option refused", option_refused, "option-refused"),),
}
GAINS = (
    _kind("stub made real: zero", emptied_zero, "stub-resolved", backward=True),
    _kind("stub made real: error", emptied_error, "stub-resolved", backward=True),
    _kind("stub made real: panic", emptied_panic, "stub-resolved", backward=True),
    _kind("stub made real: as Linux", stub_copies, "stub-resolved"),
    _kind("stub becomes shared", unshared, "stub-resolved", backward=True),
    _kind("exported function added", removed, "implementation-added", backward=True),
    _kind("windows file added", file_deleted, "implementation-added", backward=True),
    _kind("constraint removed", file_narrowed, "tag-removed implementation-added", backward=True),
    _kind("tests' constraint removed", tests_narrowed, "test-enabled", backward=True),
    _kind("test enabled", test_skipped, "test-enabled", backward=True),
    _kind("subtest enabled", subtest_skipped, "test-enabled", backward=True),
    _kind("guard gone: refusal", guard_refuses, "guard-removed", backward=True),
    _kind("guard gone: early return", guard_leaves, "guard-removed", backward=True),
    _kind("guard gone: within", guard_within, "guard-removed", backward=True),
    _kind("guard gone: named", guard_named, "guard-removed", backward=True),
    _kind("guard gone: skipped work", guard_skips, "guard-removed", backward=True),
)


def _silent() -> Iterator[Kind]:
    for module in (text_noise, move_noise, pair_noise, guard_noise):
        for make in module.NOISE:
            yield Kind(_name(make), make)
            yield Kind(_name(make) + ", undone", make, backward=True)
    for module in (pair_noise, guard_noise):
        for make in module.ONE_WAY:
            yield Kind(_name(make), make)


def _name(make: Maker) -> str:
    return make.__name__.replace("_", " ")


def kinds() -> tuple[Kind, ...]:
    """Those for which there are rules."""
    there = {rule.id for rule in RULES}
    later = (kind for rule, more in LATER.items() if rule in there for kind in more)
    return (*LOSSES, *later, *GAINS, *_silent())
