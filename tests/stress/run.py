"""Campaigns from the command line, a line each: `python tests/stress/run.py` runs them all.

`inputs --count 1000 --seed 3` runs one of them, `inputs --seed 3 --only 17` one case of it.
"""

import argparse
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path

# How many to try: in the tests, in the long form.
CAMPAIGNS = {
    "inputs": (500, 100_000),
    "weights": (40, 5_000),
    "invariants": (50, 10_000),
    "engines": (40, 10_000),
    "kills": (2, 200),
    "sizes": (1, 100),  # percent
}


def main() -> int:
    """Run one campaign, or each in a process of its own; 1 where anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?", choices=CAMPAIGNS, help="all, if not given")
    parser.add_argument("--count", type=int, help="how many to try (default: the long form)")
    parser.add_argument("--short", action="store_true", help="as few as the tests try")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, default=-1, help="one of them alone, by its number")
    args = parser.parse_args()
    if args.name is None:
        given = ["--seed", str(args.seed), *["--short"] * args.short]
        codes = [subprocess.call([sys.executable, __file__, each, *given]) for each in CAMPAIGNS]
        return int(any(codes))  # one that was killed ends below 0
    count = args.count or CAMPAIGNS[args.name][0 if args.short else 1]
    campaign = import_module(args.name).campaign
    with tempfile.TemporaryDirectory(prefix="campaign-") as folder:
        tally = campaign(Path(folder), args.seed, count, args.only)
    print("\n".join(tally.told()), flush=True)
    return bool(tally.lost)


if __name__ == "__main__":
    sys.exit(main())
