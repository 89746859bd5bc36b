"""Every change of clocks from 2000 to 2040 in every zone: python -m minutewise. Exits 1 where an answer was wrong."""

from __future__ import annotations

import sys

from minutewise.cases import ZONES, WrongAnswerError, asked, windows
from triaged.clock import seconds


def main() -> int:
    wrong = 0
    for zone in ZONES:
        began, answered, found = seconds(), 0, windows(zone)
        for change in found:
            try:
                answered += asked(zone, change)
            except WrongAnswerError as error:
                wrong += 1
                print(error)
        print(f"{zone}: {answered:,} answers around {len(found)} changes of clocks, {seconds() - began:.1f} s")
    print("every answer is the oracle's" if not wrong else f"wrong around {wrong} changes")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
