"""The Procfile starts what there is, and a process manager can run it."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.demo.github import PullState, RepositoryState, StandIn
from bot.demo.run import _free_port
from bot.health import PROCESSES
from bot.queue import Jobs
from tests.bot.conftest import Keys
from tests.bot.processes import PATIENCE, answer, eventually, processes

ROOT = Path(__file__).parents[2]
LINES = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text(encoding="utf-8").splitlines())
SCRIPTS = Path(sys.executable).parent


def test_it_has_a_web_process_and_a_worker() -> None:
    assert sorted(LINES) == ["web", "worker"]


@pytest.mark.parametrize("line", LINES.values())
def test_its_lines_are_commands_with_known_options(line: str) -> None:
    """With half of an app, a known command says what is missing; an unknown one or a wrong option is a usage error."""
    program, *words = line.split()
    command = [str(SCRIPTS / program), *words]
    half = {"WINPARITY_WEBHOOK_SECRET": "x", "WINPARITY_ENV_FILE": "/nowhere/.env"}
    done = subprocess.run(command, capture_output=True, text=True, env=half, check=False)
    assert done.returncode == 2
    assert "WINPARITY_APP_ID is not set" in done.stderr


@pytest.mark.slow
async def test_a_process_manager_runs_it_and_ends_it(  # noqa: PLR0917 - pytest gives fixtures by name
    standin: StandIn,
    repository: RepositoryState,
    pull: PullState,
    keys: Keys,
    jobs: Jobs,
    valkey: str,
    tmp_path: Path,
) -> None:
    """Honcho, which reads it as Foreman and Heroku do: from a webhook to a comment, and a clean end."""
    port = _free_port()
    async with processes(standin, keys, valkey, tmp_path, port) as made:
        # honcho gives the first process the port, and each kind after it one that is 100 higher.
        environment = made.environment | {
            "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}",
            "WINPARITY_COMMENT": "always",
        }
        words = ("start", "--procfile", str(ROOT / "Procfile"), "--env", os.devnull, "--port", str(port))
        with (tmp_path / "honcho.log").open("wb") as out:
            honcho = await asyncio.create_subprocess_exec(
                str(SCRIPTS / "honcho"), *words, env=environment, cwd=tmp_path, stdout=out, stderr=out
            )
        made.running.append(honcho)
        url = f"http://127.0.0.1:{port}"

        async def is_ready() -> bool:
            return (await answer(f"{url}/readyz"))[0] == 200 and await jobs.redis.zcard(PROCESSES) == len(LINES)

        await eventually(is_ready)
        payload = standin.payload("opened", repository.name, pull.number)
        assert await standin.deliver(f"{url}/webhook", "pull_request", payload, "d-1") == 202
        await eventually(lambda: jobs.is_finished("d-1"))
        assert len(repository.comments) == 1
        honcho.terminate()
        async with asyncio.timeout(PATIENCE):
            await honcho.wait()
        assert made.said("honcho").count('"stopping"') == len(LINES)
        # Whoever ends well takes its sign of life along.
        assert await jobs.redis.zcard(PROCESSES) == 0
        assert (await answer(f"{url}/healthz"))[0] == 0
