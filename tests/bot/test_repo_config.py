"""The repository's own settings: what is taken, and that every mistake is named with its line."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from analyzer.model import Acceptance
from bot.repo_config import MAX_BYTES, MAX_PROBLEMS, PATH, RepoConfig, read, schema

README = Path(__file__).parents[2] / "README.md"
SCHEMA = Path(__file__).parents[2] / "docs" / "winparity.schema.json"
FLAGS = ("labels", "owners", "shadow")
WHOLE = """\
# what we want
comment: regressions
drafts: always
bots: findings
fail_on: warning
target: darwin
reference: linux
rules:
  test-skipped: off
  stub-added: regression
accept:
  - symbol: daemon:Daemon.Stats
    rule: stub-added
    reason: >
      Windows has
      no cgroups.
    issue: https://example.com/1
    expires: 2026-12-31
  - {symbol: "./volume/: Free", reason: not asked for}
labels: true
owners: false
shadow: true
alerts: webhooks
alert_branches: [main, release/*]
"""


def test_everything_is_taken() -> None:
    config = read(WHOLE.encode())
    assert config == RepoConfig(
        "regressions",
        "always",
        "findings",
        "warning",
        "darwin",
        "linux",
        {"test-skipped": "off", "stub-added": "regression"},
        (
            Acceptance(
                "daemon",
                "Daemon.Stats",
                ("stub-added",),
                "Windows has no cgroups.",
                PATH,
                12,
                "https://example.com/1",
                "2026-12-31",
            ),
            Acceptance("volume", "Free", (), "not asked for", PATH, 19),
        ),
        labels=True,
        shadow=True,
        alerts="webhooks",
        alert_branches=("main", "release/*"),
    )
    options = config.options(date(2026, 1, 2))
    assert (options.target.goos, options.policy.today, options.policy.accept) == ("darwin", "2026-01-02", config.accept)


@pytest.mark.parametrize("content", [None, b"", b"# nothing\n", b"---\n"])
def test_no_file_and_an_empty_one_are_the_defaults(content: bytes | None) -> None:
    assert read(content) == RepoConfig()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("comment: often\ncoment: never\n", ["line 1: comment must be one of", "line 2: there is no key 'coment'"]),
        ("comment:\n", ["line 1: comment must be one of"]),
        ("labels: yes\nowners: 1\nshadow:\n", [f"line {n + 1}: {w} must be" for n, w in enumerate(FLAGS)]),
        ("labels: [true]\n", ["line 1: labels must be true or false, not a list"]),
        ("comment: never\ncomment: always\n", ["line 2: comment is there twice"]),
        ("- comment\n", ["line 1: the file must be keys with values, not a list"]),
        ("rules:\n  stub-aded: off\n  tag-added: loud\n", ["line 2: there is no key 'stub-aded'", "line 3: tag-added"]),
        ("rules: off\n", ["line 1: rules must be keys with values, not 'off'"]),
        ("accept: none\n", ["line 1: accept must be a list, not 'none'"]),
        ("accept:\n- symbol: a:B\n", ["line 2: an entry of accept lacks reason"]),
        ("accept:\n- symbol: a:B\n  reason: ''\n", ["line 3: reason must be"]),
        ("accept:\n- symbol: a:B\n  reason:\n", ["line 3: reason must be the reason"]),
        ("accept:\n- symbol: B\n  reason: x\n", ["line 2: symbol must be a folder and a name"]),
        ("accept:\n- symbol: [a]\n  reason: x\n", ["line 2: symbol must be"]),
        ("accept:\n- {symbol: a:B, reason: x, issue: '#12'}\n", ["line 2: issue must be a web address"]),
        ("accept:\n- {symbol: a:B, reason: x, expires: 2026-02-30}\n", ["line 2: expires must be a date"]),
        ("accept:\n- {symbol: a:B, reason: x, expires: 20260101}\n", ["line 2: expires must be a date"]),
        ("accept:\n- {symbol: a:B, reason: x, rule: y}\n", ["line 2: rule must be one of"]),
        ("accept:\n- x\n", ["line 2: an entry of accept must be keys"]),
        ("target: beos\n", ["line 1: target must be one of"]),
        ("target: linux\n", ["line 1: target and reference are both linux"]),
        ("? [a]\n: b\n", ["line 1: there is no key ''"]),
        ("a: b\n  c: [\n", ["line 2: it is not YAML"]),
        ("comment: !!python/object:os.system x\n", ["line 1: comment must be"]),
        ("accept:\n- symbol: a: B\n  reason: x\n", ["line 2: it is not YAML"]),
        ("a: &a [*a, *a]\n", ["line 1: it has more than"]),
        ("a: \0\n", ["line 1: it is not YAML"]),
        ("x: " + "[" * 100_000, ["line 1: it has more than 20 values within each other"]),
        ("\n" + "- " * 100_000, ["line 2: it has more than 20 values within each other"]),
        ("a:\n" + "- b\n" * 30_000, ["line 20000: it has more than 20,000 values"]),
        ("#" * (MAX_BYTES + 1), ["line 1: it is larger"]),
    ],
)
def test_a_mistake_is_named_with_its_line_and_the_defaults_hold(text: str, said: list[str]) -> None:
    config = read(text.encode())
    words = [str(problem) for problem in config.problems]
    assert len(words) == len(said)
    assert [line for line, start in zip(words, said, strict=True) if not line.startswith(start)] == []
    assert config == RepoConfig(problems=config.problems)


def test_an_alias_cannot_make_a_giant() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    [problem] = read("\n".join(lines).encode()).problems
    assert "values" in problem.words


def test_what_is_no_text_is_no_yaml() -> None:
    assert [str(p) for p in read(b"\xff\xfe\xfa").problems] == ["line 1: it is not UTF-8"]


def test_many_mistakes_are_cut() -> None:
    assert len(read("\n".join(f"k{n}: 1" for n in range(99)).encode()).problems) == MAX_PROBLEMS
    [problem] = read(b"a: *" + b"b" * 9_000).problems
    assert len(str(problem)) < 200


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_nothing_is_too_odd_to_be_read(content: bytes) -> None:
    config = read(content)
    assert all(str(p).isprintable() for p in config.problems) or config.problems


# The schema, for editors.


def test_the_published_schema_is_the_one_that_is_checked(request: pytest.FixtureRequest) -> None:
    written = json.dumps(schema(), indent=2) + "\n"
    if request.config.getoption("--update"):
        SCHEMA.write_text(written, encoding="utf-8")
    assert SCHEMA.read_text(encoding="utf-8") == written, "pytest --update rewrites it"


def test_the_example_in_the_readme_is_right() -> None:
    example = README.read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0]
    config = read(example.encode())
    assert config.problems == ()
    assert config.accept[0].expires


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        (WHOLE, True),
        ("", True),
        ("coment: never", False),
        ("accept: [{symbol: a:B}]", False),
        ("accept: [{symbol: B, reason: x}]", False),
        ("rules: {stub-added: loud}", False),
        ("labels: yes", False),
        ("labels: 'true'", False),
        ("alerts: loud", False),
        ("alert_branches: main", False),
        ("alert_branches: [[main]]", False),
        ("alert_branches: ['']", False),
    ],
)
def test_the_schema_says_what_we_say(text: str, *, valid: bool) -> None:
    validator = Draft202012Validator(schema(), format_checker=FormatChecker())
    assert (not list(validator.iter_errors(_as_editors_see(text)))) == valid == (not read(text.encode()).problems)


class _Editor(yaml.BaseLoader):
    """YAML 1.2, as editors read it: `off` and a date are texts."""


_BOOL = "tag:yaml.org,2002:bool"
_Editor.add_implicit_resolver(_BOOL, re.compile("true|false"), ["t", "f"])
_Editor.add_constructor(_BOOL, lambda _, node: node.value == "true")


def _as_editors_see(text: str) -> Any:
    return yaml.load(text, Loader=_Editor) or {}  # noqa: S506 - it makes nothing but texts and truth values
