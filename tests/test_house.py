"""The house rules: types, lint, layers, small files with honest names, and locks that agree with pyproject.toml."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("manifests", "orchestrator", "workers", "dailies", "sandbox")
LONGEST_FILE = 220
#: More rooms than a folder's listing can be taken in at a glance.
FULLEST_FOLDER = 20
NAMELESS = re.compile(r"utils?|helpers?|common|manager|managers|misc|shared")
#: Python without the ending that tells it.
SCRIPTS = ("scripts/draw-chart", "scripts/try-image", "scripts/try-readme")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def run(*command: str) -> None:
    tool = Path(sys.executable).parent / command[0]
    done = subprocess.run([tool, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def locked(name: str) -> dict[str, set[str]]:
    """Each package of a lock with its versions: there may be one for old and one for new Pythons."""
    pins: dict[str, set[str]] = {}
    for found in re.finditer(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", (ROOT / name).read_text(), re.MULTILINE):
        pins.setdefault(canonicalize_name(found[1]), set()).add(found[2])
    return pins


def test_types_hold() -> None:
    """mypy --strict over every package."""
    run("mypy")


def test_lint_is_clean() -> None:
    run("ruff", "check", "--output-format", "concise", ".", *SCRIPTS)
    run("ruff", "format", "--check", ".", *SCRIPTS)


def test_each_layer_imports_only_what_lies_below_it() -> None:
    run("lint-imports")


def test_folders_stay_small_and_each_is_on_the_plan_of_the_house() -> None:
    """A newcomer finds a room from the listing, and the plan says what is in it in the room's own words."""
    folders = {path.parent.relative_to(ROOT) for path in sources(*PACKAGES)}
    counts = {str(folder): len(list((ROOT / folder).glob("*.py"))) for folder in folders}
    assert not {folder: count for folder, count in counts.items() if count > FULLEST_FOLDER + 1}
    plan = (ROOT / "docs/architecture.md").read_text()
    rooms = {str(folder) for folder in folders if len(folder.parts) > 1}
    said = {room: (ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text())) or "") for room in rooms}
    assert [room for room in sorted(rooms) if f"| `{room}/` | {said[room].splitlines()[0]} |" not in plan] == []


def test_files_stay_small() -> None:
    """One noun, one file: beyond this length there are two."""
    lengths = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in sources(*PACKAGES)}
    assert not {str(path): length for path, length in lengths.items() if length > LONGEST_FILE}


def test_files_are_named_for_what_they_own() -> None:
    paths = [path.relative_to(ROOT) for path in sources(*PACKAGES, "tests")]
    assert not [str(path) for path in paths if any(NAMELESS.fullmatch(part) for part in (*path.parts[:-1], path.stem))]


def test_no_import_is_for_types_only() -> None:
    """It would hide that two modules import each other."""
    assert not [str(path) for path in sources(*PACKAGES) if "TYPE_CHECKING" in path.read_text()]


def test_lua_lives_in_files_of_its_own() -> None:
    """A script inside a Python string is neither read nor checked by anybody."""
    assert not [str(path) for path in sources(*PACKAGES) if re.search(r"redis\.p?call\(", path.read_text())]


@pytest.mark.parametrize(
    ("lock", "asked"),
    [
        ("requirements.lock", []),
        ("requirements-test.lock", PROJECT["dependency-groups"]["test"]),
    ],
)
def test_a_lock_has_what_pyproject_asks_for(lock: str, asked: list[str]) -> None:
    """The program and its build in both; run scripts/lock after a change."""
    asked = asked + PROJECT["project"]["dependencies"] + PROJECT["build-system"]["requires"]
    pins = locked(lock)
    for requirement in map(Requirement, asked):
        versions = pins.get(canonicalize_name(requirement.name), set())
        assert versions, f"{requirement.name} is not in {lock}"
        assert all(requirement.specifier.contains(version) for version in versions), f"{requirement} in {lock}"


def test_the_tests_run_on_the_versions_that_users_get() -> None:
    users, tests = locked("requirements.lock"), locked("requirements-test.lock")
    assert {name: tests.get(name) for name in users} == users


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-test.lock"])
def test_a_lock_names_no_host_and_no_path(lock: str) -> None:
    """Only names, versions, markers and hashes, so that it holds wherever packages come from."""
    line = re.compile(r"[a-z0-9._-]+==[^\s/]+( ; [^/]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")
    assert not [text for text in (ROOT / lock).read_text().splitlines() if not line.fullmatch(text)]


def test_continuous_integration_runs_readmes_test_command() -> None:
    """The very words, as the last thing it does."""
    readme = (ROOT / "README.md").read_text()
    found = re.search(r"<!-- command: test -->\n```sh\n(.+)\n```", readme)
    assert found is not None
    assert (ROOT / ".ci/run").read_text().splitlines()[-1] == f"exec {found[1]}"
