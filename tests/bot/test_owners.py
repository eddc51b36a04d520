"""Owners by CODEOWNERS: who they are, and that they are told once on a pull request, over real HTTP."""

import pytest

from bot.codeowners import MAX_BYTES, chosen, owners
from bot.owners import kept
from tests.bot.line import GAINED, HARMLESS, LOST, LOST_MORE, Line

OWNERS = "owners: true\n"
CODEOWNERS = "* @octo-org/all\n/vol/ @octo-org/windows-team\n"
SAYS = "this is yours to look at, as CODEOWNERS says."
MENTION = f"\n\n@octo-org/windows-team: {SAYS}"


# Who they are.


@pytest.mark.parametrize(
    ("text", "paths", "found"),
    [
        ("", "a.go", ""),
        ("* @a @b\n", "a.go", "@a @b"),
        ("* @a\n*.go @b\n", "x/a.go", "@b"),
        ("*.go @b\n* @a\n", "x/a.go", "@a"),
        ("* @a\n/docs/ @b\n", "x/docs/a.go", "@a"),
        ("docs/ @b\n", "x/docs/y/a.go", "@b"),
        ("docs/* @b\n", "docs/y/a.go", ""),
        ("docs/* @b\n", "docs/a.go", "@b"),
        ("**/logs @b\n", "x/y/logs/a.go", "@b"),
        ("/a\\ b/ @b\n", "a%b/c.go", "@b"),
        ("* @a\n/vol/ \n", "vol/a.go", ""),
        ("* @a # and @b\n# * @c\n", "a.go", "@a"),
        ("* @a@b @a/b/c docs@example.com @-a nobody <@c> @a/ @é\n", "a.go", ""),
        ("* @org/a-team @name_corp\n", "a.go", "@org/a-team @name_corp"),
        ("* @one @two @three @four\n", "a.go", "@one @two @three"),
        ("/a/ @one @two\n/b/ @three\n/c/ @three\n", "a/x.go b/x.go c/x.go", "@three @one @two"),
        ("* @Author @b\n", "a.go", "@b"),
        ("* @a\n!a.go @b\n[a].go @b\n\\#.go @b\n[Section] @b\n", "a.go", "@a"),
        ("* @a\n" + "**/*a" * 20 + " @b\n", "a" * 200, "@a"),
        ("* @a\r\n", "a.go", "@a"),
    ],
)
def test_the_last_rule_that_matches_names_the_owners(text: str, paths: str, found: str) -> None:
    known = owners(text.encode(), [path.replace("%", " ") for path in paths.split()])
    assert chosen(known, "author") == tuple(found.split())


def test_a_file_that_github_does_not_load_names_nobody() -> None:
    assert owners(b"* @a\n" + b"#" * MAX_BYTES, ["a.go"]) == ()
    assert owners(b"\xff\xfe\n* @a\n", ["a.go"]) == ("@a",)


# The line in the comment.


def test_only_our_own_line_is_kept() -> None:
    for last in ("@a: something else", f"@a: {SAYS} And more.", f"x @a: {SAYS}", f"@a @b: {SAYS}", ""):
        assert kept(f"body\n\n{last}", "new", over=False) == "new"


# When they are told.


async def _owned(line: Line, *places: str, settings: str = OWNERS, text: str = CODEOWNERS) -> None:
    await line.set_up(settings, **dict.fromkeys(places or (".github/CODEOWNERS",), text))


async def test_a_new_comment_mentions_them_and_edits_keep_the_line(line: Line) -> None:
    await _owned(line)
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    [first] = line.bodies(pull)
    assert first.endswith(MENTION)
    await line.push(pull, LOST_MORE)
    await line.hear("synchronize", pull)
    [second] = line.bodies(pull)
    assert second != first
    assert second.endswith(MENTION), "no other owner is mentioned in an edit"
    before = len(line.writes)
    await line.hear("reopened", pull)
    assert len(line.writes) == before


async def test_when_all_is_resolved_nobody_is_mentioned_any_more(line: Line) -> None:
    await _owned(line)
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    await line.push(pull, HARMLESS)
    await line.hear("synchronize", pull)
    assert line.bodies(pull)[0].endswith("\n\n`@octo-org/windows-team`: this was yours to look at, as CODEOWNERS says.")
    await line.push(pull, LOST)
    await line.hear("synchronize", pull)
    assert line.bodies(pull)[0].endswith(f"\n\n`@octo-org/windows-team`: {SAYS}")


async def test_a_comment_that_is_made_again_mentions_nobody(line: Line) -> None:
    await _owned(line)
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    line.repository.comments.clear()
    await line.hear("reopened", pull)
    assert line.bodies(pull)[0].endswith(f"\n\n`@octo-org/windows-team`: {SAYS}")


async def test_a_comment_that_began_without_a_regression_never_mentions_anybody(line: Line) -> None:
    await _owned(line)
    pull = await line.open(GAINED)
    await line.hear("opened", pull)
    await line.push(pull, LOST)
    await line.hear("synchronize", pull)
    [body] = line.bodies(pull)
    assert "@octo-org" not in body


async def test_the_author_is_never_mentioned(line: Line) -> None:
    await _owned(line, text="* @Octocat\n")
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    assert "@" not in line.bodies(pull)[0]


async def test_off_by_default(line: Line) -> None:
    await _owned(line, settings="")
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    assert "CODEOWNERS" not in line.bodies(pull)[0]


@pytest.mark.parametrize(
    ("places", "counts"),
    [
        ((".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"), ".github/CODEOWNERS"),
        (("CODEOWNERS", "docs/CODEOWNERS"), "CODEOWNERS"),
        (("docs/CODEOWNERS",), "docs/CODEOWNERS"),
    ],
)
async def test_the_file_counts_that_github_looks_for_first(line: Line, places: tuple[str, ...], counts: str) -> None:
    await line.set_up(OWNERS, **{place: f"* @{place.replace('/', '-').strip('.')}\n" for place in places})
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    assert line.bodies(pull)[0].endswith(f"\n\n@{counts.replace('/', '-').strip('.')}: {SAYS}")


async def test_what_a_fork_makes_of_codeowners_does_not_count(line: Line) -> None:
    await _owned(line)
    pull = await line.open({**LOST, ".github/CODEOWNERS": "* @stranger\n"}, "somebody/fork")
    await line.hear("opened", pull)
    assert line.bodies(pull)[0].endswith(MENTION)


@pytest.mark.parametrize(
    ("status", "headers", "ending"),
    [
        (403, {"Retry-After": "1"}, MENTION),
        (502, {}, MENTION.replace("@octo-org/windows-team", "`@octo-org/windows-team`")),
    ],
)
@pytest.mark.slow
async def test_who_was_perhaps_told_is_not_told_again(
    line: Line, status: int, headers: dict[str, str], ending: str
) -> None:
    """A limit says that nothing was created; a server that broke may have created it, and sent its mails."""
    await _owned(line)
    line.github.refuse_next("POST /repos/example/berth/issues", status, headers)
    pull = await line.open(LOST)
    await line.hear("opened", pull)
    assert line.bodies(pull)[0].endswith(ending)
