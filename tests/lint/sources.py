# SPDX-License-Identifier: Apache-2.0
"""What the lints share: the files of the tree as they lie there, and how a lint tells what it found."""
import os
import sys

OUTSIDE = {".git", ".build", ".sandbox", "node_modules", "__pycache__"}


def files(root):
    """Every file of the tree, as paths relative to `root`, without what is built or fetched."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in OUTSIDE)
        for name in sorted(names):
            yield os.path.relpath(os.path.join(folder, name), root)


def text_of(root, path):
    """The file's text, or None when it is no text."""
    with open(os.path.join(root, path), "rb") as file:
        content = file.read()
    try:
        return None if b"\0" in content else content.decode("utf-8")
    except UnicodeDecodeError:
        return None


class Findings:
    def __init__(self):
        self.all = []

    def add(self, place, what):
        self.all.append(f"{place}: {what}")

    def end(self, looked_at):
        """Prints every finding and ends the process; a lint that has looked at nothing has failed."""
        for finding in self.all:
            print(finding)
        print(f"{len(self.all)} findings in {looked_at} places")
        sys.exit(1 if self.all or looked_at == 0 else 0)
