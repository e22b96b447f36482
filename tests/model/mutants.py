#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Weakens each explicit memory order of lockfree/, sync/ and pool/ once and runs the models.

Neither the tree nor a copy of it is changed: the models of a build are told at which of their calls
an order is to be taken for a weaker one. A mutant that no model notices is a scenario that is
missing or an order that is stronger than it need be: survivors.txt lists those that are known, with
the reason. Prints the score; fails when a survivor is not listed, or a listed one is caught.

    mutants.py BUILD [--jobs N] [--only TEXT] [--patient]
        TEXT: part of "file label", as in "deque.h O2"
        --patient: explore to the end also for survivors that are listed; else for a moment only
"""

import argparse
import collections
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ROOMS = ["lockfree", "pool", "sync"]
# Seconds for each scenario, round by round: most mutants are caught at once, by one scenario or
# another. None is to the end.
ROUNDS = [0.02, 0.3, None]
ROUNDS_IF_LISTED = [0.05]
# Models of the checker, not of a structure.
NOT_OF_THINGS = {"model_litmus", "model_seeded"}


def weaker(operation, order):
    """The orders one step below, for this kind of operation."""
    if order == "seq_cst":
        return {"load": ["acquire"], "store": ["release"]}.get(operation, ["acq_rel"])
    return ["acquire", "release"] if order == "acq_rel" else ["relaxed"]


class Mutant:
    """One order of one call: where it stands, and what it becomes."""

    def __init__(self, file, label, call, order, becomes):
        self.file = file
        self.name = f"{file} {label} {order}->{becomes}"
        self.call = call
        self.becomes = becomes


Call = collections.namedtuple("Call", "operation first last failure")


def call_around(code, position):
    """The atomic call in whose arguments this position is, or None."""
    starts = list(re.finditer(r"\batomic_(\w+?)(?:_explicit)?\s*\(", code[:position]))
    if not starts:
        return None
    start = starts[-1]
    depth, end = 1, start.end()
    while depth > 0:
        depth += {"(": 1, ")": -1}.get(code[end], 0)
        end += 1
    orders = [m.start() + start.end() for m in
              re.finditer(r"\bmemory_order_\w+", code[start.end():end])]
    return Call(start.group(1), code.count("\n", 0, start.start()) + 1,
                code.count("\n", 0, end) + 1, len(orders) > 1 and position == orders[1])


def mutants_of(file):
    text = (ROOT / file).read_text()
    # Comments keep their length, so that positions stay.
    code = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.S)
    for match in re.finditer(r"memory_order_(seq_cst|acq_rel|acquire|release)\b", code):
        labels = re.findall(r"\b([A-Z]+\d+)\s+(?:seq_cst|acq_rel|acquire|release)\b",
                            text[:match.start()])
        call = call_around(code, match.start())
        if call is None:
            continue
        for order in weaker(call.operation, match.group(1)):
            yield Mutant(file, labels[-1] if labels else "?", call, match.group(1), order)


def output_of(*command, text=None):
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


class Model:
    """A program, and where in it the calls of the checked sources are."""

    def __init__(self, program):
        self.program = program
        self.name = program.name
        calls = self._calls()
        places = output_of("addr2line", "-a", "-i", "-e", program,
                           text="".join(f"{address - 1:#x}\n" for address, _ in calls))
        blocks = re.split(r"^0x[0-9a-f]+\n", places, flags=re.M)[1:]
        base = [int(line.split()[0], 16) for line in output_of("nm", program).splitlines()
                if line.endswith(" __executable_start")][0]
        self.sites = collections.defaultdict(list)
        self.files = set()
        for (address, operation), block in zip(calls, blocks):
            # The innermost of the inlined functions is where the call stands.
            place = re.match(r"(?:.*/)?(\S+):(\d+)", block)
            if place:
                self.sites[place.group(1), int(place.group(2)), operation].append(address - base)
                self.files.add(place.group(1))

    def _calls(self):
        """(return address, operation) of each call of a hook for atomics."""
        calls, operation = [], None
        for line in output_of("objdump", "-d", "--no-show-raw-insn", self.program).splitlines():
            instruction = re.match(r"\s+([0-9a-f]+):\t", line)
            if not instruction:
                continue
            if operation:
                calls.append((int(instruction.group(1), 16), operation))
            hook = re.search(r"\s<__tsan_atomic(?:\d+)?_(\w+)>$", line)
            operation = hook and hook.group(1).replace("exchange_val", "exchange_strong")
        return calls

    def sites_of(self, mutant):
        name = pathlib.Path(mutant.file).name
        # A call is at its first line, but compilers take a later one now and then.
        for line in range(mutant.call.first, mutant.call.last + 1):
            sites = self.sites.get((name, line, mutant.call.operation))
            if sites:
                return sites
        return []

    def catches(self, mutant, seconds):
        """The scenario that does not do what it should, or None."""
        where = ",".join(f"{site:x}" for site in self.sites_of(mutant))
        kind = "failure:" if mutant.call.failure else ""
        limit = ["--seconds", str(seconds)] if seconds else []
        result = subprocess.run([self.program, "--stop", *limit, "--weaken",
                                 f"{where}={kind}{mutant.becomes}"],
                                capture_output=True, text=True, check=False)
        if result.returncode == 0:
            return None
        failed = re.search(r"^not ok \d+ - (.*)", result.stdout, flags=re.M)
        return failed.group(1) if failed else "crashed"


def judge(mutant, models, rounds):
    """Returns the scenario that caught the mutant, or None."""
    looking = [model for model in models if model.sites_of(mutant)]
    # That of the thing itself is the likeliest.
    looking.sort(key=lambda model: model.name != "model_" + pathlib.Path(mutant.file).stem)
    for seconds in rounds if looking else []:
        for model in looking:
            scenario = model.catches(mutant, seconds)
            if scenario:
                return scenario
    return None


def known_survivors():
    lines = (HERE / "survivors.txt").read_text().splitlines()
    return {line for line in lines if line and not line.startswith(("#", " "))}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", default="")
    parser.add_argument("--patient", action="store_true")
    options = parser.parse_args()
    files = sorted(str(path.relative_to(ROOT)) for room in ROOMS
                   for path in (ROOT / room).glob("*.[ch]"))
    mutants = [m for file in files for m in mutants_of(file) if options.only in m.name]
    known = known_survivors()
    stale = set() if options.only else known - {mutant.name for mutant in mutants}
    for name in sorted(stale):
        print(f"{name}: listed in survivors.txt, but there is no such order")
    bad, caught = len(stale), 0
    programs = sorted(path for path in (options.build / "tests" / "model").glob("model_*")
                      if os.access(path, os.X_OK) and path.is_file())
    models = [Model(path.resolve()) for path in programs if path.name not in NOT_OF_THINGS]

    def verdict(mutant):
        impatient = mutant.name in known and not options.patient
        return judge(mutant, models, ROUNDS_IF_LISTED if impatient else ROUNDS)

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for mutant, scenario in zip(mutants, pool.map(verdict, mutants)):
            listed = mutant.name in known
            caught += scenario is not None
            bad += (scenario is None) != listed
            if scenario:
                text = "caught: " + scenario
                text += " (but survivors.txt says that it survives)" if listed else ""
            else:
                text = "survives, as listed" if listed else "SURVIVES"
                if not any(model.sites_of(mutant) for model in models):
                    text += ", for no model has this call"
            print(f"{mutant.name} (line {mutant.call.first}): {text}", flush=True)
    print(f"{caught} of {len(mutants)} mutants caught")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
