#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill_test.py with fifty kills, with another seed each time it is asked for one.

    python3 tests/functional/kill_long_test.py --build BUILD_DIR [--seed N]
"""

import os
import sys

KILL_TEST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kill_test.py")

if __name__ == "__main__":
    os.execv(sys.executable, [sys.executable, KILL_TEST, "--cycles", "50", *sys.argv[1:]])
