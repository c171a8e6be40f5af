"""Why nobody could be logged in, in a sentence or two with what to do: azure-identity says it in a page."""

from __future__ import annotations

import re
from collections.abc import Mapping

from azure.core.exceptions import ClientAuthenticationError

_CODE = re.compile(r"(AADSTS\d+): ?(.*)")
_TAIL = re.compile(
    r"\s*(Trace ID|Correlation ID|Timestamp|To troubleshoot, visit|To mitigate this|Visit https).*", re.DOTALL
)
_MOST = 300

#: What to do about what Entra ID says [learn.microsoft.com/entra/identity-platform/reference-error-codes].
_MENDS: Mapping[str, str] = {
    "AADSTS70021": "add a federated credential with this issuer and subject to the managed identity",
    "AADSTS700211": "add a federated credential with this issuer to the managed identity",
    "AADSTS700212": "give the federated credential the audience api://AzureADTokenExchange",
    "AADSTS700213": "add a federated credential with this subject to the managed identity",
    "AADSTS700024": "the federated token is past its time: look whether the pod's token is still renewed",
    "AADSTS700016": "check client_id and tenant_id (AZURE_CLIENT_ID, AZURE_TENANT_ID)",
    "AADSTS90002": "check tenant_id (AZURE_TENANT_ID)",
    "AADSTS7000215": "the client secret is wrong: put its value, not its id, into AZURE_CLIENT_SECRET",
    "AADSTS7000222": "the client secret is past its time: make a new one",
    "AADSTS500011": "check auth.entra.scope: the tenant knows no such resource",
    "AADSTS70011": "check auth.entra.scope",
    "AADSTS1002012": "check auth.entra.scope: it must end in /.default",
}
_NOBODY = (
    'on AKS label the pod azure.workload.identity/use: "true" and annotate its service account with '
    "azure.workload.identity/client-id; on a machine of Azure give it a managed identity; elsewhere run az login, or "
    "set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"
)


class NoIdentity(ClientAuthenticationError):
    """Nobody could be logged in. The text says why and what to do, in short: `problem` and `mend`."""

    def __init__(self, problem: str, mend: str = "") -> None:
        super().__init__(f"{problem}: {mend}" if mend else problem)
        self.problem = problem
        self.mend = mend


def in_short(text: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """What azure-identity says, condensed: Entra ID's own code and words where it answered, else what is missing; and
    what to do about it."""
    found = _CODE.search(text)
    if found is not None:
        words = _cut(_TAIL.sub("", found[2])).rstrip(".")
        return f"Entra ID refused this identity, {found[1]}: {words}", _MENDS.get(found[1], "")
    if token := environ.get("AZURE_FEDERATED_TOKEN_FILE", "").strip():
        told = _of(text, "WorkloadIdentityCredential")
        return f"Workload identity gave no token (AZURE_FEDERATED_TOKEN_FILE is {token}): {told}", ""
    if environ.get("AZURE_CLIENT_SECRET", "").strip() or environ.get("AZURE_CLIENT_CERTIFICATE_PATH", "").strip():
        told = _of(text, "EnvironmentCredential")
        return f"The service principal of AZURE_CLIENT_ID gave no token: {told}", ""
    if environ.get("IDENTITY_ENDPOINT", "").strip():
        return f"The managed identity gave no token: {_of(text, 'ManagedIdentityCredential')}", ""
    if "Identity not found" in text:
        problem = "This machine has no managed identity of this client_id (or AZURE_CLIENT_ID)"
        return problem, "assign it to the machine"
    if "DefaultAzureCredential failed" in text or "unavailable" in text:
        return "No identity was found here", _NOBODY
    return _cut(_TAIL.sub("", text)), ""


def _of(text: str, credential: str) -> str:
    """What one credential of the chain said."""
    found = re.search(rf"{credential}: (.*?)(?=\n\t\w+Credential: |\Z)", text, re.DOTALL)
    return _cut(_TAIL.sub("", found[1] if found else text))


def _cut(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _MOST else words[: _MOST - 1] + "…"
