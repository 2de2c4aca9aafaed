#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""inject_test.py with every storage call of the life, with every fault.

    python3 tests/fault/inject_long_test.py --build BUILD_DIR
"""

import os
import sys

TEST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "inject_test.py")

if __name__ == "__main__":
    os.execv(sys.executable, [sys.executable, TEST, "--limit", "0", *sys.argv[1:]])
