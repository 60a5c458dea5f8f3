"""What each case must come to. Whatever is not listed must be OK in every respect."""

from fnmatch import fnmatchcase

GROUPS = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*"]

# Cases in these groups. Fewer would pass just as silently.
CASES = 301

# What RFC 6455 leaves open, and the close code of ours. Autobahn has no verdict on these.
LEFT_OPEN = {
    "7.1.6": 1000,  # whether what came before a close frame is answered: it is
    "7.13.1": 1002,  # a close code of 5000
    "7.13.2": 1002,  # a close code of 65535
}

# The hub's default limits before hello: frames and messages of 64 KiB, 16 fragments.
TOO_BIG = 1009
# The hub is no echo. It refuses the first whole message, since that is no hello: text as out
# of order, binary because messages are text.
NO_HELLO = 4001
NOT_TEXT = 1003

# What the hub says before hello where an echo would say something else; the first that matches.
HUB_CLOSES = [
    ("1.1.*", NO_HELLO),
    ("1.2.*", NOT_TEXT),
    # Text comes ahead of the frame that is wrong.
    *((case, NO_HELLO) for case in ["3.2", "3.3", "3.4"]),
    *((case, NO_HELLO) for case in ["4.1.3", "4.1.4", "4.1.5"]),
    *((case, NO_HELLO) for case in ["4.2.3", "4.2.4", "4.2.5"]),
    # Well-formed text in fragments.
    *((f"5.{case}", NO_HELLO) for case in [3, 4, 5, 6, 7, 8, 15, 19, 20]),
    # Valid UTF-8; 6.2.3 and 6.2.4 send it byte by byte.
    *((case, TOO_BIG) for case in ["6.2.3", "6.2.4"]),
    *((f"6.{group}.*", NO_HELLO) for group in [1, 2, 5, 7, 9, 22, 23]),
    *((f"6.6.{case}", NO_HELLO) for case in [2, 5, 7, 9, 11]),
    *((f"6.11.{case}", NO_HELLO) for case in [1, 2, 3, 4]),
    ("7.1.1", NO_HELLO),
    ("7.1.6", TOO_BIG),
    # Sizes: the smallest of 9.1 and 9.2 are at the limit.
    ("9.1.1", NO_HELLO),
    ("9.2.1", NOT_TEXT),
    *((f"9.{group}.*", TOO_BIG) for group in [1, 2, 3, 4, 5, 6]),
    ("9.7.*", NO_HELLO),
    ("9.8.*", NOT_TEXT),
    ("10.1.1", TOO_BIG),
]


def echo_problem(result) -> str | None:
    """What is wrong with a case against the echo, or nothing."""
    if result.case_id in LEFT_OPEN:
        return close_problem(result, LEFT_OPEN[result.case_id])
    return verdict_problem(result)


def hub_problem(result) -> str | None:
    """What is wrong with a case against the hub before hello, or nothing."""
    for pattern, code in HUB_CLOSES:
        if fnmatchcase(result.case_id, pattern):
            return close_problem(result, code)
    return echo_problem(result)


def verdict_problem(result) -> str | None:
    """Autobahn's own word. NON-STRICT is not enough, nor is a close frame without a code."""
    verdicts = (result.behavior.value, result.behavior_close.value)
    if verdicts != ("OK", "OK"):
        return f"{' / '.join(verdicts)}: {result.result} {result.result_close}"
    return close_problem(result, result.remote_close_code or "any code")


def close_problem(result, code) -> str | None:
    """The peer must end with this code and a whole closing handshake."""
    if not result.was_clean:
        return f"not closed cleanly: {result.was_not_clean_reason}"
    if result.remote_close_code != code:
        return f"closed with {result.remote_close_code}, not {code}"
    return None
