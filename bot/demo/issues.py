"""The part of the stand-in for GitHub that plays issues."""

from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from bot.demo.github import RepositoryState, StandIn

MAX_TITLE = 256
MAX_BODY = 65_536
_REASONS = {"completed", "not_planned", "duplicate", "reopened", None}

Json = dict[str, Any]


class Issues:
    """Issues of all repositories of a stand-in.

    Args:
        standin: what asks are authorised and lists are paged by.
    """

    def __init__(self, standin: "StandIn") -> None:
        self._standin = standin

    def routes(self, repo: str) -> list[web.RouteDef]:
        """All of it, below a repository's path."""
        return [
            web.get(repo + "/issues", self._list),
            web.post(repo + "/issues", self._create),
            web.get(repo + "/issues/{number}", self._get),
            web.patch(repo + "/issues/{number}", self._edit),
        ]

    def _repository(self, request: web.Request, level: str = "read") -> "RepositoryState":
        repo = self._standin.authorised(request, "issues", level)
        if not repo.has_issues and request.method != "GET":
            raise web.HTTPGone(reason="Issues has been disabled in this repository.")
        return repo

    async def _list(self, request: web.Request) -> web.Response:
        """Open issues, and pull requests, which are issues too; newest first."""
        repo = self._repository(request)
        state, creator = request.query.get("state", "open"), request.query.get("creator")
        pulls = [_as_issue(pull.number, pull.state, pull.author) for pull in repo.pulls.values()]
        every = sorted([*repo.issues, *pulls], key=lambda issue: issue["number"], reverse=True)
        shown = [i for i in every if state in {"all", i["state"]} and creator in {None, i["user"]["login"]}]
        return self._standin.page(request, shown)

    async def _create(self, request: web.Request) -> web.Response:
        repo = self._repository(request, "write")
        body = await request.json()
        issue = self._standin.open_issue(repo.name, body["title"], _checked(body), by_app=True)
        return web.json_response(issue, status=201)

    async def _get(self, request: web.Request) -> web.Response:
        return web.json_response(self._issue(request, self._repository(request)))

    async def _edit(self, request: web.Request) -> web.Response:
        issue = self._issue(request, self._repository(request, "write"))
        body = await request.json()
        _checked(body)
        issue.update(body)
        return web.json_response(issue)

    @staticmethod
    def _issue(request: web.Request, repo: "RepositoryState") -> Json:
        number = int(request.match_info["number"])
        found = next((issue for issue in repo.issues if issue["number"] == number), None)
        if found is None:
            raise web.HTTPNotFound(reason="Not Found")
        return found


def new_issue(identity: int, number: int, title: str, body: str, app: int | None) -> Json:
    """An issue as the API shows it, by an app or by a person."""
    return {
        "id": identity,
        "number": number,
        "title": title,
        "body": body,
        "state": "open",
        "state_reason": None,
        "user": {"login": "winparity[bot]" if app else "octocat"},
        "performed_via_github_app": {"id": app} if app else None,
    }


def _as_issue(number: int, state: str, author: str) -> Json:
    return {"number": number, "state": state, "body": "", "user": {"login": author}, "pull_request": {"url": None}}


def _checked(body: Json) -> str:
    text = str(body.get("body", ""))
    if len(text) > MAX_BODY or len(str(body.get("title", "x"))) > MAX_TITLE:
        raise web.HTTPUnprocessableEntity(reason="Validation Failed")
    if body.get("state_reason") not in _REASONS:
        raise web.HTTPUnprocessableEntity(reason="Validation Failed")
    return text
