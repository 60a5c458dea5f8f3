"""Runs the Autobahn cases against the echo and the hub; fails if one fails.

    run.py PROGRAMS

PROGRAMS is the directory of the built programs. Prints what failed and, last, how many passed.
"""

import asyncio
import sys
from pathlib import Path

from kosoku import FailureError, run_fuzzingclient

from expectations import CASES, GROUPS, echo_problem, hub_problem
from targets import hub, ws_echo

# Cases at once; some of them only wait.
CONCURRENCY = 2

# Seconds after which the cases of one target hang: about twenty times what they take.
HUNG_S = 120


async def results_of(url: str) -> list:
    """The result of every case. kosoku raises when one did not pass in its own eyes."""
    try:
        run = run_fuzzingclient(url, GROUPS, concurrency=CONCURRENCY)
        return await asyncio.wait_for(run, HUNG_S)
    except FailureError as failure:
        return failure.results


def failed_cases(name: str, target, problem_of) -> list[str]:
    """Runs all cases against a target. Returns a line for each that failed."""
    with target as url:
        results = asyncio.run(results_of(url))
    assert len(results) == CASES, f"{name}: {len(results)} cases ran instead of {CASES}"
    problems = ((result.case_id, problem_of(result)) for result in results)
    failed = [f"{name} {case}: {problem}" for case, problem in problems if problem]
    print(f"{name}: {CASES - len(failed)} of {CASES} cases passed", flush=True)
    return failed


def main() -> int:
    programs = Path(sys.argv[1]).resolve()
    failed = failed_cases("ws-echo", ws_echo(programs), echo_problem)
    failed += failed_cases("hub before hello", hub(programs), hub_problem)
    print(*failed, sep="\n", end="\n" if failed else "")
    print(f"autobahn: {2 * CASES - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
