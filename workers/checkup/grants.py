"""The lines of Azure's command line that give an identity a right it lacks, as far as names are known filled in.

Roles and access policies by their built-in names [learn.microsoft.com/azure/role-based-access-control/built-in-roles,
learn.microsoft.com/cli/azure/redisenterprise/database/access-policy-assignment].
"""

from __future__ import annotations

from urllib.parse import urlsplit

from workers.checkup.claims import Claims

VIDEO_ROLE = "Cognitive Services OpenAI User"
BLOB_ROLE = "Storage Blob Data Contributor"
_ACCOUNTS = (".openai.azure.", ".services.ai.azure.", ".cognitiveservices.azure.")


def account_of(endpoint: str) -> str | None:
    """The name of the Azure resource that an endpoint belongs to; None where it is none of Azure's."""
    host = (urlsplit(endpoint).hostname or "").lower()
    return next((host.partition(".")[0] for part in _ACCOUNTS if part in host), None)


def video_role(endpoint: str, who: Claims | None) -> str:
    """May list, create and fetch videos of a resource; it may not make deployments."""
    name = account_of(endpoint) or "RESOURCE"
    found = f"az cognitiveservices account list --query \"[?name=='{name}'].id | [0]\" --output tsv"
    return _assignment(VIDEO_ROLE, f'"$({found})"', who)


def blob_role(account_url: str, container: str, who: Claims | None) -> str:
    """May write, read and delete in one container."""
    host = urlsplit(account_url).hostname or ""
    name = host.partition(".")[0] if ".blob." in host else "ACCOUNT"
    found = f"az storage account show --name {name} --query id --output tsv"
    return _assignment(BLOB_ROLE, f'"$({found})/blobServices/default/containers/{container}"', who)


def redis_policy(host: str, who: Claims | None) -> str:
    """May use the data of a Redis: Azure Managed Redis (`NAME.REGION.redis.azure.net`), else Azure Cache for Redis."""
    name, object_id = host.partition(".")[0], (who.object_id if who else None) or "OBJECT_ID"
    if host.endswith(".redis.cache.windows.net"):
        return (
            f"az redis access-policy-assignment create --name {name} --resource-group RESOURCE_GROUP "
            f'--policy-assignment-name dailies --access-policy-name "Data Contributor" --object-id {object_id} '
            f"--object-id-alias dailies"
        )
    return (
        f"az redisenterprise database access-policy-assignment create --cluster-name {name} --database-name default "
        f"--resource-group RESOURCE_GROUP --access-policy-assignment-name dailies --access-policy-name default "
        f"--object-id {object_id}"
    )


def _assignment(role: str, scope: str, who: Claims | None) -> str:
    object_id = (who.object_id if who else None) or "OBJECT_ID"
    kind = who.principal_type if who else "ServicePrincipal"
    return (
        f"az role assignment create --assignee-object-id {object_id} --assignee-principal-type {kind} "
        f'--role "{role}" --scope {scope}'
    )
