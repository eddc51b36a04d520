"""What people have told us in a pull request, as a value: what they accept, whether to be quiet, what to explain."""

import time
from collections.abc import Iterable
from typing import Self, TypeVar

import msgspec

from analyzer import accepting, suppress
from analyzer.model import Accepted, Analysis, Finding, Level
from bot.finding_ids import finding_id
from bot.ids import Login

ALL = "*"
"""In the place of a finding's id: every finding."""

MAX_ACCEPTED = 1_000
"""Findings that can be accepted in one pull request; of more, the newest."""

MAX_EXPLAINED = 50
"""Findings and rules that are explained; of more, the newest."""

MAX_TROUBLES = 3
"""Commands that were not understood and are still shown."""

MAX_HEARD = 200
"""Comments and buttons that are known to be answered; a job that was killed is run again soon, or never."""

MAX_REASON = 500
"""Characters of a reason that are kept."""

_T = TypeVar("_T")
_WORST_FIRST = tuple(Level)


class Word(msgspec.Struct, frozen=True):
    """What one person said.

    Attributes:
        who: the account's name.
        when: in seconds since the epoch.
        reason: in the person's words: plain text, which may be hostile.
        comment: the id of the comment; 0 for a button.
        level: of a finding that is accepted by it, as it was then; "" else.
    """

    who: str
    when: int
    reason: str = ""
    comment: int = 0
    level: str = ""

    @classmethod
    def now(cls, who: Login, comment: int) -> Self:
        """A word without a reason."""
        return cls(str(who), int(time.time()), comment=comment)


class Talk(msgspec.Struct, frozen=True):
    """All of it, and what we answered.

    Attributes:
        accepted: by the finding's whole id.
        ignored: who wants us to be quiet.
        explain: ids of findings and of rules, or ``ALL``.
        help: somebody asked what can be said to us.
        called: somebody asked for words in the conversation, so there is a comment.
        troubles: what we did not understand, in words of ours that may quote what was said.
        heard: the answers so far, by comment or button.
    """

    accepted: dict[str, Word] = {}
    ignored: Word | None = None
    explain: tuple[str, ...] = ()
    help: bool = False
    called: bool = False
    troubles: tuple[Word, ...] = ()
    heard: dict[str, str] = {}

    def accepting(self, findings: Iterable[Finding], word: Word) -> "Talk":
        """These findings are accepted as they are now: one that gets worse is not."""
        worst_last = sorted(findings, key=lambda finding: -_WORST_FIRST.index(finding.level))
        new = {finding_id(f): msgspec.structs.replace(word, level=f.level.value) for f in worst_last}
        kept = {name: known for name, known in self.accepted.items() if name not in new}
        return msgspec.structs.replace(self, accepted=_newest({**kept, **new}, MAX_ACCEPTED))

    def explaining(self, names: Iterable[str]) -> "Talk":
        """These are explained, too."""
        known = dict.fromkeys([*self.explain, *names])
        return msgspec.structs.replace(self, explain=tuple(known)[-MAX_EXPLAINED:])

    def troubled(self, word: Word) -> "Talk":
        """This was not understood."""
        return msgspec.structs.replace(self, troubles=(*self.troubles, word)[-MAX_TROUBLES:])

    def understood(self, who: Login) -> "Talk":
        """Forget what somebody said before that was not understood."""
        return msgspec.structs.replace(self, troubles=tuple(word for word in self.troubles if word.who != who))

    def answered(self, key: str, answer: str) -> "Talk":
        """Note an answer."""
        return msgspec.structs.replace(self, heard=_newest({**self.heard, key: answer}, MAX_HEARD))

    def settled(self, analysis: Analysis) -> Analysis:
        """An analysis in which people's acceptances count."""
        findings = [f for f in analysis.findings if suppress.acceptable(f) and finding_id(f) in self.accepted]
        worse = {f.fingerprint for f in findings if _is_worse(f, self.accepted[finding_id(f)])}
        words = {f.fingerprint: self.accepted[finding_id(f)] for f in findings if f.fingerprint not in worse}
        by = {name: Accepted(w.reason, None, in_source=False, new=True, who=w.who) for name, w in words.items()}
        return accepting(analysis, by) if by else analysis


def _is_worse(finding: Finding, word: Word) -> bool:
    return _WORST_FIRST.index(finding.level) < _WORST_FIRST.index(Level(word.level))


def _newest(known: dict[str, _T], most: int) -> dict[str, _T]:
    return dict(list(known.items())[-most:])


def encode_talk(talk: Talk) -> bytes:
    """A talk as the store keeps it."""
    return msgspec.json.encode(talk)


def decode_talk(kept: bytes | str | None) -> Talk:
    """The talk that was stored; an empty one for nothing, and for what another version left that we cannot read."""
    try:
        return msgspec.json.decode(kept, type=Talk) if kept else Talk()
    except msgspec.DecodeError:
        return Talk()
