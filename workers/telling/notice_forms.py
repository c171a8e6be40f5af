"""Notices as webhooks take them: a JSON document for programs, a message for Slack, a card for Teams.

Slack: "Sending messages using incoming webhooks" and "Formatting text for app surfaces" (docs.slack.dev). Teams:
"Create incoming webhooks with Workflows" and "Send Adaptive Cards using an incoming webhook" (learn.microsoft.com);
adaptive cards 1.4, which Teams shows on desktop and phone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.reports.notices import Facts, Notice

_TYPES = {"ended": "batch.ended", "stopped": "batch.stopped", "expiry": "expiry.near"}
#: Slack refuses a longer header, a longer section; Teams a card of more than 28 KB.
_HEADER, _SECTION = 150, 2900
_CARD = "application/vnd.microsoft.card.adaptive"


@dataclass(frozen=True, slots=True)
class Story:
    """A notice for people: a headline, facts, why videos are missing, what to do, and where to look (http or https)."""

    headline: str
    facts: tuple[tuple[str, str], ...]
    reasons: tuple[str, ...]
    advice: str
    link: str | None
    good: bool


def generic(notice: Notice) -> dict[str, Any]:
    """For programs: all that is known."""
    return {
        "id": notice.id,
        "type": _TYPES[notice.occasion],
        "timestamp": notice.facts.get("at"),
        "data": {name: value for name, value in notice.facts.items() if name != "at"},
    }


def slack(notice: Notice) -> dict[str, Any]:
    """A message of blocks, and the same as plain text for notifications on phones."""
    told = story(notice)
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": told.headline[:_HEADER], "emoji": False}},
        {"type": "section", "fields": [_mrkdwn(f"*{name}*\n{_escaped(value)}") for name, value in told.facts[:10]]},
    ]
    texts = ("\n".join(f"• {reason}" for reason in told.reasons), told.advice)
    blocks += [{"type": "section", "text": _mrkdwn(_escaped(text)[:_SECTION])} for text in texts if text]
    if told.link:
        label = {"type": "plain_text", "text": "Open the contact sheet"}
        blocks.append({"type": "actions", "elements": [{"type": "button", "text": label, "url": told.link}]})
    return {"text": _escaped(told.headline), "blocks": blocks}


def teams(notice: Notice) -> dict[str, Any]:
    """A message with one adaptive card."""
    told = story(notice)
    colour = "Good" if told.good else "Attention"
    body: list[dict[str, Any]] = [
        _text(told.headline, size="Large", weight="Bolder", color=colour, style="heading"),
        {"type": "FactSet", "facts": [{"title": name, "value": _plain(value)} for name, value in told.facts]},
    ]
    body += [_text(f"- {reason}", spacing="Small") for reason in told.reasons]
    body += [_text(told.advice)] if told.advice else []
    actions = [{"type": "Action.OpenUrl", "title": "Open the contact sheet", "url": told.link}] if told.link else []
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "actions": actions,
        "msteams": {"width": "Full"},
    }
    return {"type": "message", "attachments": [{"contentType": _CARD, "contentUrl": None, "content": card}]}


FORMS: Mapping[str, Callable[[Notice], dict[str, Any]]] = {"generic": generic, "slack": slack, "teams": teams}


def story(notice: Notice) -> Story:
    """A notice in words."""
    facts = notice.facts
    return _of_expiry(facts) if notice.occasion == "expiry" else _of_batch(facts, ended=notice.occasion == "ended")


def _of_batch(facts: Facts, *, ended: bool) -> Story:
    items, cost, name = facts["items"], facts["cost_usd"], facts["batch"]
    # A row that was mended counts once.
    archived, total = items["archived"], items["total"] - items.get("superseded", 0)
    whole = archived == total
    done = f"{archived:,} of {total:,} videos archived"
    told = [("Archived", f"{archived:,} of {total:,}")]
    told += [(state.capitalize(), f"{n:,}") for state, n in items.items() if n and state not in ("total", "archived")]
    spent = f"${cost['confirmed']:,.2f}" + (f", and ${cost['unknown']:,.2f} unknown" if cost["unknown"] else "")
    told += [("Spent", f"{spent}; ${cost['estimated']:,.2f} estimated"), ("Began", facts["started_at"])]
    told += [("Ended", facts["ended_at"])] if ended and facts["ended_at"] else []
    link = facts["contact_sheet"]
    if ended:
        advice = "" if whole else f"What is missing, and why: dailies results {name} --state failed"
        if not link.startswith("http"):
            advice = f"{advice}\nWatch it: {link}".strip()
        headline = f"{name} is done: {done}"
    else:
        why = facts["stopped"]
        headline = f"{name} stopped and needs somebody: {done}"
        advice = f"{why['reason'].replace('_', ' ')}: {why['resume']}"
    return Story(
        headline,
        tuple(told),
        tuple(f"{each['count']:,} × {each['meaning']} ({each['reason']})" for each in facts["failures"]),
        advice,
        # A contact sheet that is not there yet is no place to send people to.
        link if link.startswith("http") and ended else None,
        ended and whole,
    )


def _of_expiry(facts: Facts) -> Story:
    left = _span(facts["left_s"])
    told = [("Time left", left), ("Finished, not archived", f"{facts['waiting']:,}")]
    if facts["drain_s"] is not None:
        told.append(("Archiving them takes", _span(facts["drain_s"])))
    told += [("Workers that archive", str(facts["archivists"])), ("The first", f"{facts['batch']}/{facts['key']}")]
    closed = f" No creates start meanwhile ({facts['creates_closed']})." if facts["creates_closed"] else ""
    return Story(
        f"Less than {_span(facts['under_s'])} left to archive a finished video",
        tuple(told),
        (),
        "The provider deletes it then, and it was paid for. See that workers run (dailies worker) and that the archive "
        f"takes writes (dailies doctor).{closed}",
        None,
        False,
    )


def _span(seconds: float) -> str:
    if seconds >= 5400:
        return f"{seconds / 3600:.0f} hours"
    return f"{seconds / 60:.0f} minutes" if seconds >= 90 else f"{seconds:.0f} seconds"


def _escaped(text: str) -> str:
    """Slack's own markup has three characters of its own; what is escaped pings nobody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text}


def _plain(text: str) -> str:
    """Without what a card would take for a link."""
    return text.replace("[", "(").replace("]", ")")


def _text(text: str, **more: str) -> dict[str, Any]:
    return {"type": "TextBlock", "text": _plain(text), "wrap": True, **more}
