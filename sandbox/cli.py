"""The sandbox's command line: options in, `SandboxConfig` out."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from sandbox.config import SandboxConfig, SandboxDeployment
from sandbox.mischief.faults import DO, ON
from sandbox.server import serve

_ABOUT = """\
A pretend Azure OpenAI with both video APIs, on a real port, with real (plain) MP4s:

  Sora 2  POST/GET {url}/openai/v1/videos[/ID[/content|/remix]]   (also below {url}/v1)
  Sora 1  POST/GET {url}/openai/v1/video/generations/jobs[/ID], .../generations/ID/content/video

It keeps quotas strictly, as the real ones do, and tells what it saw:

  GET {url}/_sandbox/stats     counters of each deployment: accepted, refused, peaks, bill
  GET {url}/_sandbox/jobs      every job it accepted, with what was asked and the SHA-256 of what was sent
"""


class _Options(argparse.ArgumentParser):
    """Says what is wrong in one sentence; all the options before it would hide it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (--help explains each option)\n")


def parser(prog: str = "python -m sandbox") -> argparse.ArgumentParser:
    """The options, each explained."""
    default = SandboxConfig()
    faults = "\n".join(f"  {name:12} {text}" for name, text in DO.items())
    options = _Options(
        prog=prog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=_ABOUT,
        epilog=(
            "faults: POST {url}/_sandbox/faults with JSON such as\n"
            '  {"on": "create", "do": "drop_after", "times": 1, "chance": 0.5, "deployment": "sora-2"}\n'
            f"spoils answers to come (DELETE clears them). `on` is one of {', '.join(ON)};\n"
            f"`do` is one of\n{faults}"
        ),
    )
    add = options.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s, this machine only)")
    add("--port", type=_port, default=8787, help="port; 0 takes a free one and prints it (default: %(default)s)")
    add(
        "--deployment",
        action="append",
        type=read_deployment,
        metavar="name=NAME[,api=videos|jobs][,model=MODEL][,per_minute=N][,concurrent=N]",
        help="a deployment and its quota, may be given several times. api: videos (Sora 2) or jobs (Sora 1); "
        "model: what is behind it, decides sizes and lengths (an unknown one takes any); per_minute: creates "
        "a minute; concurrent: jobs not finished at once (default: sora-2 and sora, without limits)",
    )
    add(
        "--rate-window-s",
        type=float,
        default=default.rate_window_s,
        metavar="S",
        help="length of the rolling window in which no more than per_minute * S / 60 creates are taken; "
        "shorter ones make tests quick (default: %(default)g)",
    )
    add("--count-refused", action="store_true", help="creates that were refused fill the window too")
    add(
        "--queue-s",
        type=float,
        default=default.queue_s,
        metavar="S",
        help="how long each job is queued before it renders (default: %(default)g)",
    )
    add(
        "--render-s",
        type=_range,
        default=default.render_s,
        metavar="LOW:HIGH",
        help="how long a job renders, drawn evenly between the two; one number is both (default: 1:3; "
        "the real service takes 60:300)",
    )
    add(
        "--retention-s",
        type=float,
        default=default.retention_s,
        metavar="S",
        help="that long after its creation a finished job and its video answer 404 (default: %(default)g)",
    )
    add("--api-key", help="the key to ask for, as api-key or bearer token; without it any key is accepted")
    add(
        "--block-words",
        type=_words,
        default=default.block_words,
        metavar="WORD,...",
        help="a prompt with one of these words ends failed by moderation (default: forbidden; empty: none)",
    )
    add(
        "--hide-prompts",
        action="store_true",
        help="the videos API answers null for prompts, as Azure was seen to do",
    )
    add(
        "--poll-after-ms",
        type=int,
        metavar="MS",
        help="send openai-poll-after-ms while a video is not finished",
    )
    add(
        "--pad-bytes",
        type=int,
        default=default.pad_bytes,
        metavar="N",
        help="add N bytes to each video, for downloads as big as real ones (default: none)",
    )
    add(
        "--state",
        type=Path,
        metavar="FILE",
        help="keep the jobs in this file, so that they outlive a restart",
    )
    add("--seed", type=int, metavar="N", help="make render times and faults by chance repeatable")
    return options


def config_from(arguments: argparse.Namespace) -> SandboxConfig:
    """ValueError names the knob that cannot be so."""
    knobs = dict(vars(arguments))
    del knobs["host"], knobs["port"]
    deployments = knobs.pop("deployment")
    if deployments:
        knobs["deployments"] = tuple(deployments)
    return SandboxConfig(**knobs)


def run(argv: Sequence[str] | None = None, prog: str = "python -m sandbox") -> None:
    """Read the command line and serve until SIGTERM. Exits 2 on bad usage, as argparse does."""
    options = parser(prog)
    arguments = options.parse_args(argv)
    try:
        config = config_from(arguments)
    except ValueError as error:
        options.error(str(error))
    try:
        serve(config, arguments.host, arguments.port)
    except ValueError as error:
        options.error(str(error))
    except OSError as error:
        options.error(f"cannot listen on {arguments.host}:{arguments.port}: {error.strerror or error}")


def read_deployment(text: str) -> SandboxDeployment:
    """A deployment from `name=NAME,key=value,...`."""
    given: dict[str, str] = {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if not equals or key not in ("name", "api", "model", "per_minute", "concurrent") or key in given:
            raise argparse.ArgumentTypeError(
                f"{part!r}: write name=, api=, model=, per_minute= or concurrent=, each once"
            )
        given[key] = value
    if "api" in given and given["api"] not in ("videos", "jobs"):
        raise argparse.ArgumentTypeError(f"api is {given['api']!r}, but must be videos or jobs")
    try:
        return SandboxDeployment(
            name=given.get("name", ""),
            api="jobs" if given.get("api") == "jobs" else "videos",
            model=given.get("model", ""),
            per_minute=float(given["per_minute"]) if "per_minute" in given else None,
            concurrent=int(given["concurrent"]) if "concurrent" in given else None,
        )
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text[:20]!r}: write a whole number from 0 to 65535")
    return int(text)


def _range(text: str) -> tuple[float, float]:
    low, _, high = text.partition(":")
    try:
        return float(low), float(high or low)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: write LOW:HIGH in seconds, such as 0.2:0.5") from error


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())
