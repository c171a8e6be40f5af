"""As what files a batch's documents stand in the archive.

They have names of their own, unless those were taken, or the archive rewrites nothing; then they are `results.2.csv`,
and whoever is sent to them is sent there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from orchestrator.ledger.records import Batch


def document_name(batch: Batch, document: str, names: Mapping[str, str] | None = None) -> str:
    """The file that is one of a batch's documents ("results.csv"): as its last report noted, or as `names` says."""
    known: Mapping[str, str] = json.loads(batch.fields.get("documents") or "{}") if names is None else names
    return known.get(document, document)
