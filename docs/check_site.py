"""Checks that a built site loads nothing from the network: scripts, style sheets, pictures, fonts, frames.

    python docs/check_site.py site

Ends with 1 and names every remote resource that a browser would fetch by itself. Links that a reader may follow are
allowed.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

# Tag -> attributes whose address a browser fetches by itself.
FETCHED = {
    "script": ("src",), "img": ("src", "srcset"), "source": ("src", "srcset"), "video": ("src", "poster"),
    "audio": ("src",), "iframe": ("src",), "embed": ("src",), "object": ("data",), "input": ("src",),
}  # fmt: skip
LINKED = ("stylesheet", "icon", "preload", "prefetch", "preconnect", "dns-prefetch", "modulepreload", "manifest")
REMOTE = re.compile(r"(?:https?:)?//", re.I)
IN_CSS = re.compile(r"(?:url\(\s*|@import\s+)[\"']?((?:https?:)?//[^\"')\s;]+)", re.I)
LATE = "mermaid"  # the theme fetches a script from the network for blocks of this class


class Page(HTMLParser):
    """Collects what one page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the addresses of a tag."""
        given = {name: value or "" for name, value in attrs}
        self._style = tag == "style"
        for name in FETCHED.get(tag, ()):
            self.found += [a for a in given.get(name, "").split() if REMOTE.match(a)]
        if tag == "link" and set(given.get("rel", "").split()) & set(LINKED) and REMOTE.match(given.get("href", "")):
            self.found.append(given["href"])
        if LATE in given.get("class", "").split():
            self.found.append(f"a block of class {LATE}")
        self.found += IN_CSS.findall(given.get("style", ""))

    def handle_data(self, data: str) -> None:
        """Note the addresses of an inline style sheet."""
        if self._style:
            self.found += IN_CSS.findall(data)


def remote_resources(site: Path) -> list[str]:
    """Every remote resource of a site, as "page: address"."""
    found = []
    for path in sorted(site.rglob("*.html")):
        page = Page()
        page.feed(path.read_text("utf-8"))
        found += [f"{path.relative_to(site)}: {address}" for address in page.found]
    for path in sorted(site.rglob("*.css")):
        found += [f"{path.relative_to(site)}: {address}" for address in IN_CSS.findall(path.read_text("utf-8"))]
    return found


def main() -> int:
    """The command line."""
    site = Path(sys.argv[1] if len(sys.argv) > 1 else "site")
    if not (site / "index.html").is_file():
        print(f"{site} holds no index.html; wanted a built site")
        return 2
    found = remote_resources(site)
    print("\n".join(found) or f"{site}: {len(list(site.rglob('*.html')))} pages load nothing from the network")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
