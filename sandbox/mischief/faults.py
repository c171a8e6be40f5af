"""Faults queued by `POST /_sandbox/faults`: each waits for a request that it fits, and spoils its answer."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, fields
from types import NoneType
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.job import Failure
from sandbox.mischief.reticence import without_newest, without_prompts
from sandbox.mischief.wreck import CutOff, Hang
from sandbox.refusals import ApiError

ON = ("create", "get", "list", "content", "delete")
DO = {
    "status": "answer `status`, `body` and `headers` instead of carrying the request out",
    "status_after": "carry the request out, then answer `status`, `body` and `headers` instead of the truth",
    "drop": "close the connection without carrying the request out",
    "drop_after": "carry the request out, then close the connection without an answer",
    "hang_after": "carry the request out, then say nothing for `seconds`, then close the connection",
    "delay": "wait `seconds`, then go on as usual",
    "fail": "create only: the job is accepted and will end failed with `code` and `message`",
    "truncate": "content only: send `bytes` of the film (default half), then close; `length: false` hides it",
    "stall": "content only: send `bytes` of the film (default half), then nothing for `seconds`, then close",
    "hide_prompts": "create, get and list: every prompt in the answer is null",
    "lag": "list only: the jobs of the last `seconds` are not listed yet",
}
_KINDS: dict[str, tuple[type, ...]] = {
    "status": (int,),
    "headers": (dict, NoneType),
    "seconds": (int, float),
    "times": (int, NoneType),
    "chance": (int, float),
    "bytes": (int, NoneType),
    "length": (bool,),
}
_GOES_WITH: Mapping[str, tuple[str, ...]] = {
    "fail": ("create",),
    "truncate": ("content",),
    "stall": ("content",),
    "hide_prompts": ("create", "get", "list"),
    "lag": ("list",),
}


@dataclass(slots=True, eq=False)
class Fault:
    """One queued fault. `times` requests are hit (null: all); `chance` leaves out some that would fit."""

    on: str
    do: str
    status: int = 500
    body: Any = None
    headers: Mapping[str, str] | None = None
    seconds: float = 3600.0
    times: int | None = 1
    chance: float = 1.0
    deployment: str | None = None
    bytes: int | None = None
    length: bool = True
    code: str = "internal_error"
    message: str = "The video could not be made."

    def __post_init__(self) -> None:
        for name, kinds in _KINDS.items():
            value = getattr(self, name)
            if isinstance(value, bool) != (kinds == (bool,)) or not isinstance(value, kinds):
                raise ValueError(f"{name}: {value!r} is of the wrong type")
        if self.on not in ON:
            raise ValueError(f"on: {self.on!r} is none of {', '.join(ON)}")
        if self.do not in DO:
            raise ValueError(f"do: {self.do!r} is none of {', '.join(DO)}")
        if self.on not in (fitting := _GOES_WITH.get(self.do, ON)):
            raise ValueError(f"do: {self.do} goes with on: {', '.join(fitting)} only")

    @property
    def failure(self) -> Failure | None:
        return Failure(self.code, self.message) if self.do == "fail" else None

    def answer(self) -> Response:
        """`status`, `headers` and `body`: text as it is, else as JSON; without one a plausible error."""
        body = self.body
        if body is None:
            body = {
                "error": {
                    "message": "The server had an error.",
                    "type": "server_error",
                    "param": None,
                    "code": None,
                }
            }
        if isinstance(body, str):
            return Response(body, self.status, dict(self.headers or {}), "text/plain")
        return Response(json.dumps(body), self.status, dict(self.headers or {}), "application/json")


def read_fault(data: object) -> Fault:
    """A fault from the JSON of a request; ValueError says what is wrong with it."""
    if not isinstance(data, dict):
        raise ValueError("a fault is a JSON object")  # noqa: TRY004 - the caller's value, like the others
    known = [field.name for field in fields(Fault)]
    for name in data:
        if name not in known:
            raise ValueError(f"{name}: no such field; there are {', '.join(known)}")
    for name in ("on", "do"):
        if name not in data:
            raise ValueError(f"{name}: is missing")
    return Fault(**data)


class Faults:
    """The queue, oldest first. A request meets at most one fault."""

    def __init__(self, dice: random.Random, clock: Callable[[], float]) -> None:
        self._dice, self._clock = dice, clock
        self._queue: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._queue.append(fault)

    def clear(self) -> None:
        self._queue.clear()

    def __len__(self) -> int:
        return len(self._queue)

    async def around(
        self,
        on: str,
        deployment: str | None,
        request: Request,
        act: Callable[[Fault | None], Awaitable[Response]],
    ) -> Response:
        """Carry `act` out under the first fault that fits. A request refused anyway uses no fault up."""
        fault = self._find(on, deployment)
        if fault is None:
            return await act(None)
        if fault.do in ("status", "drop"):
            self._use(fault)
            return fault.answer() if fault.do == "status" else CutOff()
        self._use(fault)
        if fault.do == "delay":
            await asyncio.sleep(fault.seconds)
        try:
            response = await act(fault)
        except ApiError:
            self._give_back(fault)
            raise
        if fault.do == "status_after":
            return fault.answer()
        if fault.do == "drop_after":
            return CutOff()
        if fault.do == "hide_prompts":
            return without_prompts(response)
        if fault.do == "lag":
            return without_newest(response, self._clock() - fault.seconds)
        return Hang(fault.seconds) if fault.do == "hang_after" else response

    def _find(self, on: str, deployment: str | None) -> Fault | None:
        for fault in self._queue:
            fits = fault.on == on and fault.deployment in (None, deployment)
            if fits and (fault.chance >= 1 or self._dice.random() < fault.chance):
                return fault
        return None

    def _use(self, fault: Fault) -> None:
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self._queue.remove(fault)

    def _give_back(self, fault: Fault) -> None:
        if fault.times is not None:
            fault.times += 1
            if fault not in self._queue:
                self._queue.insert(0, fault)
