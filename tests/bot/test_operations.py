"""What operators copy: the runbook, the alerts, the image and the compose file name only what there is."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import typer.main
import yaml
from click import Command
from prometheus_client.core import REGISTRY

from bot import metrics
from bot.cli import app
from bot.config import SETTINGS
from bot.inbox import Waiting

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
RULES = yaml.safe_load((ROOT / "docs" / "alert-rules.yml").read_text(encoding="utf-8"))
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"]]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name in SERVICES if name != "valkey"]
COMMANDS: dict[str, Command] = typer.main.get_command(app).commands  # type: ignore[attr-defined] # it is a group


def _instructions(name: str) -> list[str]:
    """The arguments of an instruction, wherever the Dockerfile has it."""
    joined = re.sub(r"\\\n\s*", " ", DOCKERFILE)
    return re.findall(rf"^{name} (.*)$", joined, re.MULTILINE)


def _check_command(words: list[str]) -> None:
    """A command of ours with options of its own; options may have values."""
    assert words[0] in COMMANDS, words
    known = {
        option for parameter in COMMANDS[words[0]].params for option in (*parameter.opts, *parameter.secondary_opts)
    }
    assert {word.partition("=")[0] for word in words[1:] if word.startswith("--")} <= known, words


# Commands.

TYPED = [line.partition(" #")[0].split() for line in re.findall(r"\bwinparity ([a-z].*)", "\n".join(
    [*re.findall(r"^    (.*)$", PAGE, re.MULTILINE), *re.findall(r"`([^`\n]+)`", PAGE)]
))]  # fmt: skip


def test_the_page_has_commands() -> None:
    assert {"doctor", "health", "queue", "serve", "worker", "replay"} <= {words[0] for words in TYPED}


@pytest.mark.parametrize("words", TYPED, ids=" ".join)
def test_each_command_of_the_page_is_one(words: list[str]) -> None:
    _check_command(words)


def test_the_image_and_the_compose_file_start_commands() -> None:
    assert _instructions("ENTRYPOINT") == ['["winparity"]']
    _check_command(json.loads(_instructions("CMD")[0]))
    health = _instructions("HEALTHCHECK")[0].partition("CMD ")[2]
    _check_command(json.loads(health)[1:])
    for name in OURS:
        _check_command(SERVICES[name]["command"])


# Settings.


@pytest.mark.parametrize(
    "names",
    [
        re.findall(r"\bWINPARITY_[A-Z_]+", PAGE),
        re.findall(r"\b(?:WINPARITY|REDIS|OTEL)_[A-Z_]+", (ROOT / "compose.yaml").read_text(encoding="utf-8")),
        re.findall(r"\bWINPARITY_[A-Z_]+", DOCKERFILE),
        *([*SERVICES[name]["environment"]] for name in OURS),
    ],
)
def test_each_setting_is_one(names: list[str]) -> None:
    assert names
    assert set(names) <= {setting.name for setting in SETTINGS}


# Metrics.


def _metrics() -> set[str]:
    """Every name that a process may tell, with the endings that Prometheus knows a histogram by."""
    every = dict.fromkeys(metrics.LAST, 1.0)
    families = [*REGISTRY.collect(), *metrics.Shared(Waiting(0, 0, 0, 0, 0.0), every, {}).collect()]
    names = {family.name for family in families}
    for family in families:
        names |= {f"{family.name}_total"} if family.type == "counter" else set()
        names |= {f"{family.name}_{end}" for end in ("bucket", "sum", "count")} if family.type == "histogram" else set()
    return names


def test_the_page_names_every_metric_of_ours_and_no_other() -> None:
    told = set(re.findall(r"\b(?:winparity|process)_[a-z_]+\b", PAGE))
    assert told <= _metrics()
    ours = {metric._name + ("_total" if metric._type == "counter" else "") for metric in _own()}
    shared = metrics.Shared(Waiting(0, 0, 0, 0, 0.0), dict.fromkeys(metrics.LAST, 1.0), {}).collect()
    assert ours | {family.name for family in shared} <= told


def _own() -> Iterable[Any]:
    return (known for known in vars(metrics).values() if hasattr(known, "_type") and hasattr(known, "_documentation"))


def _selectors(node: Any) -> list[Any]:
    """The series that an expression reads, however deep."""
    if isinstance(node, promql_parser.VectorSelector):
        return [node]
    if isinstance(node, promql_parser.MatrixSelector):
        return [node.vector_selector]
    inner = [getattr(node, name, None) for name in ("expr", "lhs", "rhs")] + [*getattr(node, "args", [])]
    return [found for part in inner if part is not None for found in _selectors(part)]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_each_alert_is_understood_and_reads_what_there_is(alert: dict[str, Any]) -> None:
    assert alert.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    assert alert["labels"]["severity"] in {"page", "look"}
    assert alert["annotations"]["summary"].endswith(".")
    selectors = _selectors(promql_parser.parse(alert["expr"]))
    assert selectors
    assert {selector.name for selector in selectors} <= _metrics()


def test_each_alert_has_a_section_that_says_what_to_do() -> None:
    titles = " ".join(re.findall(r"^### (.*)$", PAGE, re.MULTILINE))
    assert sorted(re.findall(r"Winparity\w+", titles)) == sorted(alert["alert"] for alert in ALERTS)


# Places.


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)", PAGE):
        assert target.startswith("https://") or (ROOT / "docs" / target).exists(), target


# The image.


def test_hadolint_has_nothing_to_say() -> None:
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([program, "--no-color", ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def _copied() -> list[str]:
    return [word for copy in _instructions("COPY") if not copy.startswith("--from") for word in copy.split()[:-1]]


def test_what_is_copied_is_there_and_goes_to_the_builder() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored
    assert set(_copied()) == let_in
    assert all((ROOT / source).exists() for source in _copied())
    secret = ["bot/.env", "analyzer/x/.env"]
    assert all(any(fnmatch(path, line) for line in ignored if line.startswith("**")) for path in secret)


@pytest.mark.slow
def test_what_is_copied_makes_a_wheel_with_all_that_it_needs(tmp_path: Path) -> None:
    """The image's own steps, but for the isolation: the builder's hatchling is here already."""
    for source in _copied():
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
        copy(ROOT / source, tmp_path / source)
    command = ["pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path / "wheels"), "."]
    subprocess.run([sys.executable, "-m", *command], cwd=tmp_path, check=True, capture_output=True)
    [wheel] = (tmp_path / "wheels").glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
        [entry] = [name for name in names if name.endswith("entry_points.txt")]
        assert b"winparity = bot.cli:main" in packed.read(entry)
    sources = {path.relative_to(ROOT).as_posix() for folder in ("analyzer", "bot") for path in (ROOT / folder).rglob("*")
               if path.is_file() and path.suffix in {".py", ".html", ".css", ".js", ".txtar"}}  # fmt: skip
    assert sources | {"bot/app.yml"} <= names


def test_the_image_is_made_to_be_locked_up() -> None:
    assert _instructions("USER") == ["10001:10001"]
    assert _instructions("STOPSIGNAL") == ["SIGTERM"]
    assert "--require-hashes -r requirements.txt" in DOCKERFILE
    assert "--require-hashes -r requirements-build.txt" in DOCKERFILE
    assert all("--no-cache-dir" in line for line in re.findall(r"pip (?:install|wheel) .*", DOCKERFILE))
    labels = " ".join(_instructions("LABEL"))
    for name in ("title", "description", "url", "source", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{name}=" in labels


@pytest.mark.parametrize(("file", "wanted"), [("requirements.txt", ""), ("requirements-build.txt", "hatchling==")])
def test_what_the_image_installs_is_locked(file: str, wanted: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    pinned = re.findall(r"^[a-z0-9].*==.* \\$", text, re.MULTILINE)
    assert len(pinned) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE)) <= text.count("--hash=sha256:")
    assert wanted in text


# The compose file.


def test_the_compose_file_is_as_its_schema_has_it() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, str(ROOT / "compose.yaml")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_locked_up_and_limited(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}
    assert "privileged" not in service
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    used = {volume.partition(":")[0] for volume in service.get("volumes", [])} | {*service.get("secrets", [])}
    assert used <= COMPOSE["volumes"].keys() | COMPOSE["secrets"].keys()
    assert set(service["networks"]) <= COMPOSE["networks"].keys()


def test_secrets_come_by_files_and_the_store_keeps_what_it_is_given() -> None:
    for name in OURS:
        environment = SERVICES[name]["environment"]
        assert {"WINPARITY_ENV_FILE", "WINPARITY_PRIVATE_KEY_FILE"} <= environment.keys()
        files = {environment[f"WINPARITY_{file}"] for file in ("ENV_FILE", "PRIVATE_KEY_FILE")}
        assert files == {f"/run/secrets/{secret}" for secret in COMPOSE["secrets"]}
        assert not environment.keys() & {"WINPARITY_PRIVATE_KEY", "WINPARITY_WEBHOOK_SECRET"}
    words = SERVICES["valkey"]["command"]
    options = dict(zip(words[1::2], words[2::2], strict=True))
    assert (options["--appendonly"], options["--appendfsync"]) == ("yes", "always")
    assert options["--maxmemory-policy"] == "noeviction"
    assert SERVICES["valkey"]["healthcheck"]["test"][0] == "CMD"
    assert "ports" not in SERVICES["valkey"]
    assert COMPOSE["networks"]["inside"]["internal"] is True


def test_a_worker_has_the_memory_that_its_comparisons_may_take() -> None:
    worker = SERVICES["worker"]
    most = int(worker["environment"]["WINPARITY_CONCURRENCY"]) * int(worker["environment"]["WINPARITY_JOB_MEMORY"])
    assert int(worker["deploy"]["resources"]["limits"]["memory"].removesuffix("M")) >= most + 512
