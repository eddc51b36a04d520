"""What our documentation says of a rule, and where on the web it stands."""

import re

from analyzer import suppress
from analyzer.rules import RULES
from analyzer.rules.pages import page_of

HOME = "https://github.com/winparity/winparity"
"""The project, as app.yml names it."""

RULES_PAGE = f"{HOME}/blob/main/docs/rules.md"
"""Every rule's page, each below a heading with its id."""

SETTINGS_PAGE = f"{HOME}/blob/main/README.md#a-repositorys-own-settings"
"""How a repository is configured."""

PAGES = {rule.id: rule.page for rule in RULES} | suppress.PAGES
"""Every page by the id of its findings."""

WHY, FIX = "Why it matters on Windows", "What to do"
"""The headings of a page that a report quotes."""

_SENTENCE = re.compile(r".*?[.](?=\s|$)")


def rule_address(rule: str) -> str:
    """Where a rule's page stands."""
    return f"{RULES_PAGE}#{rule}"


def section(page: str, title: str) -> str:
    """The text under a heading of a rule's page."""
    return page_of(page).sections.get(title, "")


def in_short(rule: str, title: str) -> str:
    """The first sentence under a heading of a rule's page."""
    words = section(PAGES[rule], title)
    match = _SENTENCE.match(words)
    return match[0] if match else words


def rules_page() -> str:
    """docs/rules.md: all pages in one, with a heading for each that links can lead to."""
    parts = ["# The rules", "What `winparity explain RULE` prints, for all rules and in their own words."]
    for rule, text in PAGES.items():
        page = page_of(text)
        parts += [f"## {rule}", page.summary]
        parts += [f"**{title}.** {words}" for title, words in page.sections.items()]
    return "\n\n".join(parts) + "\n"
