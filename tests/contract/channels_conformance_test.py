#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The conformance test of the connector protocol on every channel that we ship, each with the configuration that the
sandbox bank gives it and against the sandbox's outside world.

    python3 tests/contract/channels_conformance_test.py --build BUILD_DIR
"""

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from bank import Bank  # noqa: E402

# Configuration, program, and a delivery that always arrives.
CHANNELS = [
    ("network-a", "connectors/channels/smpp/postern-smpp",
     {"channel": "sms", "address": "380671000001", "text": "Hello", "sender": "SandboxBank"}),
    ("push", "connectors/channels/push/postern-push",
     {"channel": "push", "address": "token-of-C-1001", "subject": "Hello", "text": "Hello"}),
    ("whatsapp", "connectors/channels/messenger/postern-messenger",
     {"channel": "whatsapp", "address": "380671000001", "template": "payment", "language": "en",
      "parameter": [{"name": "p", "value": "1"}]}),
    ("email", "connectors/channels/email/postern-email",
     {"channel": "email", "address": "anna@example.org", "subject": "Hello", "text": "Hello"}),
]


def run(bank, channel):
    name, program, delivery = channel
    done = subprocess.run([sys.executable, os.path.join(HERE, "connector_conformance.py"), "--connector", bank.program(program), "--config",
                           bank.path(f"etc/connectors/{name}.toml"), "--deliver", json.dumps(delivery)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=280, check=False)
    return f"{program}\n{done.stdout}", done.returncode == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    with Bank(parser.parse_args().build) as bank, ThreadPoolExecutor(4) as pool:
        ends = list(pool.map(lambda channel: run(bank, channel), CHANNELS))
    for output, _ in ends:
        print(output, flush=True)
    return 0 if all(good for _, good in ends) else 1


if __name__ == "__main__":
    sys.exit(main())
