"""Text of unknown origin, such as a path of somebody's repository, made fit to be shown."""


def visible(text: str) -> str:
    """A text with its control and direction characters shown as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def short(text: str, most: int) -> str:
    """A text's first characters, made visible."""
    shown = visible(text[: most + 1])
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"
