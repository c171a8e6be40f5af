"""Every pod keeps to the Pod Security Standard `restricted`, and writes nothing but /tmp."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.helm.chart import VALUES, Document, pods, render, values_of

RESTRICTED_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected"}
RESTRICTED_VOLUMES |= {"secret"}


def beyond_restricted(pod: Document) -> list[str]:
    """What of a pod the Pod Security Standard `restricted` forbids, and a root file system that can be written.

    https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
    """
    own: dict[str, Any] = pod.get("securityContext", {})
    found = [key for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)]
    found += [v["name"] for v in pod.get("volumes", []) if not (v.keys() - {"name"}) <= RESTRICTED_VOLUMES]
    for container in pod["containers"] + pod.get("initContainers", []):
        context = {**own, **container.get("securityContext", {})}
        rules = {
            "runs as root": context.get("runAsNonRoot") is not True or context.get("runAsUser") == 0,
            "may escalate": context.get("allowPrivilegeEscalation") is not False,
            "is privileged": context.get("privileged", False),
            "has capabilities": context.get("capabilities") != {"drop": ["ALL"]},
            "has no seccomp profile": context.get("seccompProfile", {}).get("type") != "RuntimeDefault",
            "can write its root": context.get("readOnlyRootFilesystem") is not True,
            "has host ports": any("hostPort" in port for port in container.get("ports", [])),
        }
        found += [f"{container['name']} {what}" for what, broken in rules.items() if broken]
    return found


@pytest.mark.parametrize("name", VALUES)
def test_every_pod_keeps_to_the_restricted_profile(name: str) -> None:
    for pod in pods(render(values_of(name))).values():
        assert beyond_restricted(pod) == []
        assert pod["automountServiceAccountToken"] is False


def test_the_profile_check_sees_what_is_wrong() -> None:
    """Each guard away, one by one, is noticed."""
    pod = pods(render(values_of("smallest")))["night-dailies"]
    for path in ("runAsNonRoot", "seccompProfile"):
        loose = copy.deepcopy(pod)
        del loose["securityContext"][path]
        assert beyond_restricted(loose)
    for path in ("allowPrivilegeEscalation", "readOnlyRootFilesystem", "capabilities"):
        loose = copy.deepcopy(pod)
        del loose["containers"][0]["securityContext"][path]
        assert beyond_restricted(loose)
