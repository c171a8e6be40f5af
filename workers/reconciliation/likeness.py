"""Whether a remote job is what was ordered, by what a listing shows of it. Pure."""

from __future__ import annotations

import unicodedata

from orchestrator.ledger.records import Spec
from workers.video_api import RemoteJob


def same_prompt(job: RemoteJob, spec: Spec) -> bool:
    """Whether it shows the order's prompt."""
    return job.prompt is not None and plain(job.prompt) == plain(spec.prompt)


def plain(prompt: str) -> str:
    """A prompt without what a provider may change in it on the way: line ends, space at ends, Unicode's composition."""
    lines = unicodedata.normalize("NFC", prompt).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines).strip()


def same_shape(job: RemoteJob, spec: Spec) -> bool:
    """Whether what it shows of size and length is as ordered. A remix has its source's, so only a plain create is
    compared by them; and what a job was remixed from, if that is shown, says that it is no plain create."""
    if spec.remix_of is not None:
        return True
    return job.remixed_from is None and job.size in (None, spec.size) and job.seconds in (None, spec.seconds)


def unlike(job: RemoteJob, spec: Spec) -> list[str]:
    """What of a job is not as ordered, in words: for a person who says that it is the order's."""
    words = []
    if job.prompt is not None and not same_prompt(job, spec):
        words.append(f"its prompt begins “{job.prompt.strip()[:60]}”")
    if spec.remix_of is None:
        if job.size not in (None, spec.size):
            words.append(f"its size is {job.size}, not {spec.size}")
        if job.seconds not in (None, spec.seconds):
            words.append(f"it lasts {job.seconds} s, not {spec.seconds}")
    return words
