"""A Sora 1 job and its generations, as the API shows them."""

from __future__ import annotations

from typing import Any

from sandbox.job import Job, Phase


def job_body(job: Job, now: float) -> dict[str, Any]:
    phase, order = job.phase(now), job.order
    done = phase is Phase.SUCCEEDED
    return {
        "object": "video.generation.job",
        "id": job.id,
        "status": job_status(job, now),
        "created_at": int(job.created_at),
        "finished_at": int(job.finished_at) if now >= job.finished_at else None,
        "expires_at": int(job.gone_at) if done else None,
        "generations": [generation_body(job, name) for name in job.content_ids] if done else [],
        "prompt": order.prompt,
        "model": job.model,
        "n_variants": order.variants,
        "n_seconds": order.seconds,
        "height": order.height,
        "width": order.width,
        "inpaint_items": order.inpaint_items,
        "failure_reason": job.failure.code if job.failure and phase is Phase.FAILED else None,
    }


def generation_body(job: Job, generation_id: str) -> dict[str, Any]:
    return {
        "object": "video.generation",
        "id": generation_id,
        "job_id": job.id,
        "created_at": int(job.finished_at),
        "width": job.order.width,
        "height": job.order.height,
        "n_seconds": job.order.seconds,
        "prompt": job.order.prompt,
    }


def job_status(job: Job, now: float) -> str:
    """The order queued, preprocessing, running, processing is documented; how long each takes is not."""
    phase = job.phase(now)
    if phase is not Phase.RENDERING:
        return str(phase.value)
    share = job.share_done(now)
    return "preprocessing" if share < 0.1 else "running" if share < 0.8 else "processing"
