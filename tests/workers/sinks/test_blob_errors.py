"""What a person reads when Azure Blob Storage refuses: what to mend, and no more rights than are needed."""

from __future__ import annotations

from pathlib import Path

from azure.core.exceptions import HttpResponseError

from workers.sinks.blob_errors import in_our_words

PAGE = Path(__file__).resolve().parents[3] / "docs/archive.md"


def test_a_refused_sas_is_renewed_with_the_rights_that_the_page_names() -> None:
    """Delete is not among them: whoever has the archive's SAS need not be able to empty it."""
    refused = HttpResponseError("no")
    refused.status_code = 403
    told = str(in_our_words(refused, "https://account.blob.core.windows.net/videos"))
    assert "renew the SAS (permissions read, add, create, write and list)" in told
    assert "| SAS | permissions read, add, create, write, list; delete is not needed |" in PAGE.read_text()
