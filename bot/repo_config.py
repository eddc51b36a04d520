"""A repository's own settings: .github/winparity.yml, read strictly, every mistake with its line."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, Literal, cast, get_args

import yaml

from analyzer.model import Acceptance, Options, Platform, Policy, RuleLevel
from analyzer.platforms import KNOWN_GOOS
from analyzer.reading import Reader
from bot.config import Comment
from bot.regressions import Speaks

PATH = ".github/winparity.yml"
"""Where it lies. It is read from the base of a change: a pull request cannot excuse itself."""

MAX_BYTES = 256 * 1024
"""Beyond this it is not read: a thousand entries take half of it."""

MAX_NODES = 20_000
"""Values in it, aliases counted as often as they are used: a few lines of YAML can stand for billions."""

MAX_DEPTH = 20
"""Lists and keys within each other: it takes four, and a reader's time grows with the square of it."""

MAX_TEXT = 1_000
"""Characters of one text in it."""

MAX_PROBLEMS = 20
"""Mistakes that are named."""

MAX_SHOWN = 100
"""Characters of the YAML library's words, which repeat what it read."""

_TOO_MANY = f"it has more than {MAX_NODES:,} values"

FailOn = Literal["regression", "warning", "never"]


@dataclass(frozen=True, slots=True)
class Problem:
    """A mistake in the file."""

    line: int
    words: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.words}"


@dataclass(frozen=True, slots=True)
class RepoConfig:
    """What a repository wants. With a problem, all of it is the default.

    Attributes:
        comment: when to comment; None leaves it to the server's setting.
        drafts: when to comment on a draft, at most.
        bots: when to comment on an app's pull request, at most.
        fail_on: from which level on a check fails.
        target: the GOOS that is judged.
        reference: the GOOS that it is judged by.
        rules: levels of rules that are not ours.
        accept: findings that are accepted.
        labels: pull requests get labels.
        owners: owners of files that regress are told.
        shadow: look, and write nothing.
        alerts: whom a regression on the default or a release branch is told.
        alert_branches: patterns of such branches, to which alerts are limited; empty for all of them.
        problems: what is wrong with the file.
        file: which file it is, as people are told.
    """

    comment: Comment | None = None
    drafts: Comment = "never"
    bots: Comment = "regressions"
    fail_on: FailOn = "regression"
    target: str = "windows"
    reference: str = "linux"
    rules: Mapping[str, RuleLevel] = field(default_factory=dict)
    accept: tuple[Acceptance, ...] = ()
    labels: bool = False
    owners: bool = False
    shadow: bool = False
    alerts: Speaks = "issue"
    alert_branches: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    file: str = PATH

    def alerts_on(self, branch: str) -> Speaks:
        """Whom a regression on a branch is told. A file that is not understood opens no issue."""
        limits = self.alert_branches
        if limits and not any(fnmatchcase(branch, pattern) for pattern in limits):
            return "never"
        return "webhooks" if self.problems else self.alerts

    def options(self, today: date | None = None, reader: Reader | None = None) -> Options:
        """The analyzer's options.

        Args:
            today: by which entries expire; none does when None.
            reader: what reads files.
        """
        policy = Policy(self.rules, self.accept, today.isoformat() if today else "")
        return Options(Platform(self.target), Platform(self.reference), policy, reader)


# Each kind of value says what is wrong with a node, what a node is worth, and how JSON Schema has it.


@dataclass(frozen=True, slots=True)
class _Text:
    """A text that follows a rule; a number or a truth value is taken as it is written."""

    says: str
    pattern: str = r"\S"
    check: Callable[[str], bool] = bool
    format: str = ""

    def problems(self, node: yaml.Node, where: str) -> Iterator[Problem]:
        text = node.value if isinstance(node, yaml.ScalarNode) and node.tag != "tag:yaml.org,2002:null" else ""
        if len(text) > MAX_TEXT:
            yield _problem(node, f"{where} is longer than {MAX_TEXT} characters")
        elif not re.search(self.pattern, text) or not self.check(text):
            yield _problem(node, f"{where} must be {self.says}{_got(node)}")

    def value(self, node: yaml.Node) -> Any:
        return " ".join(cast("str", node.value).split())

    def schema(self) -> dict[str, Any]:
        known = {"type": "string", "pattern": self.pattern, "maxLength": MAX_TEXT, "description": _sentence(self.says)}
        return known | ({"format": self.format} if self.format else {})


@dataclass(frozen=True, slots=True)
class _Choice:
    """One of some words."""

    words: tuple[str, ...]
    says: str

    def problems(self, node: yaml.Node, where: str) -> Iterator[Problem]:
        if not isinstance(node, yaml.ScalarNode) or node.value not in self.words:
            yield _problem(node, f"{where} must be one of {', '.join(self.words)}{_got(node)}")

    def value(self, node: yaml.Node) -> Any:
        return node.value

    def schema(self) -> dict[str, Any]:
        return {"enum": [*self.words], "description": self.says}


@dataclass(frozen=True, slots=True)
class _Flag:
    """True or false."""

    says: str

    def problems(self, node: yaml.Node, where: str) -> Iterator[Problem]:
        if node.tag != "tag:yaml.org,2002:bool" or node.value not in {"true", "false"}:
            yield _problem(node, f"{where} must be true or false{_got(node)}")

    def value(self, node: yaml.Node) -> Any:
        return node.value == "true"

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean", "description": self.says}


@dataclass(frozen=True, slots=True)
class _Record:
    """Named fields, some of which must be there."""

    fields: Mapping[str, "_Kind"]
    says: str
    required: tuple[str, ...] = ()

    def problems(self, node: yaml.Node, where: str) -> Iterator[Problem]:
        if not isinstance(node, yaml.MappingNode):
            yield _problem(node, f"{where} must be keys with values{_got(node)}")
            return
        seen = set[str]()
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            if name not in self.fields:
                yield _problem(key, f"there is no key {name[:40]!r} here; known are {', '.join(self.fields)}")
            elif name in seen:
                yield _problem(key, f"{name} is there twice")
            else:
                yield from self.fields[name].problems(value, name)
            seen.add(name)
        for name in self.required:
            if name not in seen:
                yield _problem(node, f"{where} lacks {name}")

    def value(self, node: yaml.Node) -> Any:
        return {key.value: self.fields[key.value].value(value) for key, value in node.value}

    def schema(self) -> dict[str, Any]:
        known = {
            "type": "object",
            "description": self.says,
            "properties": {name: kind.schema() for name, kind in self.fields.items()},
            "additionalProperties": False,
        }
        return known | ({"required": [*self.required]} if self.required else {})


@dataclass(frozen=True, slots=True)
class _List:
    """Any number of one kind; each is known with its line."""

    of: _Record | _Text
    says: str

    def problems(self, node: yaml.Node, where: str) -> Iterator[Problem]:
        if not isinstance(node, yaml.SequenceNode):
            yield _problem(node, f"{where} must be a list{_got(node)}")
            return
        for entry in node.value:
            yield from self.of.problems(entry, f"an entry of {where}")

    def value(self, node: yaml.Node) -> Any:
        return [(entry.start_mark.line + 1, self.of.value(entry)) for entry in node.value]

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.of.schema(), "description": self.says}


_Kind = _Text | _Choice | _Flag | _Record | _List


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


@cache
def _file() -> _Record:
    """What the file may hold."""
    from analyzer.rules import RULES  # noqa: PLC0415 - most repositories have no such file, and rules take long to import

    rules, systems = tuple(sorted(rule.id for rule in RULES)), tuple(sorted(KNOWN_GOOS))
    when = get_args(Comment)
    entry = _Record(
        {
            "symbol": _Text(
                "a folder and a name, such as daemon:Daemon.Stats, or daemon:stats.go for a whole file",
                r"^[^:\s][^:]*:\s*[^:\s]+$",
            ),
            "rule": _Choice(rules, "The rule whose findings are accepted; all of them when it is left out."),
            "reason": _Text("the reason, in words for whoever comes later"),
            "issue": _Text("a web address, where the matter is followed up", r"^https?://\S+$"),
            "expires": _Text(
                "a date such as 2026-12-31, the last day on which it counts", check=_is_date, format="date"
            ),
        },
        "A finding that is accepted. It is listed as a note, with the reason.",
        required=("symbol", "reason"),
    )
    return _Record(
        {
            "comment": _Choice(when, "When to comment on a pull request; on regressions and improvements by default."),
            "drafts": _Choice(when, "When to comment on a draft, at most; never by default."),
            "bots": _Choice(
                when, "When to comment on a pull request that an app opened, at most; regressions by default."
            ),
            "fail_on": _Choice(("regression", "warning", "never"), "From which level on the check fails."),
            "target": _Choice(systems, "The GOOS whose support is judged; windows by default."),
            "reference": _Choice(systems, "The GOOS that it is judged by; linux by default."),
            "rules": _Record(
                {rule: _Choice(("off", "note", "warning", "regression"), f"The level of {rule}.") for rule in rules},
                "Rules that are off, mere notes, or raised. What is context or good news is never raised.",
            ),
            "accept": _List(entry, "Findings that are accepted."),
            "labels": _Flag("Whether pull requests get the labels “windows: regression” and “windows: improvement”."),
            "owners": _Flag("Whether the comment mentions, once, whom CODEOWNERS names for files with a regression."),
            "shadow": _Flag(
                "Whether to look at pull requests and write nothing; `winparity shadow` shows what it would be."
            ),
            "alerts": _Choice(
                get_args(Speaks), "Whom a regression on the default or a release branch is told; an issue by default."
            ),
            "alert_branches": _List(
                _Text("a branch, or a pattern such as release/*"),
                "Of the default and the release branches, those with alerts; all of them when it is left out.",
            ),
        },
        "What winparity does in this repository.",
    )


def schema() -> dict[str, Any]:
    """The JSON Schema of the file, for editors (docs/winparity.schema.json)."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": PATH, **_file().schema()}


def read(content: bytes | None) -> RepoConfig:
    """The settings in a file's bytes; None, when there is no such file, gives the defaults."""
    if content is None:
        return RepoConfig()
    if len(content) > MAX_BYTES:
        return _broken(Problem(1, f"it is larger than {MAX_BYTES // 1024} KiB"))
    try:
        node = yaml.compose(content.decode("utf-8-sig"), Loader=_Loader)
    except UnicodeDecodeError:
        return _broken(Problem(1, "it is not UTF-8"))
    except _BeyondError as error:
        line, words = error.args
        return _broken(Problem(line + 1, words))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = (error.problem or error.context or "")[:MAX_SHOWN]
        return _broken(Problem(mark.line + 1 if mark else 1, f"it is not YAML: {words}"))
    except yaml.YAMLError as error:
        return _broken(Problem(1, f"it is not YAML: {str(error)[:MAX_SHOWN]}"))
    if node is None or (isinstance(node, yaml.ScalarNode) and not node.value):
        return RepoConfig()
    if not _is_small(node):
        return _broken(Problem(1, _TOO_MANY))
    problems = sorted({*_file().problems(node, "the file")}, key=lambda p: (p.line, p.words))
    if not problems:
        problems = [*_same_platforms(_file().value(node), node)]
    return _broken(*problems) if problems else _made(_file().value(node))


class _BeyondError(Exception):
    """It has more than is read; the line from 0 on, and what there is too much of."""


class _Loader(yaml.SafeLoader):
    """Stops at what lies too deep, before the scanner, which looks ahead, has seen all of it; and at too many values."""

    _values = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._values += 1
        if self._values > MAX_NODES:
            raise _BeyondError(self.get_mark().line, _TOO_MANY)
        return super().compose_node(parent, index)

    def fetch_more_tokens(self) -> Any:
        if self.flow_level + len(self.indents) > MAX_DEPTH:
            raise _BeyondError(self.get_mark().line, f"it has more than {MAX_DEPTH} values within each other")
        return super().fetch_more_tokens()


def _broken(*problems: Problem) -> RepoConfig:
    return RepoConfig(problems=problems[:MAX_PROBLEMS])


def _same_platforms(found: dict[str, Any], node: yaml.Node) -> Iterator[Problem]:
    target, reference = found.get("target", "windows"), found.get("reference", "linux")
    if target == reference:
        yield _problem(node, f"target and reference are both {target}")


def _made(found: dict[str, Any]) -> RepoConfig:
    accept = []
    for line, entry in found.pop("accept", []):
        package, _, name = entry["symbol"].partition(":")
        rules = (entry["rule"],) if "rule" in entry else ()
        where = package.strip("/ ").removeprefix("./") or "."
        issue, expires = entry.get("issue", ""), entry.get("expires", "")
        accept.append(Acceptance(where, name.strip(), rules, entry["reason"], PATH, line, issue, expires))
    branches = tuple(pattern for _, pattern in found.pop("alert_branches", []))
    return RepoConfig(**found, accept=tuple(accept), alert_branches=branches)


def _is_small(root: yaml.Node) -> bool:
    """Whether all values together are few, however often one is used again; a value within itself never ends."""
    work, count = [root], 0
    while work and count <= MAX_NODES:
        node = work.pop()
        count += 1
        if isinstance(node, yaml.SequenceNode):
            work += node.value
        elif isinstance(node, yaml.MappingNode):
            work += [part for pair in node.value for part in pair]
    return count <= MAX_NODES


def _problem(node: yaml.Node, words: str) -> Problem:
    return Problem(node.start_mark.line + 1, words)


def _got(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return f", not {node.value[:40]!r}" if node.value else ", and is empty"
    return ", not a list" if isinstance(node, yaml.SequenceNode) else ", not keys with values"


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."
