"""Late evidence is never thrown away, and the better evidence wins (promises 4, 8 and 9)."""

from __future__ import annotations

from orchestrator.items.decision import Decision
from orchestrator.items.states import BatchState, Event, State
from orchestrator.ledger import in_hand, remote_ids
from orchestrator.ledger.keys import Ref
from orchestrator.ledger.records import Claim, Item
from orchestrator.ledger.store import Store
from tests.ledger import NO_PACE, accept, admit, batch_of, deployment, intend, item, state, submit

SCOPE = "sandbox-videos"


async def admitted(store: Store, *names: str, prompt: str = "") -> list[Claim]:
    """Items of one prompt, or each of its own."""
    await submit(store, [item(name, prompt=prompt or f"prompt of {name}") for name in names])
    return list((await admit(store, deployment())).admitted)


async def load(store: Store, claim: Claim) -> Item:
    found = await store.load(claim.ref)
    assert found is not None
    return found


async def resent(store: Store, claim: Claim, version: int) -> Claim:
    """A create that came to nothing, as it seemed, and went out again."""
    await store.apply(claim.ref, version, Decision(Event.RESENT, {"resent": 1}, money="none"))
    (again,) = (await admit(store, deployment())).admitted
    await intend(store, again)
    return again


async def slots(store: Store) -> list[str]:
    return sorted(raw.decode() for raw in await store.redis.zrange(store.keys.open("east"), 0, -1))


async def due(store: Store, *steps: str) -> list[Claim]:
    """What is claimed for these steps, however long their claims still hold."""
    for ref in await store.redis.zrange(store.keys.open("east"), 0, -1):
        await store.redis.zadd(store.keys.open("east"), {ref: 0})
    found, _ = await store.claim(
        dict.fromkeys(steps, 9), pools={s: s for s in steps}, deployments=["east"], allowance_s=30, furthest_s=600
    )
    return found


async def test_two_takes_that_got_each_others_job_are_put_right_by_an_answer_and_none_is_made_again(
    store: Store,
) -> None:
    """Promise 9: answer beats prompt. The answer names the job that the other one took by its prompt, and the one that
    was taken instead is free for the other."""
    first, second = await admitted(store, "take-1", "take-2", prompt="a boat")
    versions = [await intend(store, claim) for claim in (first, second)]
    await accept(store, first, "video_2", how="prompt", version=versions[0])
    await accept(store, second, "video_1", how="prompt", version=versions[1])
    word, _ = await accept(store, first, "video_1")
    assert word == "accepted"
    assert ((await load(store, first)).remote_id, await state(store, "take-2")) == ("video_1", State.CREATING)
    assert await remote_ids.owners(store, SCOPE, ["video_1", "video_2"]) == {"video_1": "spring/take-1#1"}
    again = await load(store, second)
    assert (await accept(store, second, "video_2", how="prompt", version=again.version))[0] == "accepted"
    assert (await batch_of(store)).unknown == 800_000


async def test_an_answer_corrects_a_guess_that_has_come_to_archiving(store: Store) -> None:
    """Promise 9: a film of another row must not be archived under this name."""
    (claim,) = await admitted(store, "a")
    version = await intend(store, claim)
    _, now = await accept(store, claim, "video_9", how="time", version=version)
    await store.apply(claim.ref, int(now), Decision(Event.SUCCEEDED, {"expires_at": 1, "content_id": "video_9"}))
    await accept(store, claim, "video_1")
    found = await load(store, claim)
    assert (found.state, found.remote_id, found.expires_at) == (State.RENDERING, "video_1", None)
    assert await remote_ids.owners(store, SCOPE, ["video_1", "video_9"]) == {"video_1": "spring/a#1"}
    assert await due(store, "archive") == []


async def test_an_answer_is_never_corrected(store: Store) -> None:
    """Promise 9."""
    first, second = await admitted(store, "a", "b")
    await intend(store, first)
    version = await intend(store, second)
    await accept(store, first, "video_1")
    for how in ("time", "prompt", "hand"):
        word, _ = await accept(store, second, "video_1", how=how, version=version)
        assert word == "taken"
    assert (await load(store, first)).remote_id == "video_1"


async def test_a_prompt_takes_a_job_back_from_a_match_by_time_and_never_the_other_way(store: Store) -> None:
    """Promise 9: prompt beats time."""
    first, second = await admitted(store, "a", "b")
    versions = [await intend(store, claim) for claim in (first, second)]
    await accept(store, first, "video_1", how="time", version=versions[0])
    assert (await accept(store, second, "video_1", how="prompt", version=versions[1]))[0] == "accepted"
    found = await load(store, first)
    assert found.state is State.CREATING
    assert (await accept(store, first, "video_1", how="time", version=found.version))[0] == "taken"


async def test_a_guess_that_its_answer_confirms_cannot_be_taken_back_any_more(store: Store) -> None:
    """Promise 9."""
    first, second = await admitted(store, "a", "b")
    version = await intend(store, first)
    await intend(store, second)
    await accept(store, first, "video_1", how="prompt", version=version)
    assert (await accept(store, first, "video_1"))[0] == "accepted"
    assert await accept(store, second, "video_1") == ("taken", "spring/a#1")
    attempt = (await load(store, first)).attempt
    assert attempt is not None
    assert attempt.adopted == "answer"


async def test_an_orphan_keeps_its_slot_until_its_job_has_ended_and_its_money_is_counted(store: Store) -> None:
    """Promise 4: still looked at; promise 5: the provider renders it, whatever became of its item."""
    (claim,) = await admitted(store, "a")
    await resent(store, claim, await intend(store, claim))
    assert await accept(store, claim, "video_1") == ("orphan", 0)
    assert await slots(store) == ["spring/a#1", "spring/a#2"]
    before = await load(store, claim)
    looks = await due(store, "watch")
    assert [(c.step, str(c.ref), c.attempt) for c in looks] == [("watch", "spring/a", 1)]
    assert (await load(store, claim)).version == before.version, "a look at an orphan must not fence its item's steps"
    (look,) = looks
    assert await remote_ids.watched(store, look, {"orphan_status": "in_progress"}, due_in_s=10)
    assert await slots(store) == ["spring/a#1", "spring/a#2"]
    (again,) = await due(store, "watch")
    assert not await remote_ids.watched(store, look, {}, due_in_s=0, ended="failed"), "somebody else looks by now"
    await remote_ids.watched(store, again, {}, due_in_s=0, ended="succeeded", money="confirmed")
    assert await slots(store) == ["spring/a#2"]
    batch = await batch_of(store)
    assert (batch.confirmed, batch.unknown) == (400_000, 400_000)
    (orphan,) = await remote_ids.orphans(store)
    assert (orphan.remote_id, orphan.owner, orphan.state) == ("video_1", "spring/a#1", "succeeded")


async def test_what_an_orphan_costs_after_the_report_is_reported_too(store: Store) -> None:
    """Promise 28, for who reads the results: they say what was spent, and nobody would write them again."""
    (claim,) = await admitted(store, "a")
    second = await resent(store, claim, await intend(store, claim))
    _, version = await accept(store, second, "video_2")
    done = await store.apply(claim.ref, int(version), Decision(Event.SUCCEEDED, money="confirmed"))
    await store.apply(claim.ref, int(done or 0), Decision(Event.ARCHIVED, {"file": "a.mp4"}))
    (written,) = await due(store, "report")
    assert await store.end_report("spring", written.version, keep_s=1000)
    ended = await batch_of(store)
    assert (ended.state, ended.confirmed, await due(store, "report")) == (BatchState.FINAL, 400_000, [])
    assert await accept(store, claim, "video_1") == ("orphan", 0)
    found = await batch_of(store)
    assert (found.state, found.unknown, found.reported_at) == (BatchState.FINAL, 400_000, None)
    assert found.final_at == ended.final_at, "it is not told once more that the batch ended"
    (again,) = await due(store, "report")
    assert not await store.end_report("spring", written.version, keep_s=1000)
    (look,) = await due(store, "watch")
    await remote_ids.watched(store, look, {}, due_in_s=0, ended="succeeded", money="confirmed")
    assert not await store.end_report("spring", again.version, keep_s=1000), "it was begun before the price was known"
    assert [claim.step for claim in await due(store, "report")] == ["report"]
    assert (await batch_of(store)).confirmed == 800_000


async def test_an_item_in_doubt_takes_its_own_orphan_with_the_attempt_that_made_it(store: Store) -> None:
    """Promise 4, and 28: the second create may have made another, which counts as unknown for good."""
    (claim,) = await admitted(store, "a")
    again = await resent(store, claim, await intend(store, claim))
    await accept(store, claim, "video_1")
    doubtful = await load(store, again)
    orphan = await remote_ids.orphan_of(store, doubtful)
    assert orphan is not None
    word, _ = await accept(store, claim, "video_1", version=doubtful.version)
    found = await load(store, claim)
    assert (word, found.state, found.attempts, found.made) == ("accepted", State.RENDERING, 1, 2)
    assert (await slots(store), await remote_ids.orphans(store)) == (["spring/a#1"], [])
    assert (await batch_of(store)).unknown == 800_000


async def test_an_orphan_of_another_content_is_never_the_items_own(store: Store) -> None:
    """Promise 17: no old film under a new prompt."""
    (claim,) = await admitted(store, "a")
    version = await intend(store, claim)
    await store.apply(claim.ref, version, Decision(Event.RESENT, money="none"))
    await submit(store, [item("a", prompt="quite another film")])
    await accept(store, claim, "video_1")
    (again,) = (await admit(store, deployment())).admitted
    await intend(store, again)
    assert await remote_ids.orphan_of(store, await load(store, again)) is None


async def test_an_answer_for_a_batch_that_was_forgotten_is_kept_for_the_audit(store: Store) -> None:
    """Promise 4: whatever the item's state by then."""
    (claim,) = await admitted(store, "a")
    version = await intend(store, claim)
    await store.apply(claim.ref, version, Decision(Event.HELD, {"reason": "outcome_unknown"}))
    await store.scripts.run("forget", "spring", 100)
    place = {"deployment": "east", "scope": SCOPE, "fingerprint": "v1:x"}
    assert await accept(store, claim, "video_1", place=place) == ("orphan", 0)
    (orphan,) = await remote_ids.orphans(store)
    assert (orphan.remote_id, orphan.owner, orphan.state) == ("video_1", "spring/a#1", "")
    assert await store.read(store.keys.batch("spring")) == {}


async def test_an_answer_to_an_attempt_that_redis_lost_is_taken_and_nothing_is_sent_again(store: Store) -> None:
    """Promise 4: a failover forgot that the item was ever admitted."""
    (claim,) = await admitted(store, "a")
    await store.apply(claim.ref, claim.version, Decision(Event.RETURNED, money="none"))
    await store.redis.delete(store.keys.attempt(claim.ref, 1))
    await store.redis.hset(store.keys.item(claim.ref), mapping={"attempt": 0, "made": 0})
    fingerprint = (await load(store, claim)).spec.fingerprint
    place = {"deployment": "east", "scope": SCOPE, "fingerprint": fingerprint}
    assert (await accept(store, claim, "video_1", place=place))[0] == "accepted"
    found = await load(store, claim)
    assert (found.state, found.remote_id, found.made) == (State.RENDERING, "video_1", 1)
    assert (await admit(store, deployment())).admitted == ()
    assert (await batch_of(store)).unknown == 400_000


async def test_a_create_that_is_held_stays_a_possible_maker_of_what_is_listed_until_it_is_known(store: Store) -> None:
    """Promise 9: what is in hand are creates without an answer, of whichever deployment of the place."""
    first, second = await admitted(store, "a", "b")
    await intend(store, first)
    version = await intend(store, second)
    await store.apply(second.ref, version, Decision(Event.HELD))
    key = store.keys.asked(SCOPE)
    assert await store.redis.zrange(key, 0, -1) == [b"spring/a#1", b"spring/b#1"]
    await accept(store, first, "video_1")
    assert await store.redis.zrange(key, 0, -1) == [b"spring/b#1"]
    await accept(store, second, "video_2")
    assert await store.redis.zcard(key) == 0


async def test_two_deployments_of_one_resource_share_a_listing_and_so_its_rivals_and_its_ids(store: Store) -> None:
    """Promise 8."""
    east, west = deployment("east"), deployment("west")
    await submit(store, [item("a"), item("b")], deployments=[east, west])
    (first,) = (await admit(store, east, most=1)).admitted
    (second,) = (await admit(store, west, most=1)).admitted
    versions = [await intend(store, claim) for claim in (first, second)]
    for mine, other in ((first, second), (second, first)):
        (rival,) = await in_hand.rivals(store, SCOPE, f"{mine.ref}#1", since=0.0, until=float("inf"))
        assert rival.ref == f"{other.ref}#1"
    await accept(store, first, "video_1")
    assert (await accept(store, second, "video_1", how="prompt", version=versions[1]))[0] == "taken"


async def test_where_prompts_are_hidden_creates_of_one_shape_follow_one_another(store: Store) -> None:
    """Promise 9: two that are out at once could not be told apart by anything."""
    await submit(store, [item("a"), item("b"), item("wide", size="1792x1024")])
    claims = (await admit(store, deployment())).admitted
    await store.redis.hset(store.keys.listing(SCOPE), "lists_hide", 1)
    shapes = ["1280x720 4", "1280x720 4", "1792x1024 4"]
    words = []
    for claim, shape in zip(claims, shapes, strict=True):
        word, _, wait_s = await store.intend(claim.ref, claim.version, {"shape": shape}, pace=NO_PACE, due_in_s=60)
        words.append(word)
        assert (0 < wait_s <= 5) is (word == "deferred")
    assert words == ["intended", "deferred", "intended"]
    await accept(store, claims[0], "video_1")
    (again,) = [c for c in await due(store, "create") if c.ref.item == "b"]
    word, *_ = await store.intend(again.ref, again.version, {"shape": shapes[1]}, pace=NO_PACE, due_in_s=60)
    assert word == "intended"


async def test_what_is_held_keeps_no_other_create_of_its_shape_waiting(store: Store) -> None:
    """Promise 11: it is settled."""
    first, second = await admitted(store, "a", "b")
    await store.redis.hset(store.keys.listing(SCOPE), "lists_hide", 1)
    shape = {"shape": "1280x720 4"}
    _, version, _ = await store.intend(first.ref, first.version, shape, pace=NO_PACE, due_in_s=60)
    await store.apply(first.ref, version, Decision(Event.HELD))
    word, *_ = await store.intend(second.ref, second.version, shape, pace=NO_PACE, due_in_s=60)
    assert word == "intended"


async def test_an_answer_tells_whether_prompts_are_hidden_until_a_list_does(store: Store) -> None:
    """Promise 9: an answer may leave out what the list shows."""
    first, second, third = await admitted(store, "a", "b", "c")
    shape = {"shape": "1280x720 4"}
    await intend(store, first)
    await accept(store, first, "video_1", hides_prompts=True)

    async def word(claim: Claim) -> str:
        version = (await load(store, claim)).version
        return (await store.intend(claim.ref, version, shape, pace=NO_PACE, due_in_s=60))[0]

    assert [await word(second), await word(third)] == ["intended", "deferred"]
    await store.redis.hset(store.keys.listing(SCOPE), "lists_hide", 0)
    assert await word(third) == "intended"


async def test_a_persons_word_gives_a_job_to_an_item_that_has_ended_and_its_batch_goes_on(store: Store) -> None:
    """Promise 11: a person moves what is held, in an attempt of its own where its last one has another job."""
    (claim,) = await admitted(store, "a")
    await intend(store, claim)
    _, version = await accept(store, claim, "video_1")
    await store.apply(claim.ref, int(version), Decision(Event.FAILED, {"reason": "remote_missing"}, money="unknown"))
    failed = await load(store, claim)
    place = {"deployment": "east", "scope": SCOPE, "price": 400_000}
    word, _ = await store.accept(
        claim.ref, 2, "video_2", how="hand", fields={}, due_in_s=0, version=failed.version, place=place, begin=True
    )
    found = await load(store, claim)
    assert (word, found.state, found.attempts, found.remote_id) == ("accepted", State.RENDERING, 2, "video_2")
    batch = await batch_of(store)
    assert (batch.state, batch.unknown, found.reason) == (BatchState.RUNNING, 800_000, None)


async def test_a_job_that_is_given_by_hand_to_a_cancelled_item_is_kept_although_its_batch_discards(
    store: Store,
) -> None:
    """Promise 11."""
    (claim,) = await admitted(store, "a")
    asked = {"cancel": "discard", "cancelled_by": "ann", "cancelled_reason": "", "cancelled_at": 1}
    await store.redis.hset(store.keys.batch("spring"), mapping=asked)
    await store.apply(claim.ref, claim.version, Decision(Event.CANCELLED, money="none"))
    place = {"deployment": "east", "scope": SCOPE, "price": ""}
    found = await store.load(Ref("spring", "a"))
    assert found is not None
    await store.accept(
        found.ref, 2, "video_2", how="hand", fields={}, due_in_s=0, version=found.version, place=place, begin=True
    )
    assert (await load(store, claim)).fields["cancel"] == "keep"


async def test_an_orphan_given_by_hand_to_another_item_takes_its_price_along(store: Store) -> None:
    """Promise 28: one job is paid for once."""
    claim, other = await admitted(store, "a", "b")
    again = await resent(store, claim, await intend(store, claim))
    await accept(store, claim, "video_1")
    version = await intend(store, other)
    await store.apply(other.ref, version, Decision(Event.HELD, money="unknown"))
    held = await load(store, other)
    word, _ = await accept(store, other, "video_1", how="hand", version=held.version)
    assert (word, (await load(store, other)).remote_id) == ("accepted", "video_1")
    assert await remote_ids.orphans(store) == []
    assert await slots(store) == [f"{again.ref}#2", f"{other.ref}#1"]
    assert (await batch_of(store)).unknown == 800_000
    assert await remote_ids.owners(store, SCOPE, ["video_1"]) == {"video_1": f"{other.ref}#1"}


async def test_the_newest_job_that_another_key_lists_says_nothing_of_this_ones_list(store: Store) -> None:
    """Promise 8: a place is an endpoint and a key; ids are unique at the endpoint."""
    mine, theirs = await admitted(store, "a", "b")
    for claim, remote_id, at in ((mine, "video_1", 1_790_000_000), (theirs, "video_2", 1_790_000_100)):
        await intend(store, claim)
        await accept(store, claim, remote_id, fields={"created_at": at})
    await store.redis.hset(store.keys.attempt(theirs.ref, 1), "deployment", "elsewhere")
    assert await remote_ids.newest(store, SCOPE) == ("video_2", 1_790_000_100)
    assert await remote_ids.newest(store, SCOPE, besides={"elsewhere"}) == ("video_1", 1_790_000_000)
    assert await remote_ids.newest(store, SCOPE, besides={"north"}) == ("video_2", 1_790_000_100)
