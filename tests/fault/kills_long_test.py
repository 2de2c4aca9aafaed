#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kills_test.py with a thousand kills.

    python3 tests/fault/kills_long_test.py --build BUILD_DIR [--seed N]
"""

import os
import sys

TEST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kills_test.py")

if __name__ == "__main__":
    os.execv(sys.executable, [sys.executable, TEST, "--cycles", "1000", *sys.argv[1:]])
