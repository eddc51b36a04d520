"""Which of the commands that use a route a person would name for it."""

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from tests.features_gen.paths import Request

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


class User(NamedTuple):
    """A command or a cmdlet.

    Attributes:
        name: what it is called.
        phrases: the words of each of its names, such as ("container", "pause").
        group: what it is about, such as "container"; "" when no name says so.
    """

    name: str
    phrases: frozenset[tuple[str, ...]]
    group: str


def words(name: str) -> tuple[str, ...]:
    """``ContainerLogs`` as ``("container", "logs")``; that it gets something is not said."""
    return tuple(word.lower() for word in _WORD.findall(name) if word != "Get")


def chosen(
    uses: Mapping[User, set[Request]], methods: Mapping[str, set[Request]]
) -> dict[Request, tuple[list[str], list[str]]]:
    """By route: the names of those that people would name for it, and of the others that use it too, both sorted.

    First come those whose name says what the client's method says (``docker pause``, ContainerPause), and with them those
    about the same thing that are there for few other changes (``docker run`` creates containers). Without any of them: who
    is alone, who shares a last word with the method, or who is there for little else.

    Args:
        uses: what each command asks for.
        methods: what each of the client's methods asks for.
    """
    users: dict[Request, set[User]] = defaultdict(set)
    for user, requests in uses.items():
        for request in requests:
            users[request].add(user)
    phrases = _phrases(methods)
    exact = {request: {user for user in who if _says(user, phrases[request])} for request, who in users.items()}
    claimed = {user for named in exact.values() for user in named}
    own = {user: _purpose(requests, users) for user, requests in uses.items()}
    found = {}
    for request, who in users.items():
        free = {user for user in who - claimed if request in own[user]}
        about = request.path.split("/")[1].rstrip("s")
        akin = {
            user for user in free if request.verb not in _READS and (not user.group or user.group.startswith(about))
        }
        named = exact[request] | akin
        if not named:
            said = {word for phrase in phrases[request] for word in phrase}
            sharing = {user for user in who if any(phrase[-1] in said for phrase in user.phrases)}
            kin = {user for user in sharing if user.group.startswith(about)}
            named = (who if len(who) == 1 else set()) or kin or sharing or free
        found[request] = (sorted(user.name for user in named), sorted(user.name for user in who - named))
    return found


def _phrases(methods: Mapping[str, set[Request]]) -> dict[Request, set[tuple[str, ...]]]:
    """By route, how its methods are called: those that do nothing else, or else all."""
    found: dict[Request, set[tuple[str, ...]]] = defaultdict(set)
    alone = {request for made in methods.values() if len(made) == 1 for request in made}
    for name, made in methods.items():
        for request in made:
            if len(made) == 1 or request not in alone:
                found[request].add(words(name))
    return found


def _says(user: User, phrases: set[tuple[str, ...]]) -> bool:
    """Whether a name is a method's; one that is a single word only, such as ``docker inspect``, speaks of anything."""
    single = user.phrases if not user.group else frozenset()
    return bool(user.phrases & phrases or single & {phrase[-1:] for phrase in phrases})


def _purpose(requests: set[Request], users: Mapping[Request, set[User]]) -> set[Request]:
    """What a command is there for: of its changes those that fewest others make, and nothing taken back at the end."""
    changes = {request for request in requests if request.verb not in _READS}
    considered = {request for request in changes if request.verb != "DELETE"} or changes
    if not considered:
        return requests
    fewest = min(len(users[request]) for request in considered)
    return {request for request in considered if len(users[request]) == fewest}
