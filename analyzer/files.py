"""Which file builds on which platform: its name's suffix and its build constraint together, as go/build decides."""

from analyzer.constraint import HeaderConstraint, asked_tags, evaluate, satisfied
from analyzer.model import Platform
from analyzer.platforms import KNOWN_GOARCH, KNOWN_GOOS


def suffix_tags(name: str) -> tuple[str, ...]:
    """The tags that a file's name demands: ``foo_windows_amd64_test.go`` demands windows and amd64.

    What stands before the first underscore never counts (linux.go builds everywhere), ``_unix`` is no constraint
    (go/build, goodOSArchFile).
    """
    stem, underscore, rest = name.partition(".")[0].partition("_")
    del stem
    words = rest.split("_") if underscore else []
    if words and words[-1] == "test":
        words.pop()
    if len(words) >= 2 and words[-2] in KNOWN_GOOS and words[-1] in KNOWN_GOARCH:
        return words[-2], words[-1]
    if words and (words[-1] in KNOWN_GOOS or words[-1] in KNOWN_GOARCH):
        return (words[-1],)
    return ()


# Tags that the toolchain sets, and the customary one for files that nothing builds.
_GOS_OWN = frozenset("unix cgo gc gccgo race msan asan purego appengine boringcrypto compiler_bootstrap ignore".split())

DOCUMENTATION = "documentation"
"""A package name that Go takes for prose: it builds such a file nowhere."""


def builds(name: str, constraint: HeaderConstraint | None, platform: Platform, package: str = "") -> bool:
    """Whether a file builds on a platform.

    Args:
        name: its base name.
        constraint: what `constraint.header_constraint` found in it.
        platform: the platform; ``tags`` are the custom tags that are on.
        package: the name in its package clause.

    Returns:
        False too for names that Go leaves out (``_x.go``, ``.x.go``) and for a malformed constraint.
    """
    if not name.endswith(".go") or name.startswith(("_", ".")) or package == DOCUMENTATION:
        return False
    if not all(satisfied(tag, platform) for tag in suffix_tags(name)):
        return False
    if constraint is None:
        return True
    return constraint.expr is not None and evaluate(constraint.expr, platform)


def custom_tags(constraint: HeaderConstraint | None) -> frozenset[str]:
    """The tags of a project's own (``go build -tags``) without which the constraint cannot be met, or not in full."""
    if constraint is None or constraint.expr is None:
        return frozenset()
    return frozenset(tag for tag in asked_tags(constraint.expr) if not _is_gos(tag))


def _is_gos(tag: str) -> bool:
    """Whether Go itself sets the tag, somewhere or never."""
    known = KNOWN_GOOS | KNOWN_GOARCH | _GOS_OWN
    return tag in known or tag.startswith(("go1.", "goexperiment.")) or "." in tag
