"""Values that could not work are refused at install, each with a sentence that says what to set."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helm.chart import refusal, render, values_of

OURS = {"name": "dailies", "key": "key"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"image.repository": ""}, "Set image.repository to where your image is"),
        ({"config.redis": {}}, "Set config.redis.url, for example redis://redis:6379/0;"),
        ({"config.redis.url": "redis://:hunter2@redis:6379/0"}, "name that by secretEnv.DAILIES_REDIS__URL"),
        ({"config.redis.url": "rediss://me:hunter2@redis/0"}, "name that by secretEnv.DAILIES_REDIS__URL"),
        ({"config.redis.url": "redis://redis/0?password=hunter2"}, "name that by secretEnv.DAILIES_REDIS__URL"),
        ({"config.archive": {"url": "./archive"}}, "Set config.archive.url to a container"),
        ({"config.archive": {}}, "Set config.archive.url to a container"),
        ({"config.deployments": []}, "Set config.deployments to at least one deployment"),
        ({"secretEnv": {}}, "Add the variable that config.deployments[0].auth.api_key_env names to secretEnv"),
        ({"secretEnv": {}}, "Add the variable that config.archive.auth.connection_string_env names to secretEnv"),
        ({"config.redis.auth": {"password_env": "P"}}, "Add the variable that config.redis.auth.password_env names"),
        ({"config.redis.tls": {"ca_file": "/ca/ca.crt"}}, "where config.redis.tls.ca_file says that the file is"),
        ({"config.deployments.0.auth": {"api_key_file": "/keys/a"}}, "where config.deployments[0].auth.api_key_file"),
        ({"config.archive": {"url": "/videos"}}, "has to lie in one of extraVolumeMounts"),
        ({"config.monitor": {"port": 9000}}, "Leave config.monitor out"),
        ({"redis": {"enabled": True}}, "Leave config.redis.url, config.redis.auth and"),
        ({"redis": {"enabled": True}}, "Set redis.password.name to a Secret"),
        ({"extraEnv": [{"name": "DAILIES_KEEP_DAYS", "value": "3"}]}, "Move extraEnv's DAILIES_KEEP_DAYS into config"),
        ({"caBundle": {"configMap": "a", "secret": "b"}}, "Set caBundle.configMap or caBundle.secret, not both"),
        ({"scaling": {"by": "keda"}}, "Set scaling.prometheus to the address"),
        ({"scaling": {"by": "hpa"}}, "Set monitoring.podMonitor.enabled to true"),
        ({"scaling": {"minReplicas": 5}}, "Set scaling.minReplicas to at most scaling.maxReplicas"),
        ({"monitoring.alerts.enabled": True}, "Set monitoring.alerts.runbookUrl to where"),
        (
            {"monitoring": {"podMonitor": {"enabled": True}, "serviceMonitor": {"enabled": True}}},
            "Set monitoring.podMonitor.enabled or monitoring.serviceMonitor.enabled, not both",
        ),
        (
            {"schedules": {"n": {"schedule": "@daily", "manifest": {"path": "/sheets/n.csv"}}}},
            "Set schedules.n.manifest to {configMap, key} or {claim, path}, or mount its path",
        ),
        ({"config.redis.url": "redis://redis:7000/0"}, "Add 7000 to networkPolicy.egress.redis.ports"),
        ({"config.redis.url": "redis+sentinel://a:26379,b:7000/m"}, "Add 7000 to networkPolicy.egress.redis.ports"),
        ({"config.deployments.0.endpoint": "http://gateway/v1"}, "Add 80 to networkPolicy.egress.azure.ports"),
        ({"config.archive.url": "http://azurite:10000/devstoreaccount1/videos"}, "config.archive.url names that port"),
        (
            {"extraEnv": [{"name": "HTTPS_PROXY", "value": "http://me:hunter2@proxy.example.com:3128"}]},
            "Add 3128 to networkPolicy.egress.azure.ports, or write a rule in networkPolicy.egress.extra: extraEnv",
        ),
        ({"extraEnv": [{"name": "all_proxy", "value": "proxy"}]}, "Add 80 to networkPolicy.egress.azure.ports"),
        ({"secretEnv.DAILIES_ARCHIVE__URL": OURS}, "Move secretEnv.DAILIES_ARCHIVE__URL into config"),
        ({"secretEnv.DAILIES_CONFIG": OURS}, "Move secretEnv.DAILIES_CONFIG into config"),
        ({"worker.terminationGracePeriodSeconds": 195}, "Set worker.terminationGracePeriodSeconds above 195"),
        (
            {"schedules": {"n" * 40: {"schedule": "@daily", "manifest": {"configMap": "m", "key": "n.yaml"}}}},
            "or set fullnameOverride: the CronJob's name",
        ),
    ],
)
def test_a_sentence_says_what_to_set(changes: dict[str, Any], sentence: str) -> None:
    said = refusal(values_of("smallest", changes))
    assert sentence in said
    assert "hunter2" not in said


def test_every_problem_is_said_at_once() -> None:
    said = refusal({})
    for what in ("image.repository", "config.redis.url", "config.archive.url", "config.deployments"):
        assert said.count(f"Set {what} ") + said.count(f"Set {what},") == 1


@pytest.mark.parametrize(
    "url", ["rediss://redis:6380", "redis://user@redis:6379/0", "redis://[::1]:6379/0", "redis+sentinel://a,b/m"]
)
def test_a_redis_without_a_password_is_taken(url: str) -> None:
    assert render(values_of("smallest", {"config.redis.url": url}))


def test_a_proxy_that_pods_may_reach_is_taken() -> None:
    proxy = {"name": "HTTPS_PROXY", "value": "http://proxy.example.com:3128"}
    assert render(values_of("smallest", {"extraEnv": [proxy], "networkPolicy.egress.azure.ports": [443, 3128]}))
