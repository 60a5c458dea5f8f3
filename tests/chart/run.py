"""Runs the tests of the chart and says how many passed."""

import pathlib
import sys
import unittest


def main() -> int:
    here = pathlib.Path(__file__).parent
    sys.path.insert(0, str(here))
    loader = unittest.TestLoader()
    if len(sys.argv) > 1:
        loader.testNamePatterns = [f"*{name}*" for name in sys.argv[1:]]
    tests = loader.discover(str(here), top_level_dir=str(here))
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(tests)
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    print(f"chart: {result.testsRun - failed} passed, {failed} failed", flush=True)
    return 0 if result.testsRun and not failed and not result.skipped else 1


if __name__ == "__main__":
    sys.exit(main())
