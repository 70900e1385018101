"""Each balancing method against sequences that were worked out by hand from nginx's source."""

from __future__ import annotations

from collections import Counter
from zlib import crc32

import pytest

from nginxaudit.drill.behaviour import Backend, refuse
from nginxaudit.drill.load import Call, address_bytes
from nginxaudit.drill.methods.hashing import Ring, walked
from nginxaudit.drill.methods.least import measured
from nginxaudit.drill.peers import Peers, SimulatedPeer
from nginxaudit.drill.spec import ServerSpec, UpstreamSpec
from tests.drill.drill_support import follow, group, servers_of, use


def test_a_failure_lowers_the_weight_and_picks_restore_it() -> None:
    """Weight 4 and max_fails 2: 4 - 2 = 2, then one more with every round."""
    app = group(ServerSpec("A", weight=4, max_fails=2), ServerSpec("B", weight=4))
    lines = follow(app, 9, {"A": [(0, refuse()), (5, refuse(graceful=True)), (6, refuse())]})
    assert lines[0] == "A 502, B 200"
    # currents after the first request: A 4-8 = -4, B 4 (tried A) then 4+4-4 = 4
    # A 2 B 4: -2/8 -> B; A 3 B 4: 1/6 -> B; A 4 B 4: 5/2 -> A
    assert [line.split()[0] for line in lines[1:4]] == ["B", "B", "A"]


def test_least_conn_counts_connections_and_turns_among_equals() -> None:
    app = group("A", "B", method="least_conn")
    assert servers_of(follow(app, 5, response=1000)) == "ABBAA"


def test_least_conn_compares_per_weight() -> None:
    app = group(ServerSpec("A", weight=3), "B", method="least_conn")
    # 0/3 = 0/1: a tie, A (3 > 1); then 1/3 > 0/1: B; then 1/3 < 1/1 until 3/3 = 1/1
    assert servers_of(follow(app, 4, response=1000)) == "ABAA"


def test_least_conn_uses_backups_the_same_way() -> None:
    app = group("P", ServerSpec("A", backup=True), ServerSpec("B", backup=True), method="least_conn")
    lines = follow(app, 5, {"P": refuse()}, response=1000)
    assert lines[0] == "P 502, A 200"
    assert servers_of(lines[1:]) == "BBAA"


def test_least_time_prefers_the_quick_one() -> None:
    app = group("A", "B", method="least_time")
    peers = _peers(app)
    for _ in range(100):
        measured(peers.all[0], 400)
    assert peers.all[0].average > 300
    assert Counter(servers_of(follow(app, 40, {"A": [], "B": []}, response=1))) == {"A": 20, "B": 20}


@pytest.mark.parametrize(("servers", "first"), [("AB", "B"), ("ABC", "A")])
def test_ip_hash_of_192_0_2(servers: str, first: str) -> None:
    """89 -> 3978 -> 4273 -> 6255 by ``(seed * 113 + byte) % 6271``; 6255 is odd and divides by 3."""
    assert servers_of(follow(group(*servers, method="ip_hash"), 3)) == first * 3


def test_ip_hash_goes_on_from_its_hash() -> None:
    """Second round: 6255 -> 4647 -> 4618 -> 1341."""
    seed = 6255
    for byte in (192, 0, 2):
        seed = (seed * 113 + byte) % 6271
    wanted = "ABCDE"[seed % 5]
    first = "ABCDE"[6255 % 5]
    assert wanted != first
    assert follow(group(*"ABCDE", method="ip_hash"), 1, {first: refuse()}) == [f"{first} 502, {wanted} 200"]


def test_ip_hash_reads_three_bytes_or_sixteen() -> None:
    assert address_bytes("10.1.2.3") == b"\x0a\x01\x02"
    assert len(address_bytes("2001:db8::1")) == 16
    assert address_bytes("unix:") == b"\0\0\0"


def test_hash_keeps_the_place_of_a_server_that_is_down() -> None:
    key = "some"
    slot = ((crc32(b"some") >> 16) & 0x7FFF) % 3
    names = "ABC"
    calls = [Call(0, key=key)]
    assert servers_of(follow(group(*names, method="hash"), calls)) == names[slot]
    other = names[(slot + 1) % 3]
    down = group(*(ServerSpec(name, down=name == other) for name in names), method="hash")
    assert servers_of(follow(down, calls)) == names[slot]


def test_hash_adds_a_counter_when_it_tries_again() -> None:
    first = (crc32(b"some") >> 16) & 0x7FFF
    second = first + ((crc32(b"1some") >> 16) & 0x7FFF)
    names = "ABCDEFG"
    assert first % 7 != second % 7
    lines = follow(group(*names, method="hash"), [Call(0, key="some")], {names[first % 7]: refuse()})
    assert lines == [f"{names[first % 7]} 502, {names[second % 7]} 200"]


def test_hash_without_a_key_is_round_robin() -> None:
    for method in ("hash", "consistent"):
        assert servers_of(follow(group("A", "B", method=method), 4)) == "ABAB"


def test_a_hash_that_only_misses_falls_back_to_round_robin_and_its_backups() -> None:
    app = group(
        ServerSpec("A", down=True), ServerSpec("B", down=True), ServerSpec("C", backup=True), method="hash"
    )
    assert follow(app, [Call(0, key="some")]) == ["C 200"]


@pytest.mark.slow
def test_consistent_hash_moves_only_the_keys_of_the_server_that_is_gone() -> None:
    names = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"]
    calls = [Call(number, key=f"key{number}") for number in range(300)]
    before = [line.split()[0] for line in follow(group(*names, method="consistent"), calls)]
    gone = [ServerSpec(name, down=name == names[1]) for name in names]
    after = [line.split()[0] for line in follow(group(*gone, method="consistent"), calls)]
    assert names[1] not in after
    assert all(was == now for was, now in zip(before, after, strict=True) if was != names[1])
    assert min(Counter(before).values()) > 50


def test_the_ring_is_that_of_cache_memcached_fast() -> None:
    """crc32 of HOST NUL PORT and the point before (0 at first), little-endian."""
    ring = Ring(_peers(group("10.0.0.1:80", "10.0.0.2:80")))
    assert crc32(b"10.0.0.1\x0080\0\0\0\0") in ring._hashes
    assert len(ring._hashes) == 320


def test_random_follows_weights() -> None:
    app = group(ServerSpec("A", weight=3), "B", method="random")
    found = Counter(servers_of(follow(app, 4000, seed=3)))
    assert 0.70 < found["A"] / 4000 < 0.80


def test_random_two_takes_the_one_with_fewer_connections() -> None:
    lines = follow(group("A", "B", method="random_two"), 20, response=100_000)
    found = Counter(servers_of(lines))
    assert found["A"] == found["B"] == 10


def test_walking_the_weights() -> None:
    peers = _peers(group(ServerSpec("A", weight=2), "B"))
    assert [walked(peers, slot).server.name for slot in range(3)] == ["A", "A", "B"]


def test_max_conns_fills_up_and_then_nobody_is_left() -> None:
    app = group(ServerSpec("A", max_conns=1), ServerSpec("B", max_conns=1))
    assert follow(app, 3, response=1000) == ["A 200", "B 200", "none 502 => 502"]
    alone = group(ServerSpec("A", max_conns=1))
    assert follow(alone, 2, response=1000) == ["A 200", "none 502 => 502"]


@pytest.mark.parametrize("method", ["least_conn", "ip_hash", "hash", "consistent", "random", "random_two"])
def test_no_method_picks_what_is_down_or_full(method: str) -> None:
    app = group(ServerSpec("A", down=True), ServerSpec("B", max_conns=1), "C", method=method)
    calls = [Call(number, key="k") for number in range(30)]
    found = Counter(servers_of(follow(app, calls, None, use(), response=1000)))
    assert "A" not in found
    assert found["B"] <= 1


def _peers(app: UpstreamSpec) -> Peers:
    backend = Backend((), 1, 1)
    return Peers(
        [SimulatedPeer(each, at, at, backend, 0) for at, each in enumerate(app.servers)], None, single=False
    )
