"""Every rule runs over every case, and the list of rules, their files and their cases agree."""

import re
from pathlib import Path

import pytest

import analyzer.rules
from analyzer.model import Finding
from analyzer.rules import RULES, Rule
from tests.analyzer.cases import CASES, FOLDER, Case, Want, analysis, shown

RULE_FILES = Path(analyzer.rules.__file__).parent
HEADINGS = ["What it finds", "Why it matters on Windows", "Example", "What to do", "Not reported"]

_ID = re.compile(r'^ID = "([a-z-]+)"$', re.MULTILINE)

every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)


def _parameter(case: Case) -> object:
    # A case that begins to pass must lose its todo, so that it is kept from then on.
    marks = [pytest.mark.xfail(reason=case.todo, strict=True)] if case.todo else []
    return pytest.param(case, id=case.name, marks=marks)


@pytest.mark.parametrize("case", [_parameter(case) for case in CASES])
def test_the_findings_are_those_that_the_case_wants(case: Case) -> None:
    found = list(analysis(case.base, case.head).findings)
    missing: list[Want] = []
    for want in case.wants:
        match = next((finding for finding in found if want.matches(finding)), None)
        if match is None:
            missing.append(want)
        else:
            found.remove(match)
    assert not missing and not found, _difference(missing, found)  # noqa: PT018 - one message tells both


def _difference(missing: list[Want], unexpected: list[Finding]) -> str:
    lines = [f"missing:    {want}" for want in missing] + [f"unexpected: {shown(finding)}" for finding in unexpected]
    return "\n".join(["", *lines])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_says_what_it_shows_and_all_of_it_is_go(case: Case) -> None:
    assert len(case.prose.split()) >= 10
    assert {name.partition("/")[0] for name in case.files} <= {"both", "base", "head"}
    assert case.base != case.head
    assert analysis(case.base, case.head).complete
    assert {want.rule for want in case.wants} <= {rule.id for rule in RULES}


def test_the_list_the_files_and_the_folders_of_cases_agree() -> None:
    ids = sorted(rule.id for rule in RULES)
    declared = {path.stem: _ID.findall(path.read_text(encoding="utf-8")) for path in RULE_FILES.glob("*.py")}
    declared = {stem: found for stem, found in declared.items() if found}  # the others help rules to speak
    assert declared == {name.replace("-", "_"): [name] for name in ids}
    assert ids == sorted(path.name for path in FOLDER.iterdir())


@every_rule
def test_a_rule_has_a_case_in_which_it_speaks_and_one_in_which_it_is_silent(rule: Rule) -> None:
    own = [case for case in CASES if case.path.parent.name == rule.id]
    speaks = {any(want.rule == rule.id for want in case.wants) for case in own}
    assert speaks == {True, False}


@every_rule
def test_a_rule_has_a_page_with_the_same_headings_as_all_others(rule: Rule) -> None:
    summary, *rest = rule.page.splitlines()
    assert summary.endswith(".")
    assert [line for line in rest if line and not line.startswith(" ")] == HEADINGS
