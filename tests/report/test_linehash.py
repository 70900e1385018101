import random

import pytest

from nginxaudit.report.linehash import LineHashes

GREETING = (
    "e9496ae3ebfced30 fb7c023a8b9ccb3f ce8ba1a563dcdaca e20e36e16fcb0cc8 b3edc88f2938467e c8e28b0b4002a3a0"
)


def hashes(text):
    found = LineHashes(text)
    return [found.of(line) for line in range(1, text.count("\n") + 2)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["c129715d7a2bc9a3:1"]),
        (
            " a\nb\n  \t\tc\n d",
            ["271789c17abda88f:1", "54703d4cd895b18:1", "180aee12dab6264:1", "a23a3dc5e078b07b:1"],
        ),
        (
            " hello; \t\nworld!!!\n\n\n  \t\tGreetings\n End\n",
            [*(f"{digest}:1" for digest in GREETING.split()), "c129715d7a2bc9a3:1"],
        ),
        (
            " hello; \t\r\nworld!!!\r\n\r\n\r\n  \t\tGreetings\r\n End\r\n",
            [*(f"{digest}:1" for digest in GREETING.split()), "c129715d7a2bc9a3:1"],
        ),
        (
            "Lorem ipsum dolor sit amet.\n" * 10,
            [
                *(f"a7f2ff13bc495cf2:{n}" for n in range(1, 7)),
                "a7f2ff1481e87703:1",
                "a9cf91f7bbf1862b:1",
                "55ec222b86bcae53:1",
                "cc97dc7b1d7d8f7b:1",
                "c129715d7a2bc9a3:1",
            ],
        ),
    ],
)
def test_same_as_the_codeql_action(text, expected):
    """The vectors of github/codeql-action, src/fingerprints.test.ts."""
    assert hashes(text) == expected


def rolling(text):
    """The hash as the codeql-action computes it: character by character over a window."""
    window, lines, value, index, number = [0] * 100, [-1] * 100, 0, 0, 0
    first, counts, found = pow(37, 100, 1 << 64), {}, {}
    at_start, after_cr = True, False

    def put():
        digest = f"{value:x}"
        counts[digest] = counts.get(digest, 0) + 1
        found[lines[index]] = f"{digest}:{counts[digest]}"
        lines[index] = -1

    def push(unit):
        nonlocal value, index
        value = (37 * value + unit - first * window[index]) % (1 << 64)
        window[index] = unit
        index = (index + 1) % 100

    data = text.encode("utf-16-le")
    units = [int.from_bytes(data[n : n + 2], "little") for n in range(0, len(data), 2)]
    for read in [*units, 65535]:
        if read in (32, 9) or (after_cr and read == 10):
            after_cr = False
            continue
        after_cr = read == 13
        unit = 10 if after_cr else read
        if lines[index] != -1:
            put()
        if at_start:
            at_start, number = False, number + 1
            lines[index] = number
        at_start = unit == 10
        push(unit)
    for _ in range(100):
        if lines[index] != -1:
            put()
        push(0)
    return [found[line] for line in sorted(found)]


def test_same_as_the_rolling_hash_on_random_texts():
    rng = random.Random(7)
    for _ in range(200):
        text = "".join(rng.choice("ab \t\n日😀é;{}") for _ in range(rng.randrange(700)))
        text = text.replace("\n", rng.choice(["\n", "\r\n"]))
        assert hashes(text) == rolling(text), text


def test_no_such_line():
    assert LineHashes("a\nb").of(3) is None
    assert LineHashes("a\nb").of(0) is None
