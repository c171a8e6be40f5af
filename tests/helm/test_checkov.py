"""checkov, which knows what clusters are usually configured wrong, has no complaint that is not answered here."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.helm.chart import ROOT, render, values_of

CHECKOV = ROOT / ".tools/checkov/bin/checkov"
#: What it complains of, and why that stays.
ANSWERS = {
    "CKV_DOCKER_2": "one image has every role: Kubernetes' probes and compose.yaml ask each in its own way",
    "CKV_K8S_8": "the doctor's pod ends by itself",
    "CKV_K8S_9": "the doctor's pod serves nobody",
    "CKV_K8S_11": "a CPU limit would slow down a worker that other pods do not; it asks for what it needs",
    "CKV_K8S_15": "a tag is one version for good; image.pullPolicy says Always to whoever wants it",
    "CKV_K8S_21": "helm install names the namespace; a chart that names one could not be installed elsewhere",
    "CKV_K8S_35": "settings name secrets by variable or by file; secretEnv is the one, extraVolumes the other",
    "CKV_K8S_43": "image.digest is there for whoever has it; no digest of somebody else's registry can be a default",
}


@pytest.mark.skipif(not CHECKOV.is_file(), reason="checkov is not installed: run sh scripts/install-checkov")
def test_checkov_has_no_complaint_that_is_not_answered(tmp_path: Path) -> None:
    """Of the Dockerfile and of all that the chart can make. An answer that nothing asks for any more goes too."""
    for name in ("apart", "placed", "trial"):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump_all(render(values_of(name))))
    (tmp_path / "Dockerfile").write_text((ROOT / "Dockerfile").read_text())
    command = [CHECKOV.with_name("python"), CHECKOV, "--directory", tmp_path, "--framework", "kubernetes", "dockerfile"]
    done = subprocess.run(
        [*command, "--skip-download", "--compact", "--quiet", "--soft-fail", "--output", "json"],
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    reports = json.loads(done.stdout)
    failed: dict[str, set[str]] = {}
    for report in reports:
        assert report["summary"]["parsing_errors"] == 0
        for found in report["results"]["failed_checks"]:
            failed.setdefault(found["check_id"], set()).add(f"{found['check_name']}: {found['resource']}")
    assert {report["check_type"] for report in reports} == {"kubernetes", "dockerfile"}
    assert not {check: what for check, what in failed.items() if check not in ANSWERS}
    assert failed.keys() == ANSWERS.keys()
