"""Who may talk to the pods, and whom they may talk to."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from tests.helm.chart import VALUES, Document, Values, one, render, templates, values_of


def policy(values: Values, part: str = "") -> Document:
    name = f"night-dailies{part}"
    spec: Document = one(render(values), "NetworkPolicy", name)["spec"]
    return spec


def chooses(selector: Document, labels: dict[str, str]) -> bool:
    for rule in selector.get("matchExpressions", ()):
        assert rule["operator"] == "In"
        if labels.get(rule["key"]) not in rule["values"]:
            return False
    return selector.get("matchLabels", {}).items() <= labels.items()


def lets_through(rule: Document, address: str, port: int, protocol: str = "TCP") -> bool:
    """Whether an egress rule lets a connection to an address through."""
    there = "to" not in rule or any(
        ip_address(address) in ip_network(peer["ipBlock"]["cidr"]) for peer in rule["to"] if "ipBlock" in peer
    )
    ports = rule.get("ports", [{}])
    return there and any(
        p.get("protocol", "TCP") == protocol and int(p["port"]) <= port <= int(p.get("endPort", p["port"]))
        for p in ports
        if str(p.get("port", "")).isdecimal()
    )


def reaches(values: Values, address: str, port: int, protocol: str = "TCP") -> bool:
    return any(lets_through(rule, address, port, protocol) for rule in policy(values)["egress"])


@pytest.mark.parametrize("port", [6379, 6380, 10000, 8500, 8599, 26379, 443])
def test_pods_reach_redis_in_every_form_and_azure(port: int) -> None:
    assert reaches(values_of("smallest"), "20.1.2.3", port)


@pytest.mark.parametrize("port", [22, 80, 3306, 8499, 8600, 9464])
def test_pods_reach_nothing_else(port: int) -> None:
    assert not reaches(values_of("smallest"), "20.1.2.3", port)


@pytest.mark.parametrize("protocol", ["UDP", "TCP"])
def test_names_can_be_resolved(protocol: str) -> None:
    assert reaches(values_of("placed"), "10.0.0.10", 53, protocol)


@pytest.mark.parametrize(
    ("address", "port", "let"),
    [("10.1.7.7", 6380, True), ("10.1.7.7", 443, False), ("10.2.7.7", 8445, True), ("20.1.2.3", 443, False)],
)
def test_addresses_and_ports_are_values(address: str, port: int, let: bool) -> None:
    assert reaches(values_of("placed"), address, port) is let


def test_extra_rules_are_taken_as_they_are() -> None:
    """And then it is theirs to let the configuration's ports through."""
    rule = {"to": [{"ipBlock": {"cidr": "10.9.0.0/16"}}], "ports": [{"port": 7000, "protocol": "TCP"}]}
    changes = {"networkPolicy.egress.extra": [rule], "config.redis.url": "redis://10.9.0.1:7000/0"}
    assert rule in policy(values_of("smallest", changes))["egress"]


def test_only_metrics_can_be_reached_and_only_by_whom_it_names() -> None:
    (ingress,) = policy(values_of("placed"))["ingress"]
    assert ingress["ports"] == [{"port": "monitor", "protocol": "TCP"}]
    assert ingress["from"] == values_of("placed")["networkPolicy"]["ingressFrom"]
    (everybody,) = policy(values_of("smallest"))["ingress"]
    assert "from" not in everybody


@pytest.mark.parametrize("name", [name for name in VALUES if name != "bare"])
def test_every_pod_has_a_policy_and_only_one(name: str) -> None:
    documents = render(values_of(name))
    policies = [d["spec"] for d in documents if d["kind"] == "NetworkPolicy"]
    for template in templates(documents).values():
        mine = [p for p in policies if chooses(p["podSelector"], template["metadata"]["labels"])]
        assert len(mine) == 1
        assert mine[0]["policyTypes"] == ["Ingress", "Egress"]


def test_the_programs_for_trials_answer_their_release_and_nobody_else() -> None:
    documents = render(values_of("trial"))
    labels = {name: template["metadata"]["labels"] for name, template in templates(documents).items()}
    for part in ("redis", "sandbox"):
        spec = one(documents, "NetworkPolicy", f"trial-{part}")["spec"]
        (ingress,) = spec["ingress"]
        (peer,) = ingress["from"]
        assert chooses(peer["podSelector"], labels["trial"])
        assert spec["egress"] == []
        to = [rule["to"][0].get("podSelector") for rule in one(documents, "NetworkPolicy", "trial")["spec"]["egress"]]
        assert any(selector and chooses(selector, labels[f"trial-{part}"]) for selector in to)


def test_without_policies_there_are_none() -> None:
    assert not [d for d in render(values_of("bare")) if d["kind"] == "NetworkPolicy"]
