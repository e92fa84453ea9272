"""The pages of the documentation: their code blocks, commands, links and headings."""

import re
from pathlib import Path

from repository import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"`[^`]+`")
LINK = re.compile(r"\]\(([^()\s]+)\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
COMMENT = re.compile(r"(^|\s)#\s.*$")


def read_page(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def code_blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return [block for _, name, block in BLOCK.findall(read_page(page)) if name == language]


def bash_commands(page: Path) -> list[str]:
    """The commands of the bash blocks, one per item, without comments."""
    text = "".join(code_blocks(page, "bash")).replace("\\\n", " ")
    commands = [COMMENT.sub("", line).strip() for line in text.splitlines()]
    return [" ".join(command.split()) for command in commands if command]


def inline_code(page: Path) -> list[str]:
    """The code spans of the running text, without backticks."""
    prose = BLOCK.sub("", read_page(page))
    return [" ".join(span[1:-1].split()) for span in INLINE_CODE.findall(prose)]


def links(page: Path) -> list[str]:
    """The targets of all links and images."""
    return LINK.findall(INLINE_CODE.sub("", BLOCK.sub("", read_page(page))))


def anchors(page: Path) -> set[str]:
    """The anchors of a page: those of its headings, as GitHub forms them, and explicit ones."""
    text = BLOCK.sub("", read_page(page))
    found: list[str] = re.findall(r'<a id="([^"]+)">', text)
    for heading in HEADING.findall(text):
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        assert name not in found, f"{page.name}: two headings {heading!r}"
        found.append(name)
    return set(found)
