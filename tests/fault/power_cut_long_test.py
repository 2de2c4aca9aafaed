#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""power_cut_test.py with 10,000 lives, 100,000 cuts, and every storage call of several lives.

    python3 tests/fault/power_cut_long_test.py --build BUILD_DIR [--seed N]
"""

import os
import sys

TEST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "power_cut_test.py")

if __name__ == "__main__":
    os.execv(sys.executable, [sys.executable, TEST, "--traces", "10000", "--states", "10", "--fault-traces", "8", "--every", "4", *sys.argv[1:]])
