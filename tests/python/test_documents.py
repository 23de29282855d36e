"""The documents are linked with each other, their links lead somewhere, and the files that they name exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("csrc/**/*.md")]

pytestmark = pytest.mark.once


def anchors(document: Path) -> set[str]:
    """What a link may name after `#`, as GitHub makes it of the headings."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(document: Path) -> list[str]:
    return re.findall(r"\]\((?!https?:)([^)\s]+)\)", document.read_text(encoding="utf-8"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document):
    for link in links(document):
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), f"{link} does not exist"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


def test_the_index_has_every_document():
    linked = {path.partition("#")[0] for path in links(ROOT / "docs" / "README.md")}
    assert {path.name for path in ROOT.glob("docs/*.md")} - {"README.md"} <= linked


def test_files_that_the_architecture_names_exist():
    named = re.findall(r"`((?:csrc|tapconv|scripts)/[\w/.]*)`", (ROOT / "docs" / "architecture.md").read_text("utf-8"))
    assert len(named) > 20
    assert [path for path in named if not (ROOT / path).exists()] == []
