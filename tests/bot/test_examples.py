"""Every webhook that GitHub shows as an example, sent to the real server: each is answered, and none does harm."""

import json
from typing import Any

import pytest

from bot.webhook import HANDLED
from tests.bot.conftest import INSTALLATION
from tests.bot.line import LOST, Line

TOKENS = "/access_tokens"


@pytest.mark.slow
@pytest.mark.parametrize("installed", [False, True], ids=["as they are", "from an installation of ours"])
async def test_every_example_is_answered_and_nothing_is_written(
    line: Line,
    capsys: pytest.CaptureFixture[str],
    examples: list[tuple[str, dict[str, Any]]],
    installed: bool,  # noqa: FBT001 - a table's column
) -> None:
    answers: dict[int, set[str]] = {}
    for number, (name, payload) in enumerate(examples):
        ours = {"installation": {"id": INSTALLATION}} if installed else {}
        sent = json.loads(json.dumps({**payload, **ours}))
        status = await line.github.deliver(f"{line.web}/webhook", name, sent, f"example-{number}")
        answers.setdefault(status, set()).add(name)
    await line.quiet()
    assert len(examples) > 300
    assert answers.keys() == {200, 202}
    assert answers[202] <= set(HANDLED)
    assert ("pull_request" in answers[202]) is True
    # Their repositories are none of ours, so all that was asked for is a token, in vain.
    assert [call for call in line.github.calls if not call.path.endswith(TOKENS)] == []
    assert {call.status for call in line.github.calls} == ({422} if installed else {404})
    assert line.github.git_calls == []
    said = capsys.readouterr()
    assert not [word for word in ("Traceback", "job failed") if word in said.out + said.err]
    assert "refused: a token for" in said.out

    pull = await line.open(LOST)
    await line.hear("opened", pull)
    assert len(line.bodies(pull)) == 1, "the server works on as before"
