"""Content credentials: whether an MP4 carries a C2PA manifest, told from the head of a `uuid` box.

The manifest is signed over the very bytes of the file, so a copy that is byte-exact keeps it valid. Here it is only
seen, never judged: what it says is for a C2PA validator. Box layout: C2PA specification 2.x, A.5, "Embedding manifests
into BMFF-based assets" (`ContentProvenanceBox`).
"""

from __future__ import annotations

#: What a `uuid` box of C2PA begins with: its extended type.
BOX_TYPE = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
#: Bytes of a `uuid` box's body that are enough to tell: type, version and flags, purpose, offset, JUMBF's first header.
HEAD = 96
#: Purposes whose data is a manifest store; `merkle` has only hashes that belong to one.
_STORES = (b"manifest", b"original", b"update")


def holds_manifest(head: bytes) -> bool:
    """Whether the body of a `uuid` box begins as that of a manifest store does: C2PA's type, a purpose that has one,
    and then, behind the offset of the first auxiliary box, the JUMBF superbox."""
    if not head.startswith(BOX_TYPE):
        return False
    purpose, ended, data = head[len(BOX_TYPE) + 4 :].partition(b"\0")
    return bool(ended) and purpose in _STORES and data[12:16] == b"jumb"
