"""Runs the tests in a directory and says how many passed: run.py DIRECTORY [NAME…]."""

import pathlib
import sys
import unittest


def main() -> int:
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    directory, *names = sys.argv[1:]
    loader = unittest.TestLoader()
    if names:
        loader.testNamePatterns = [f"*{name}*" for name in names]
    tests = loader.discover(directory)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(tests)
    # A part of a test that failed is told by itself; the test counts once.
    bad = [test for test, _ in result.failures + result.errors] + result.unexpectedSuccesses
    failed = len({getattr(test, "test_case", test) for test in bad})
    print(f"{pathlib.Path(directory).name}: {result.testsRun - failed} passed, {failed} failed", flush=True)
    return 0 if result.testsRun and not failed and not result.skipped else 1


if __name__ == "__main__":
    sys.exit(main())
