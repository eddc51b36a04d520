"""The lists of platforms against those of the installed Go: a newer Go is noticed here."""

import re

import pytest

from analyzer import platforms
from analyzer.constraint import satisfied
from analyzer.model import Platform
from tests.analyzer.gotool import Oracle, go, goroot, tool_tags

pytestmark = pytest.mark.usefixtures("oracle")


def _go_set(name: str) -> set[str]:
    """The keys of a Go map literal in internal/syslist, where go/build takes them from."""
    source = (goroot() / "src/internal/syslist/syslist.go").read_text()
    body = re.search(rf"^var {name} = map\[string\]bool\{{(.*?)^\}}", source, re.MULTILINE | re.DOTALL)
    assert body is not None
    return set(re.findall(r'"(\w+)":\s+true', body[1]))


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("KnownOS", platforms.KNOWN_GOOS),
        ("UnixOS", platforms.UNIX_GOOS),
        ("KnownArch", platforms.KNOWN_GOARCH),
    ],
)
def test_the_known_names_are_those_of_go(name: str, ours: frozenset[str]) -> None:
    assert ours == _go_set(name)


def test_the_latest_release_is_that_of_the_installed_go(oracle: Oracle) -> None:
    releases = go("list", "-find", "-f", '{{join context.ReleaseTags " "}}', "unsafe").split()
    assert releases == [f"go1.{n}" for n in range(1, platforms.LATEST_RELEASE + 1)]
    later = {"x.go": f"//go:build go1.{platforms.LATEST_RELEASE + 1}\n\npackage p\n".encode()}
    assert oracle.matched(later, Platform("linux")) == []


def test_every_port_of_go_is_known() -> None:
    ports = [port.split("/") for port in go("tool", "dist", "list").split()]
    assert {goos for goos, _ in ports} <= platforms.KNOWN_GOOS
    assert {goarch for _, goarch in ports} <= platforms.KNOWN_GOARCH


@pytest.mark.parametrize(
    ("goos", "goarch"),
    [
        *((goos, "amd64") for goos in ("linux", "windows", "darwin", "freebsd", "ios")),
        ("aix", "ppc64"),
        ("js", "wasm"),
        *(("linux", goarch) for goarch in "386 arm arm64 loong64 mips mipsle mips64 mips64le ppc64le riscv64 s390x".split()),
    ],
)  # fmt: skip
def test_the_tags_that_go_turns_on_itself_are_satisfied_and_no_others(goos: str, goarch: str) -> None:
    platform = Platform(goos, goarch)
    flags = re.findall(r"^\t(\w+) +bool", (goroot() / "src/internal/goexperiment/flags.go").read_text(), re.MULTILINE)
    experiments = {f"goexperiment.{flag.lower()}" for flag in flags}
    features = set().union(*platforms.ARCH_TAGS.values()) | {f"{goarch}.v2", "amd64.v3"}
    tags = {tag for tag in experiments | features | {*tool_tags(goos, goarch)} if satisfied(tag, platform)}
    assert len(experiments) > 10
    assert tags == set(tool_tags(goos, goarch))
