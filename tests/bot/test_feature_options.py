"""An option of a command among the reasons of its feature: only what surely speaks of it is told of it."""

import pytest

from analyzer.model import Place
from analyzer.standing import Reason
from bot.feature_options import Option, about, not_about_others, option_of

MEMORY = Option("docker update", "--memory", ("Resources.Memory",))


def _reason(*conditions: str) -> Reason:
    place = Place("engine.go", 1)
    return Reason("refuses", "engine:F", place, 1, "return errNo", conditions, "", (), sure=False, main=False)


@pytest.mark.parametrize(
    ("wanted", "option"),
    [
        ("docker update --memory", MEMORY),
        ("docker container update --memory=1g berth", MEMORY),
        ("docker update -m", Option("docker update", "-m", ("Resources.Memory",))),
        ("docker exec --user", Option("docker exec", "--user", ("ExecCreateOptions.User",))),
        ("docker update --sail", Option("docker update", "--sail", ())),
        ("docker update", None),
        ("docker sail --memory", None),
        ("GET /containers/json", None),
    ],
)
def test_an_option_is_what_stands_behind_a_command(wanted: str, option: Option | None) -> None:
    assert option_of(wanted) == option


@pytest.mark.parametrize(
    ("condition", "term"),
    [
        ("resources.Memory != 0", "resources.Memory != 0"),
        ("hc.Resources.Memory > 0", "hc.Resources.Memory > 0"),
        ("resources.CPUShares != 0 || resources.Memory != 0 || len(resources.Ulimits) != 0", "resources.Memory != 0"),
        ("resources.Memory == 0", ""),
        ("!(resources.Memory != 0)", ""),
        ("resources.Memory != 0 && berth.Runs()", ""),
        ("resources.MemorySwap != 0", ""),
        ("host.Memory != 0", ""),
        ("Memory", ""),
    ],
)
def test_a_condition_speaks_of_a_field_that_is_set(condition: str, term: str) -> None:
    found = about(MEMORY, [_reason("berth.Runs()", condition)])
    assert [reason.conditions for reason in found] == ([("berth.Runs()", term)] if term else [])


@pytest.mark.parametrize(
    ("option", "condition"),
    [
        (Option("docker run", "--privileged", ("HostConfig.Privileged",)), "hc.Privileged"),
        (Option("docker run", "--privileged", ("HostConfig.Privileged",)), "hostConfig.Privileged"),
        (Option("docker run", "--ulimit", ("Resources.Ulimits",)), "len(resources.Ulimits) != 0"),
        (Option("docker run", "--device", ("Resources.Devices",)), "len(hc.Resources.Devices) > 0"),
        (Option("docker run", "--cgroup-parent", ("Resources.CgroupParent",)), 'resources.CgroupParent != ""'),
        (Option("docker run", "--pids-limit", ("Resources.PidsLimit",)), "resources.PidsLimit != nil"),
    ],
)
def test_what_a_field_holds_may_be_anything(option: Option, condition: str) -> None:
    assert [reason.conditions for reason in about(option, [_reason(condition)])] == [(condition,)]


def test_what_speaks_of_another_option_is_not_told() -> None:
    both = _reason("resources.CPUShares != 0 || resources.Memory != 0")
    others, none = _reason("resources.CPUShares != 0"), _reason("berth.Runs()")
    assert not_about_others(MEMORY, [others, none]) == [none]
    assert about(MEMORY, [both, others, none])[0].conditions == ("resources.Memory != 0",)
