"""What is used of other modules on Windows, and what a change of go.mod says of those that only Windows uses."""

from dataclasses import replace

import pytest

from analyzer import analyze
from analyzer.dependency import DependencyUse, moved, uses
from analyzer.model import Finding, Level, Moved, Options, Place
from analyzer.symbols import packages
from tests.analyzer.cases import around, snapshot

MOD = """module example.com/harbor

go 1.24

require example.org/one v1.0.0

require (
	example.org/hcs v0.9.0 // the host's
	example.org/term/v2 v2.1.0
	example.org/far v0.1.0 // indirect
)

replace example.org/one => example.org/fork v1.0.1
"""
WINDOWS = """package daemon

import (
	"example.org/hcs"
	net "example.org/hcs/hcn"
)

type layer struct{ of hcs.Layer }

// Start starts.
func (l *layer) Start() error {
	if err := hcs.Create(l.of); err != nil {
		return err
	}
	return net.Attach(l.of, net.Default)
}
"""
LINUX = 'package daemon\n\nimport "os"\n\n// Start starts.\nfunc Start() error { return os.Remove("x") }\n'


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("hcs v0.9.0 // the host's", "hcs v0.10.0", [Moved("example.org/hcs", "v0.9.0", "v0.10.0", 8)]),
        ("hcs v0.9.0 // the host's", "hcs v0.9.0", []),
        ("term/v2 v2.1.0", "term/v2 v2.2.0", [Moved("example.org/term/v2", "v2.1.0", "v2.2.0", 9)]),
        ("far v0.1.0", "far v0.2.0", []),
        (
            "fork v1.0.1",
            "fork v1.0.2",
            [Moved("example.org/one", "example.org/fork v1.0.1", "example.org/fork v1.0.2", 13)],
        ),
        ("one v1.0.0", "one v1.1.0", []),
        ("term/v2 v2.1.0", "term/v3 v3.0.0", []),
    ],
)
def test_a_module_moves_when_another_version_of_it_is_built(old: str, new: str, found: list[Moved]) -> None:
    assert list(moved(MOD, MOD.replace(old, new))) == found


def test_what_is_used_is_told_with_the_function_that_uses_it() -> None:
    [package] = packages(snapshot({"daemon/layer_windows.go": WINDOWS}), Options()).values()
    assert list(uses(package.files.values(), "example.org/hcs")) == [
        DependencyUse("hcs.Create", "layer.Start", Place("daemon/layer_windows.go", 12)),
        DependencyUse("hcs.Layer", "", Place("daemon/layer_windows.go", 8)),
        DependencyUse("net.Attach", "layer.Start", Place("daemon/layer_windows.go", 15)),
        DependencyUse("net.Default", "layer.Start", Place("daemon/layer_windows.go", 15)),
    ]
    assert list(uses(package.files.values(), "example.org/hc")) == []


def _found(files: dict[str, str], module: str = "example.org/hcs") -> tuple[Finding, ...]:
    tree = snapshot({"daemon/start_linux.go": LINUX, **files})
    known = replace(around({}, dict.fromkeys(tree.files, "")), moved=(Moved(module, "v1.0.0", "v1.1.0", 7),))
    return analyze(snapshot({}), snapshot({}), around=replace(known, files=tree.files)).findings


def test_a_module_that_only_windows_uses_and_that_nobody_can_read_is_a_note() -> None:
    [found] = _found({"daemon/layer_windows.go": WINDOWS})
    assert (found.rule, found.level, found.path, found.line) == ("vendor-drift", Level.NOTE, "go.mod", 7)
    assert found.message.endswith("was not looked at: hcs.Create, hcs.Layer, net.Attach, net.Default.")


@pytest.mark.parametrize(
    "files",
    [
        {"daemon/layer.go": WINDOWS},
        {"daemon/layer_windows.go": WINDOWS, "daemon/layer_linux.go": LINUX.replace('"os"', '_ "example.org/hcs"')},
        {"daemon/layer_windows_test.go": WINDOWS},
        {},
    ],
)
def test_what_linux_uses_too_is_none(files: dict[str, str]) -> None:
    assert _found(files) == ()
