"""Checks that the modules of the Python package do not import one another in a circle: python scripts/check_imports.py

Imports inside functions count too, since a circle that they hide is one all the same. Prints one circle, if there are
any, and fails.
"""

import ast
import graphlib
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "tapconv"


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def names_imported(tree: ast.AST) -> Iterator[list[str]]:
    """For each thing that is imported, the modules that it may be or come from, the likeliest first."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ([alias.name] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"line {node.lineno}: a relative import, which this check does not follow")
            yield from ([f"{node.module}.{alias.name}", str(node.module)] for alias in node.names)


def imports_by_module() -> dict[str, set[str]]:
    """The package's own modules that each of them imports."""
    sources = {module_name(path): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    imports: dict[str, set[str]] = {}
    for module, source in sources.items():
        found = (next(filter(sources.__contains__, names), None) for names in names_imported(ast.parse(source)))
        imports[module] = {name for name in found if name is not None and name != module}
    return imports


def main() -> int:
    imports = imports_by_module()
    if not any(imports.values()):
        print(f"found no imports in {PACKAGE}")
        return 1
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        # Each module in the error's list is imported by the next.
        print("imports in a circle: " + " -> ".join(reversed(error.args[1])))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
