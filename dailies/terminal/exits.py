"""Exit codes, and which failure has which: every command ends through here with one clear message."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from enum import IntEnum
from typing import Any

from redis.exceptions import OutOfMemoryError, RedisError

from manifests import ManifestError, Problem
from orchestrator.batches.submission import AlreadySubmitting, CancelledMeanwhile, UnknownPrice
from orchestrator.ledger.ledger_version import TooNew
from orchestrator.ledger.memory import WillNotFit
from orchestrator.logs.harmless import harmless
from orchestrator.logs.redaction import redact
from orchestrator.redis.embedded import EmbeddedRedisError
from orchestrator.settings import Settings, SettingsError
from workers.rendering.inputs import InputUnusable
from workers.sinks import ArchiveError


class Exit(IntEnum):
    """What a command's exit code says."""

    DONE = 0  # every item archived, or the command did its work
    INCOMPLETE = 1  # ended, but some items are not archived
    USAGE = 2  # bad usage, configuration or manifest: nothing was queued
    UNUSABLE = 3  # Redis, the archive or every deployment cannot be used
    INTERRUPTED = 130
    TERMINATED = 143


class UsageError(Exception):
    """The command cannot be carried out as asked; nothing was queued. The text says what to do instead."""


class Unusable(Exception):
    """Something that the command needs cannot be used. The text names it and the mend."""


def say(text: str) -> None:
    """Talk to the person: on stderr, so that stdout stays data."""
    print(harmless(text), file=sys.stderr, flush=True)


def counted(number: int, noun: str) -> str:
    """`1 item`, `2,000 items`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def need_deployments(settings: Settings) -> None:
    """Raises UsageError where nothing could render: whatever the command is, nothing can come of it."""
    if not settings.deployments:
        raise UsageError("no deployment is configured: write dailies.yaml, set AZURE_OPENAI_ENDPOINT, or try --sandbox")


def problem_lines(problems: Sequence[Problem], count: int) -> list[str]:
    """Problems as people read them: place, what, and the mend on a line of its own."""
    lines = []
    for p in problems:
        place = ":".join(str(part) for part in (p.file, p.line, p.column) if part is not None)
        subject = " ".join(part for part in (p.path, repr(p.value) if p.value else "") if part)
        lines.append(f"{place}: {subject}: {p.message}" if subject else f"{place}: {p.message}")
        if p.hint:
            lines.append(f"    {p.hint}")
    if count > len(problems):
        lines.append(f"… and {count - len(problems)} more")
    return lines


def finish(work: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Run a command to its end; its exit code. Known failures become one message and their code."""
    try:
        return asyncio.run(work())
    except ManifestError as error:
        for line in problem_lines(error.problems, error.problem_count):
            say(line)
        say(f"{counted(error.problem_count, 'problem')}: nothing was queued")
        return Exit.USAGE
    except (SettingsError, UsageError, UnknownPrice, InputUnusable) as error:
        say(str(error))
        return Exit.USAGE
    except CancelledMeanwhile as error:
        say(str(error))
        return Exit.INCOMPLETE
    except (Unusable, AlreadySubmitting, EmbeddedRedisError, ArchiveError, TooNew) as error:
        say(str(error))
        return Exit.UNUSABLE
    except BrokenPipeError:  # whoever read our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.DONE
    except WillNotFit as error:
        say(f"{error}. Nothing was queued")
        return Exit.UNUSABLE
    except OutOfMemoryError as error:
        say(
            f"Redis is full: {redact(str(error))}. Give it more memory (maxmemory), or drop batches that are done "
            "(dailies forget BATCH); then give the same command again"
        )
        return Exit.UNUSABLE
    except (RedisError, ConnectionError) as error:
        say(f"Redis cannot be used: {redact(str(error))}")
        return Exit.UNUSABLE
    except OSError as error:
        say(f"cannot go on: {error}")
        return Exit.UNUSABLE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
