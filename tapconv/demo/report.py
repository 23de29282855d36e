"""A report of text, tables and pictures, written as Markdown and as one self-contained HTML page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from tapconv.reporting.tables import markdown_table

TEMPLATE = Path(__file__).parent / "report.html.jinja"


@dataclass(frozen=True)
class Heading:
    text: str


@dataclass(frozen=True)
class Paragraph:
    text: str


@dataclass(frozen=True)
class Code:
    text: str


@dataclass(frozen=True)
class Table:
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Picture:
    """`file_name` lies in the report's folder."""

    file_name: str
    caption: str


Block = Heading | Paragraph | Code | Table | Picture


def to_markdown(title: str, blocks: Sequence[Block]) -> str:
    parts = [f"# {title}"]
    for block in blocks:
        match block:
            case Heading(text):
                parts.append(f"## {text}")
            case Paragraph(text):
                parts.append(text)
            case Code(text):
                parts.append(f"```\n{text}\n```")
            case Table(headers, rows):
                parts.append(markdown_table(headers, rows))
            case Picture(file_name, caption):
                parts.append(f"![{caption}]({file_name})")
    return "\n\n".join(parts) + "\n"


def to_html(title: str, blocks: Sequence[Block], folder: Path) -> str:
    """The page, with the pictures inside it."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["kind"] = lambda block: type(block).__name__
    environment.filters["data_uri"] = lambda file_name: (
        "data:image/png;base64," + base64.b64encode((folder / file_name).read_bytes()).decode()
    )
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(title=title, blocks=blocks)


def write_report(title: str, blocks: Sequence[Block], folder: Path) -> tuple[Path, Path]:
    """Writes report.md and report.html into `folder`, where the pictures are, and returns their paths."""
    markdown, html = folder / "report.md", folder / "report.html"
    markdown.write_text(to_markdown(title, blocks), encoding="utf-8")
    html.write_text(to_html(title, blocks, folder), encoding="utf-8")
    return markdown, html
