"""The Procfile starts what there is."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINES = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text(encoding="utf-8").splitlines())


def test_it_has_a_web_process_and_a_worker() -> None:
    assert sorted(LINES) == ["web", "worker"]


@pytest.mark.parametrize("line", LINES.values())
def test_its_lines_are_commands_with_known_options(line: str) -> None:
    """With half of an app, a known command says what is missing; an unknown one or a wrong option is a usage error."""
    program, *words = line.split()
    command = [str(Path(sys.executable).with_name(program)), *words]
    half = {"WINPARITY_WEBHOOK_SECRET": "x", "WINPARITY_ENV_FILE": "/nowhere/.env"}
    done = subprocess.run(command, capture_output=True, text=True, env=half, check=False)
    assert done.returncode == 2
    assert "WINPARITY_APP_ID is not set" in done.stderr
