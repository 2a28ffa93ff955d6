"""From changes to signals: who is woken, once, and in which order."""

import time
import zlib
from itertools import pairwise

import msgspec
import pytest

from kraut_core.api.kinds import all_kinds
from kraut_operator.controller import UNTOLD_SECONDS
from kraut_operator.entry import Entry, Named, ObjectKey, Observed, Selection
from kraut_operator.queue import Priority
from kraut_operator.testing.kinds import KINDS
from kraut_operator.testing.worlds import World, answered, entry, saw, selecting

SECRET = entry("Secret", "s", version=7)
REFERENCES = (Named("Secret", "s"),)


def hosts_world(*namespaces: str) -> World:
    return World(all_kinds(), "Host", "UpgradePolicy", "Secret", namespaces=namespaces)


def pools_world(*namespaces: str) -> World:
    return World(KINDS, "Pool", "Member", "Task", "Secret", namespaces=namespaces)


def converged(name: str, secret: Entry = SECRET) -> Entry:
    return answered("Host", name, references=REFERENCES, observed=(saw(secret),))


async def test_a_restart_over_converged_objects_sends_nothing_in_any_order_of_the_streams() -> None:
    for order in (("Host", "Secret", "UpgradePolicy"), ("Secret", "UpgradePolicy", "Host")):
        world = hosts_world()
        states: dict[str, list[Entry]] = {
            "Host": [converged(f"h{number}") for number in range(1000)],
            "Secret": [SECRET],
            "UpgradePolicy": [],
        }
        for kind in order:
            await world.sync(kind, *states[kind])
            assert world.send() == []
        await world.controller.compare()
        assert (world.send(), len(world.controller.queue), world.controller.queue.next_due()) == ([], 0, None)


async def test_a_new_object_is_dispatched_once_until_it_is_answered() -> None:
    world = hosts_world()
    for kind in world.sources:
        await world.sync(kind)
    new = entry("Host", "h", generation=1)
    await world.put(new)
    assert world.send() == [("h", "Initial")]
    await world.controller.compare()
    await world.put(entry("Host", "h", generation=1, version=2))
    assert world.send() == []
    await world.put(answered("Host", "h", version=3))
    world.clock.now += 10_000
    assert (world.send(), world.controller.queue.next_due(), len(world.controller.ledger)) == ([], None, 0)


async def test_what_is_not_answered_is_sent_again_less_and_less_often() -> None:
    world = hosts_world()
    await world.sync("Host")
    await world.put(entry("Host", "h", generation=1))
    times = []
    for _ in range(3600):
        times += [world.clock.now for _ in world.send()]
        world.clock.now += 1
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps == [60, 120, 240, 480, 960]


async def test_a_change_is_sent_at_once_even_when_the_one_before_is_not_answered() -> None:
    world = hosts_world()
    await world.sync("Host")
    await world.put(entry("Host", "h", generation=1))
    assert world.send() == [("h", "Initial")]
    await world.put(entry("Host", "h", generation=2, version=2))
    assert world.send() == [("h", "Initial")]
    await world.put(entry("Host", "h", generation=2, version=3, requested="now"))
    assert world.send() == [("h", "Requested")]


async def test_the_first_answer_without_references_is_not_answered_with_another_signal() -> None:
    world = hosts_world()
    await world.sync("Secret", SECRET)
    await world.sync("Host")
    await world.put(entry("Host", "h", generation=1, references=REFERENCES))
    assert world.send() == [("h", "Initial")]
    await world.put(answered("Host", "h", version=2, references=REFERENCES))
    assert world.send() == []
    world.clock.now += 60
    assert world.send() == [("h", "Reference")]


async def test_a_secret_wakes_those_who_refer_to_it_and_nobody_else() -> None:
    world = hosts_world()
    other = entry("Secret", "other", version=3)
    await world.sync("Secret", SECRET, other)
    stranger = answered("Host", "stranger", references=(Named("Secret", "other"),), observed=(saw(other),))
    elsewhere = answered("Host", "elsewhere", namespace="m", references=REFERENCES, observed=())
    await world.sync("Host", converged("one"), converged("two"), stranger)
    await world.put(entry("Secret", "s", version=8))
    assert sorted(world.send()) == [("one", "Reference"), ("two", "Reference")]
    await world.put(elsewhere)
    assert world.send() == [("elsewhere", "Reference")]
    await world.drop(entry("Secret", "s", version=9))
    assert sorted(world.send()) == [("one", "Reference"), ("two", "Reference")]


async def test_a_secret_that_is_created_later_wakes_those_who_wait_for_it() -> None:
    world = hosts_world()
    await world.sync("Secret")
    missing = entry("Secret", "s", uid="-").key
    await world.sync("Host", answered("Host", "h", references=REFERENCES, observed=(_absent(missing),)))
    assert world.send() == []
    await world.put(SECRET)
    assert world.send() == [("h", "Reference")]


def _absent(key: ObjectKey) -> Observed:
    return Observed(key.kind, key.name, "", "")


async def test_a_policys_status_wakes_nobody_and_its_spec_does() -> None:
    world = hosts_world()
    policy = entry("UpgradePolicy", "p", generation=1)
    refers = (Named("UpgradePolicy", "p"),)
    await world.sync("UpgradePolicy", policy)
    await world.sync("Host", answered("Host", "h", references=refers, observed=(saw(policy, "1"),)))
    await world.put(entry("UpgradePolicy", "p", generation=1, version=2))
    assert world.send() == []
    await world.put(entry("UpgradePolicy", "p", generation=2, version=3))
    assert world.send() == [("h", "Reference")]


async def test_a_reference_that_moves_is_forgotten() -> None:
    world = hosts_world()
    other = entry("Secret", "other", version=3)
    await world.sync("Secret", SECRET, other)
    await world.sync("Host", converged("h"))
    moved = answered("Host", "h", version=2, references=(Named("Secret", "other"),), observed=(saw(other),))
    await world.put(moved)
    await world.put(entry("Secret", "s", version=8))
    assert world.send() == []
    await world.put(entry("Secret", "other", version=4))
    assert world.send() == [("h", "Reference")]


async def test_labels_decide_who_is_selected() -> None:
    world = pools_world()
    await world.sync("Secret")
    await world.sync("Member")
    await world.sync("Task")
    await world.sync("Pool", answered("Pool", "east", selections=(Selection("Member", selecting(zone="east")),)))
    await world.put(entry("Member", "m", generation=1, labels={"zone": "west"}))
    assert world.send() == []
    await world.put(entry("Member", "m", generation=1, version=2, labels={"zone": "east"}))
    assert world.send() == [("east", "Reference")]
    member = world.sources["Member"].objects["n", "m"]
    seen = answered("Pool", "east", version=3, selections=(Selection("Member", selecting(zone="east")),))
    await world.put(_with_observed(seen, member))
    assert world.send() == []
    await world.put(entry("Member", "m", generation=1, version=4, labels={"zone": "west"}))
    assert world.send() == [("east", "Reference")]


def _with_observed(pool: Entry, member: Entry) -> Entry:
    return answered(
        "Pool", pool.name, version=5, selections=pool.selections, observed=(saw(member, str(member.generation)),)
    )


async def test_a_change_of_what_is_owned_wakes_the_owner_and_the_first_list_does_not() -> None:
    world = pools_world()
    owned = entry("Task", "t", owners=(Named("Pool", "p"),))
    for kind in ("Secret", "Member"):
        await world.sync(kind)
    await world.sync("Pool", answered("Pool", "p"))
    await world.sync("Task", owned)
    assert world.send() == []
    await world.put(entry("Task", "t", version=2, owners=(Named("Pool", "p"),)))
    assert world.send() == [("p", "Owned")]
    await world.put(entry("Task", "stray", owners=(Named("Pool", "absent"),)))
    assert world.send() == []
    await world.drop(entry("Task", "t", version=3, owners=(Named("Pool", "p"),)))
    assert world.send() == [("p", "Owned")]


async def test_an_owned_object_that_was_created_while_nothing_was_heard_wakes_its_owner() -> None:
    """What a later reading finds new is a change; only what the first one finds may have been told by the operator before."""
    world = pools_world()
    for kind in ("Secret", "Member", "Task"):
        await world.sync(kind)
    await world.sync("Pool", answered("Pool", "p"))
    await world.sync("Task", entry("Task", "t", owners=(Named("Pool", "p"),)))
    assert world.send() == [("p", "Owned")]


async def test_namespaces_that_cannot_be_read_hide_nothing_of_those_that_can() -> None:
    """Without rights to the Secrets of m, those of n are known all the same, and wake who refers to them."""
    world = hosts_world("n", "m")
    for kind in ("Host", "UpgradePolicy"):
        await world.sync(kind, namespace="m")
        await world.sync(kind, namespace="n")
    await world.sync("Secret", SECRET, namespace="n")
    await world.put(converged("h"))
    await world.put(answered("Host", "blind", namespace="m", references=REFERENCES))
    assert world.send() == []
    await world.put(entry("Secret", "s", version=8))
    assert world.send() == [("h", "Reference")]
    await world.sync("Secret", namespace="m")
    assert world.send() == [("blind", "Reference")]


async def test_selectors_look_into_the_namespace_that_can_be_read() -> None:
    world = pools_world("n", "m")
    for kind in ("Pool", "Member", "Task", "Secret"):
        await world.sync(kind, namespace="n")
    await world.sync("Pool", namespace="m")
    await world.put(answered("Pool", "east", selections=(Selection("Member", selecting(zone="east")),)))
    await world.put(entry("Member", "m", generation=1, labels={"zone": "east"}))
    assert world.send() == [("east", "Reference")]


async def test_a_deletion_is_told_before_and_after_the_object_is_gone() -> None:
    world = hosts_world()
    await world.sync("Host", answered("Host", "h"))
    await world.put(answered("Host", "h", version=2, generation=2, answered=2, deleting=True))
    assert world.send() == [("h", "Deleted")]
    await world.drop(answered("Host", "h", version=3, deleting=True))
    assert world.send() == [("h", "Deleted")]
    assert (world.controller.queue.next_due(), len(world.controller.ledger)) == (None, 0)


async def test_an_object_that_comes_again_is_a_new_one() -> None:
    world = hosts_world()
    await world.sync("Host", answered("Host", "h"))
    await world.drop(answered("Host", "h", version=2))
    await world.put(entry("Host", "h", uid="second", generation=1, version=3))
    assert world.send() == [("h", "Initial")]


async def test_a_failed_signal_is_tried_again_soon_and_nothing_is_forgotten() -> None:
    world = pools_world()
    for kind in ("Secret", "Member", "Task"):
        await world.sync(kind)
    await world.sync("Pool", answered("Pool", "p"))
    await world.put(entry("Task", "t", owners=(Named("Pool", "p"),)))
    for _ in range(3):
        popped = world.controller.queue.pop()
        assert popped is not None
        dispatch = world.controller.what_to_send(popped[0])
        assert dispatch is not None
        world.clock.now += world.controller.failed(popped[0], dispatch)
        world.controller.queue.done(popped[0])
    assert world.send() == [("p", "Owned")]


@pytest.mark.parametrize(
    ("change", "priority"),
    [
        (entry("Host", "h", generation=2, answered=1, references=REFERENCES, version=2), Priority.URGENT),
        (answered("Host", "h", references=REFERENCES, observed=(saw(SECRET),), requested="x"), Priority.URGENT),
        (answered("Host", "h", references=REFERENCES), Priority.RETRY),
    ],
)
async def test_a_person_goes_before_a_secret_that_wakes_thousands(change: Entry, priority: Priority) -> None:
    world = hosts_world()
    await world.sync("Secret", SECRET)
    await world.sync("Host", converged("h"))
    await world.put(change)
    popped = world.controller.queue.pop()
    assert popped is not None
    assert popped[1] == priority


async def test_what_changed_while_the_watch_was_broken_is_found_by_the_relist() -> None:
    world = hosts_world()
    await world.sync("Secret", SECRET)
    await world.sync("Host", converged("h"), converged("same"))
    await world.sync("Secret", entry("Secret", "s", version=20))
    assert sorted(world.send()) == [("h", "Reference"), ("same", "Reference")]


async def test_a_standby_does_not_keep_what_is_gone_for_ever() -> None:
    world = hosts_world()
    await world.sync("Host", *[answered("Host", f"h{number}") for number in range(50)])
    for found in list(world.sources["Host"].objects.values()):
        await world.drop(found)
    assert len(world.controller.queue) == 50
    world.clock.now += UNTOLD_SECONDS + 1
    await world.controller.compare()
    assert (len(world.controller.queue), world.send()) == (0, [])


async def test_an_outage_of_temporal_for_minutes_does_not_lose_a_deletion() -> None:
    world = hosts_world()
    gone = answered("Host", "h")
    await world.sync("Host", gone)
    await world.drop(gone)
    world.clock.now += UNTOLD_SECONDS - 1
    await world.controller.compare()
    assert world.send() == [("h", "Deleted")]


async def standby_that_saw_an_owned_object_change_and_an_object_go() -> World:
    world = pools_world()
    for kind in ("Secret", "Member", "Task"):
        await world.sync(kind)
    await world.sync("Pool", *[answered("Pool", f"p{number}") for number in range(50)], answered("Pool", "gone"))
    await world.put(entry("Task", "t", owners=(Named("Pool", "p7"),)))
    await world.drop(answered("Pool", "gone"))
    return world


async def test_a_standby_that_takes_over_tells_again_what_only_an_event_told_in_the_last_minutes() -> None:
    """No status says whether the leader told it; signals may come twice, and must come once."""
    world = await standby_that_saw_an_owned_object_change_and_an_object_go()
    world.clock.now += UNTOLD_SECONDS - 1
    await world.controller.compare()
    assert world.send() == [("gone", "Deleted"), ("p7", "Owned")]


async def test_a_standby_that_takes_over_later_tells_nothing_again() -> None:
    world = await standby_that_saw_an_owned_object_change_and_an_object_go()
    world.clock.now += UNTOLD_SECONDS + 1
    await world.controller.compare()
    assert (world.controller.queue.held, world.send()) == (0, [])


async def test_an_outage_of_temporal_for_hours_does_not_lose_what_only_an_event_told() -> None:
    """The leader tries again all the time: what it could not tell does not grow old."""
    world = await standby_that_saw_an_owned_object_change_and_an_object_go()
    began = world.clock.now
    while world.clock.now - began < 3 * 3600:
        while (popped := world.controller.queue.pop()) is not None:
            dispatch = world.controller.what_to_send(popped[0])
            assert dispatch is not None
            world.controller.failed(popped[0], dispatch)
            world.controller.queue.done(popped[0])
        world.clock.now += world.controller.queue.next_due() or 1.0
        await world.controller.compare()
    world.clock.now += 300
    assert sorted(world.send()) == [("gone", "Deleted"), ("p7", "Owned")]


async def test_what_failed_and_was_answered_meanwhile_leaves_nothing_behind() -> None:
    world = hosts_world()
    await world.sync("Host", entry("Host", "h", generation=1))
    popped = world.controller.queue.pop()
    assert popped is not None
    dispatch = world.controller.what_to_send(popped[0])
    assert dispatch is not None
    await world.put(answered("Host", "h", version=2))
    world.controller.failed(popped[0], dispatch)
    world.controller.queue.done(popped[0])
    world.clock.now += 60
    assert (world.send(), world.controller.queue.held) == ([], 0)


async def test_what_was_being_sent_while_its_object_went_leaves_nothing_behind() -> None:
    """Or the ledger, and the metric of what is not answered, would count for ever what nobody can answer."""
    world = hosts_world()
    await world.sync("Host", entry("Host", "h", generation=1))
    key, dispatch = world.begin()
    await world.drop(entry("Host", "h", generation=1))
    world.controller.sent(key, dispatch)
    world.controller.queue.done(key)
    assert world.send() == [("h", "Deleted")]
    assert (len(world.controller.ledger), world.controller.queue.held) == (0, 0)


async def test_a_deletion_that_is_still_being_sent_when_it_is_too_old_to_be_told_leaves_nothing_behind() -> None:
    world = hosts_world()
    await world.sync("Host", answered("Host", "h"))
    await world.drop(answered("Host", "h"))
    key, dispatch = world.begin()
    world.clock.now += UNTOLD_SECONDS + 1
    await world.controller.compare()
    world.controller.sent(key, dispatch)
    world.controller.queue.done(key)
    world.clock.now += 3600
    assert (world.send(), len(world.controller.ledger), world.controller.queue.held) == ([], 0, 0)


async def test_what_was_sent_for_the_object_before_is_no_word_to_its_successor() -> None:
    world = hosts_world()
    await world.sync("Host", entry("Host", "h", uid="first", generation=1))
    key, dispatch = world.begin()
    await world.drop(entry("Host", "h", uid="first", generation=1))
    await world.put(answered("Host", "h", uid="second", version=3))
    world.controller.sent(key, dispatch)
    world.controller.queue.done(key)
    assert (world.send(), len(world.controller.ledger), world.controller.queue.held) == ([], 0, 0)


async def test_an_owner_that_goes_while_it_is_told_in_vain_is_told_no_more() -> None:
    world = await standby_that_saw_an_owned_object_change_and_an_object_go()
    assert world.begin()[0].name == "gone"
    key, dispatch = world.begin()
    assert (key.name, dispatch.reason) == ("p7", "Owned")
    await world.drop(answered("Pool", "p7"))
    world.controller.failed(key, dispatch)
    await world.put(answered("Pool", "p7", uid="second"))
    world.controller.queue.done(key)
    world.clock.now += 60
    assert ("p7", "Owned") not in world.send()


async def test_an_owner_that_went_and_came_again_is_told_of_nothing_that_was_before_it() -> None:
    world = await standby_that_saw_an_owned_object_change_and_an_object_go()
    await world.drop(answered("Pool", "p7"))
    await world.put(answered("Pool", "p7", uid="second"))
    assert world.send() == [("gone", "Deleted")]


async def test_a_resync_finds_what_was_forgotten_after_the_cache_spread_in_the_order_of_a_hash() -> None:
    """All at once, or by name, would be a burst of one rack after the other every ten minutes."""
    world = hosts_world()
    names = [f"h{number:02}" for number in range(40)]
    await world.sync("Secret", SECRET)
    await world.sync("UpgradePolicy")
    await world.sync("Host", *(converged(name) for name in names))
    objects = world.sources["Host"].objects
    for old in list(objects.values()):
        await world.put(msgspec.structs.replace(old, generation=2, resource_version="2"))
        world.controller.queue.remove(old.key)
    assert world.send() == []

    began = time.monotonic()
    await world.controller.compare(seconds=0.2)

    assert time.monotonic() - began >= 0.2
    found = [name for name, reason in world.send() if reason == "Spec"]
    uids = {name: objects[key].uid for key in objects for name in [key[1]]}
    assert found == sorted(names, key=lambda name: zlib.crc32(uids[name].encode()))
    assert found != names
