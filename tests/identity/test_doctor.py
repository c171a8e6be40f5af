"""`dailies doctor`, as real processes: who it says we are, what it finds, and the line that grants a missing right."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.identity.authority import CLIENT, OBJECT, TENANT
from tests.identity.conftest import Cloud, Ended
from tests.main_job.night import Witness
from tests.servers import Azurite, free_port, redis_process

Clouds = Callable[..., Awaitable[Cloud]]


def of(ended: Ended, part: str, check: str) -> dict[str, Any]:
    (found,) = (row for row in ended.document["checks"] if (row["part"], row["check"]) == (part, check))
    return dict(found)


async def test_a_managed_identity_that_may_do_all_is_named_and_all_is_well(
    cloud: Clouds, azurite_oauth: Azurite
) -> None:
    """The machine's own endpoint, over plain HTTP; TLS and tokens everywhere else."""
    place = await cloud(azurite=azurite_oauth)
    place.as_machine()
    place.configure({"entra": True}, {"url": place.container("well"), "auth": {"entra": True}})
    ended = await place.give("--log-level", "debug", "doctor", "--json")
    assert ended.exit == 0, ended.out + ended.err
    assert ended.document["ok"]
    assert {row["status"] for row in ended.document["checks"]} == {"ok"}
    (archive, east) = ended.document["identities"]
    assert (archive["part"], east["part"]) == ("archive", "east")
    assert (east["appid"], east["oid"], east["tenant"]) == (CLIENT, OBJECT, TENANT)
    assert of(ended, "archive", "rights")["says"].endswith("may write and read and delete")
    assert "managed identity dailies-id" in of(ended, "east", "access")["says"]
    assert "TLSv1.3" in of(ended, "east", "reach")["says"]
    assert "eyJ" not in ended.out + ended.err
    assert not await Witness(place.sandbox.url).jobs()


async def test_what_is_missing_is_told_with_the_lines_that_mend_it(cloud: Clouds, azurite_oauth: Azurite) -> None:
    place = await cloud(azurite=azurite_oauth)
    place.as_pod()
    place.door.rights = False
    place.configure({"entra": True}, {"url": f"{place.store}/not-yet", "auth": {"entra": True}})
    ended = await place.give("doctor", "--json")
    assert ended.exit == 3
    assert not ended.document["ok"]
    access = of(ended, "east", "access")
    assert (access["status"], access["mend"].startswith("give it the role")) == ("failed", True)
    (line,) = access["commands"]
    assert f"--assignee-object-id {OBJECT} --assignee-principal-type ServicePrincipal" in line
    assert '--role "Cognitive Services OpenAI User"' in line
    (line,) = of(ended, "archive", "reach")["commands"]
    assert line.startswith("az storage container create")
    assert "--name not-yet" in line
    for_people = await place.give("doctor")
    assert for_people.exit == 3
    assert "    az role assignment create" in for_people.out
    assert "2 checks failed" in for_people.out
    assert f"For east this is the managed identity dailies-id (appid {CLIENT}, oid {OBJECT}" in for_people.out


async def test_an_identity_that_redis_does_not_know_is_given_its_line(
    cloud: Clouds, authority_files: tuple[Path, Path], tmp_path: Path
) -> None:
    """Over TLS, with the identity's token as the password."""
    place, port = await cloud(), free_port()
    place.as_pod()
    certificate, key = map(str, authority_files)
    tls = ("--tls-port", str(port), "--tls-cert-file", certificate, "--tls-key-file", key)
    with redis_process(tmp_path / "server", None, *tls, "--tls-ca-cert-file", certificate, "--tls-auth-clients", "no"):
        place.configure({"entra": True}, redis={"url": f"rediss://localhost:{port}", "auth": {"entra": True}})
        ended = await place.give("doctor", "--json")
    assert ended.exit == 3, ended.out
    found = of(ended, "redis", "reach")
    assert found["mend"] == "give this identity a data access policy"
    (line,) = found["commands"]
    assert line.startswith("az redisenterprise database access-policy-assignment create --cluster-name localhost")
    assert line.endswith(f"--access-policy-name default --object-id {OBJECT}")
    assert "redis" in {each["part"] for each in ended.document["identities"]}


async def test_a_federated_credential_that_does_not_fit_is_told_in_entra_ids_own_words(cloud: Clouds) -> None:
    place = await cloud()
    place.as_pod()
    place.authority.refuses = (
        "AADSTS700213: No matching federated identity record found for presented assertion subject "
        "'system:serviceaccount:video:dailies'. Trace ID: 1 Correlation ID: 2"
    )
    place.configure({"entra": True})
    ended = await place.give("doctor", "--json")
    assert ended.exit == 3
    found = of(ended, "east", "identity")
    assert "subject 'system:serviceaccount:video:dailies'" in found["says"]
    assert found["mend"] == "add a federated credential with this subject to the managed identity"
    assert "Trace" not in ended.out


async def test_a_wrong_key_and_a_certificate_that_nobody_trusts_are_told_apart(cloud: Clouds) -> None:
    place = await cloud()
    place.door.key = "the-right-key"
    place.environ["SOME_KEY"] = "the-wrong-key"
    place.configure({"api_key_env": "SOME_KEY"})
    ended = await place.give("doctor", "--json")
    assert ended.exit == 3
    assert of(ended, "east", "reach")["status"] == "ok"
    assert "the key is refused: HTTP 401" in of(ended, "east", "access")["says"]
    assert "the-wrong-key" not in ended.out + ended.err
    place.environ["SSL_CERT_FILE"] = "/etc/ssl/certs/ca-certificates.crt"
    ended = await place.give("doctor", "--json")
    found = of(ended, "east", "reach")
    assert found["status"] == "failed"
    assert "SSL_CERT_FILE" in found["mend"]


async def test_with_the_sandbox_nothing_of_azure_is_needed(cloud: Clouds) -> None:
    place = await cloud()
    ended = await place.give("doctor", "--sandbox", "--json")
    assert ended.exit == 0, ended.out
    assert {row["part"] for row in ended.document["checks"]} == {"redis", "sora-2", "sora", "archive", "inputs"}
    assert ended.document["identities"] == []
