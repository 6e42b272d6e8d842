"""Hooks of the documentation build: Markdown in details blocks, late pictures, drawings that fit a narrow screen."""

from __future__ import annotations

from typing import Any

ARROW = "─▶"  # a block that has it is a drawing


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Let Markdown within `<details>` be read, as GitHub reads it."""
    return markdown.replace("<details>", '<details markdown="1">')


def on_page_content(html: str, **_: Any) -> str:
    """Load pictures when they come into view, and mark drawings made of characters for the style sheet."""
    html = html.replace("<img ", '<img loading="lazy" ')
    blocks = html.split('<div class="highlight">')
    return blocks[0] + "".join(
        f'<div class="highlight{" drawing" if ARROW in block.partition("</div>")[0] else ""}">{block}'
        for block in blocks[1:]
    )
