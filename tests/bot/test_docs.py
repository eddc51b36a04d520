"""The rules' page is what the rules say, links find their places, and what reports quote of it is short and is text."""

import re
from pathlib import Path

import pytest
import yaml

from bot.docs import FIX, HOME, PAGES, RULES_PAGE, SETTINGS_PAGE, WHY, in_short, rule_address, rules_page, section
from tests.bot.rendered import references, rendered

ROOT = Path(__file__).parents[2]
LONGEST = 160


def _anchors(page: str) -> set[str]:
    """The headings of a page as GitHub makes anchors of them."""
    titles = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_page_says_what_the_rules_say(request: pytest.FixtureRequest) -> None:
    file = ROOT / "docs" / "rules.md"
    if request.config.getoption("--update"):
        file.write_text(rules_page(), encoding="utf-8")
    assert file.read_text(encoding="utf-8") == rules_page(), "pytest --update rewrites it"


def test_links_lead_to_the_project_and_to_headings_that_are_there() -> None:
    assert yaml.safe_load((ROOT / "app.yml").read_text(encoding="utf-8"))["url"] == HOME
    for address in (RULES_PAGE, SETTINGS_PAGE, *(rule_address(rule) for rule in PAGES)):
        path, _, anchor = address.removeprefix(f"{HOME}/blob/main/").partition("#")
        page = (ROOT / path).read_text(encoding="utf-8")
        assert not anchor or anchor in _anchors(page)


@pytest.mark.parametrize("rule", PAGES)
@pytest.mark.parametrize("title", [WHY, FIX])
def test_what_a_report_quotes_is_one_short_sentence(rule: str, title: str) -> None:
    words = in_short(rule, title)
    assert section(PAGES[rule], title).startswith(words)
    assert words.endswith(".")
    assert len(words) < LONGEST


@pytest.mark.parametrize("rule", PAGES)
@pytest.mark.parametrize("title", [WHY, FIX])
def test_what_a_report_quotes_is_text_and_code(rule: str, title: str) -> None:
    shown = rendered(in_short(rule, title))
    assert set(shown.tags) <= {"p", "code"}
    assert shown.shown.strip() == in_short(rule, title).replace("`", "")
    assert references(shown.text) == []


def test_the_page_is_text_and_code() -> None:
    shown = rendered(rules_page())
    assert set(shown.tags) == {"h1", "h2", "p", "strong", "code"}
    assert shown.tags.count("strong") == 5 * len(PAGES)
    assert (shown.links, shown.unbalanced) == ([], [])


def test_a_section_ends_at_the_next_heading() -> None:
    page = "Title.\n\nWhat to do\n    Mend it,\n    soon.\n\nNot reported\n    Else.\n"
    assert section(page, "What to do") == "Mend it, soon."
    assert section(page, "Missing") == ""
