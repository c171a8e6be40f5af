"""What is said where nobody can be logged in: Entra ID's own words with the mend, and never azure-identity's page."""

from __future__ import annotations

import re

import pytest

from workers.identity.words import NoIdentity, in_short

CHAIN = """DefaultAzureCredential failed to retrieve a token from the included credentials.
Attempted credentials:
\tEnvironmentCredential: EnvironmentCredential authentication unavailable. Variables are not configured.
Visit https://aka.ms/azsdk/python/identity/environmentcredential/troubleshoot to troubleshoot this issue.
\tWorkloadIdentityCredential: {workload}
\tManagedIdentityCredential: ManagedIdentityCredential authentication unavailable, no response from the IMDS endpoint.
\tAzureCliCredential: Azure CLI not found on path
To mitigate this issue, please refer to the troubleshooting guidelines here at https://aka.ms/azsdk/python/identity/x."""
UNSET = "WorkloadIdentityCredential authentication unavailable. The workload options are not fully configured."


def test_where_no_identity_is_found_it_says_how_to_have_one() -> None:
    problem, mend = in_short(CHAIN.format(workload=UNSET), {})
    assert problem == "No identity was found here"
    assert mend.startswith("on AKS label the pod")
    assert "az login" in mend
    assert "Attempted" not in mend


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (
            "AADSTS700213: No matching federated identity record found for presented assertion subject "
            "'system:serviceaccount:video:dailies'. Trace ID: 1 Correlation ID: 2 Timestamp: 3",
            "AADSTS700213: No matching federated identity record found for presented assertion subject "
            "'system:serviceaccount:video:dailies': add a federated credential with this subject to the managed "
            "identity",
        ),
        ("AADSTS7000222: The provided client secret keys are expired.", "make a new one"),
        ("AADSTS999999: Something new.", "AADSTS999999: Something new"),
    ],
)
def test_what_entra_id_itself_says_goes_first_with_its_mend(told: str, words: str) -> None:
    chain = CHAIN.format(workload=f"Authentication failed: {told}")
    said = NoIdentity(*in_short(chain, {"AZURE_FEDERATED_TOKEN_FILE": "/t"})).message
    assert words in said
    assert "Trace ID" not in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"AZURE_FEDERATED_TOKEN_FILE": "/var/run/token"}, "Workload identity .*/var/run/token.*: no such"),
        ({"AZURE_CLIENT_SECRET": "s"}, "service principal of AZURE_CLIENT_ID .*: EnvironmentCredential auth"),
        ({"IDENTITY_ENDPOINT": "http://x"}, "The managed identity gave no token: ManagedIdentityCredential auth"),
    ],
)
def test_an_identity_that_was_meant_is_the_one_that_is_told_about(environ: dict[str, str], words: str) -> None:
    with_reason = CHAIN.format(workload="no such file")
    said = NoIdentity(*in_short(with_reason, environ)).message
    assert re.search(words, said), said
    assert len(said) < 500
