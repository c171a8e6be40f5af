"""The receipt: what stands beside each video, so that the archive explains itself without us."""

from __future__ import annotations

import builtins
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from orchestrator.clock import rfc3339
from orchestrator.ledger.records import Item
from orchestrator.video_models.prices import usd
from workers.archiving.delivery import Delivery
from workers.archiving.poster import Poster


@dataclass(frozen=True, slots=True)
class Receipt:
    """One archived video. Instants are RFC 3339 in UTC; `cost_usd` is None where no price is known. `file`: the
    video's name, relative to the batch's folder. `md5` in hex, as the blob's Content-MD5 has it. `c2pa`: whether the
    video carries content credentials; None where its container is not looked into. `poster`: the name of the picture
    that stands beside the video, and `poster_sha256` of its bytes; None without one."""

    batch: str
    key: str
    revision: int
    prompt: str
    labels: Mapping[str, str]
    model: str
    size: str
    seconds: int
    fingerprint: str
    deployment: str
    remote_id: str
    adopted: str
    attempts: int
    request_ids: Sequence[str]
    created_at: str
    completed_at: str
    archived_at: str
    expires_at: str
    bytes: int
    sha256: str
    video: Mapping[str, object]
    mismatch: Sequence[str]
    cost_usd: float | None
    url: str
    file: str
    md5: str
    content_type: str
    c2pa: bool | None
    poster: str | None
    poster_sha256: str | None

    def dump(self) -> builtins.bytes:
        """As the JSON document that is stored."""
        return (json.dumps(asdict(self), ensure_ascii=False, indent=2) + "\n").encode()

    def fields(self) -> dict[str, object]:
        """What the ledger keeps of it."""
        return fields_of(asdict(self))


def receipt_name(video: str) -> str:
    """The name of the receipt that stands beside a video."""
    return f"{video.removesuffix('.mp4')}.json"


def fields_of(paper: Mapping[str, Any]) -> dict[str, object]:
    """What the ledger keeps of a receipt, written now or read back, for results and the contact sheet."""
    return {
        "bytes": paper["bytes"],
        "sha256": paper["sha256"],
        "url": paper["url"],
        "file": paper["file"],
        "duration_s": paper["video"]["duration_s"] or "",
        "archived_at": paper["archived_at"],
        "mismatch": "; ".join(paper["mismatch"]),
        "poster": paper.get("poster") or "",
        **({"reused": paper["reused"]} if paper.get("reused") else {}),
    }


def receipt(item: Item, delivery: Delivery, now: float, *, attempts: int = 1, poster: Poster | None = None) -> Receipt:
    """The receipt of a video that is proven in the archive. `now` in Unix seconds; `attempts`: how many creates were
    sent for it."""
    spec, attempt, video = item.spec, item.attempt, delivery.video
    if attempt is None:
        raise ValueError(f"{item.ref} was never admitted")
    created = attempt.fields.get("created_at")
    completed = attempt.fields.get("completed_at")
    return Receipt(
        batch=item.ref.batch,
        key=spec.key,
        revision=item.revision,
        prompt=spec.prompt,
        labels=dict(spec.labels),
        model=spec.model,
        size=spec.size,
        seconds=spec.seconds,
        fingerprint=spec.fingerprint,
        deployment=attempt.deployment,
        remote_id=attempt.remote_id or "",
        adopted=attempt.adopted or "answer",
        attempts=attempts,
        request_ids=[i for i in (attempt.fields.get("request_id"),) if i],
        created_at=rfc3339(float(created) if created else None),
        completed_at=rfc3339(int(completed) / 1000 if completed else None),
        archived_at=rfc3339(now),
        expires_at=rfc3339(item.expires_at),
        bytes=delivery.bytes,
        sha256=delivery.sha256,
        video={
            "duration_s": video.duration_s,
            "width": video.width,
            "height": video.height,
            "has_audio": video.has_audio,
            "container": video.container,
        },
        mismatch=list(delivery.mismatch),
        cost_usd=usd(attempt.price) if attempt.price is not None else None,
        url=delivery.url,
        file=delivery.name.rsplit("/", 1)[-1],
        md5=delivery.md5,
        content_type=delivery.content_type,
        c2pa=video.c2pa,
        poster=poster.name if poster else None,
        poster_sha256=poster.sha256 if poster else None,
    )
