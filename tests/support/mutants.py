# SPDX-License-Identifier: Apache-2.0
"""Deliberate faults of the gateway, each kept as a text of a file and what stands there instead: only that file is compiled again, and linked in
front of the libraries of the build. What plays the faulty program has to find it."""
import pathlib
import re
import shlex
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Program:
    """A program of this build, and how the build compiles each file and links it."""

    def __init__(self, build, target, quickly=False):
        self.build, self.target, self.quickly = pathlib.Path(build), target, quickly
        self.listed = subprocess.run(["ninja", "-C", build, "-t", "commands", target], check=True, capture_output=True, text=True).stdout.splitlines()
        self.link = re.sub(r"^: && | && :$", "", next(line for line in self.listed if f" -o {target} " in line))

    @property
    def path(self):
        return self.build / self.target

    def compile_command(self, source, mutated, target):
        command = next(line for line in self.listed if re.search(rf" -c \S*/{re.escape(source)}$", line))
        words, out, skip = shlex.split(command), [], False
        for word in words:
            if skip:
                skip = False
            elif word in ("-MT", "-MF", "-o", "-c"):
                skip = True
            elif word != "-MD":
                out.append(word)
        return out + (["-O0", "-g0", "-U_FORTIFY_SOURCE"] if self.quickly else []) + ["-Wno-error", "-o", str(target), "-c", str(mutated)]

    def mutated(self, edits, folder):
        """The program with a text replaced in each file of `edits` (file, old, new). ValueError says why there is none."""
        folder = pathlib.Path(folder)
        targets = []
        for source, old, new in edits:
            text = (ROOT / source).read_text()
            if text.count(old) != 1:
                raise ValueError(f"its text stands {text.count(old)} times in {source}; mend the list of mutants")
            faulty, target = folder / f"{len(targets)}.cpp", folder / f"{len(targets)}.o"
            faulty.write_text(text.replace(old, new))
            self.run(self.compile_command(source, faulty, target))
            targets.append(str(target))
        words = shlex.split(self.link)
        words[words.index("-o") + 1] = str(folder / "program")
        words[words.index("-o"):words.index("-o")] = targets
        self.run(words)
        return folder / "program"

    def run(self, words):
        made = subprocess.run(words, cwd=self.build, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise ValueError(f"it cannot be built\n{made.stderr[-2000:]}")


def hold(program, mutants, caught):
    """Prints a line for each mutant (name, then file, old text and new text, once or more), and gives how many were not caught. `caught` plays a program and gives
    whether the fault was found, and what was said."""
    faults = 0
    for name, *edits in mutants:
        with tempfile.TemporaryDirectory() as folder:
            try:
                good, said = caught(program.mutated(list(zip(edits[::3], edits[1::3], edits[2::3])), folder))
            except ValueError as why:
                good, said = False, str(why)
        print(f"{'ok  ' if good else 'FAIL'} {name}: {said}", flush=True)
        faults += not good
    print(f"{len(mutants)} mutants, {faults} faults")
    return faults
