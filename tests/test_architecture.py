"""The house's own rules: imports point down only, files stay small."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "graphs": set(),
    "problems": {"graphs"},
    "bcd": {"graphs", "problems"},
    "planning": {"graphs", "problems"},
    "experiments": {"graphs", "problems", "bcd", "planning"},
}
DOORS = {("planning/smoothing.py", "bcd")}
FILES = [path for package in ALLOWED for path in sorted((ROOT / package).rglob("*.py"))]


def imported_packages(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down_only(path):
    name = str(path.relative_to(ROOT))
    package = name.split("/")[0]
    ours = {found for found in imported_packages(path) if found in ALLOWED or found == "tests"}
    forbidden = {
        found for found in ours - ALLOWED[package] - {package} if (name, found) not in DOORS
    }
    assert not forbidden, f"{name} imports {sorted(forbidden)}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_stay_below_500_lines(path):
    assert len(path.read_text().splitlines()) < 500


def test_no_kernel_calls_itself():
    """Numba's cache does not survive recursion: the second process to load it crashes."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.FunctionDef):
                continue
            if any("kernel" in ast.unparse(decorator) for decorator in node.decorator_list):
                called = {c.func.id for c in ast.walk(node) if _is_plain_call(c)}
                assert node.name not in called, f"{path.name}: {node.name} calls itself"


def _is_plain_call(node) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
