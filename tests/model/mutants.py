#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Weakens each explicit memory order of the checked sources once and runs the models.

Works on copies in a temporary folder. A mutant that no model notices is a scenario that is missing
or an order that is stronger than it need be: survivors.txt lists those that are known, with the
reason. Prints the score; fails when a survivor is not listed, or a listed one is caught.

    mutants.py [--jobs N] [--only TEXT]      TEXT: part of "file label", as in "deque.h O2"
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ROOMS = ["lockfree", "sync"]
WRAPPED = ["malloc", "free", "calloc", "realloc", "aligned_alloc", "memcpy", "memmove", "memset",
           "syscall", "clock_gettime", "weft_contract_broken_"]

# Which models look at a file, the quickest first.
CHECKED = {
    "lockfree/deque.h": ["deque"],
    "lockfree/deque.c": ["deque"],
    "lockfree/mpmc_pointer_queue.h": ["mpmc_pointer_queue"],
    "lockfree/mpmc_queue.h": ["mpmc_queue"],
    "lockfree/spsc_queue.h": ["spsc_queue"],
    "sync/eventcount.c": ["eventcount"],
    "sync/park.c": ["park", "eventcount"],
}
SUBJECT = ["lockfree/base.c", "lockfree/deque.c", "lockfree/mpmc_pointer_queue.c",
           "lockfree/mpmc_queue.c", "lockfree/ring_memory.c", "lockfree/spsc_queue.c",
           "sync/deadline.c", "sync/eventcount.c", "sync/park.c", "tests/fifo.c",
           "tests/model/fifo_scenarios.c"]
COMMON = ["-std=c11", "-D_GNU_SOURCE", "-g", "-w"]
HOOKED = ["-O1", "-fsanitize=thread", "-UNDEBUG"]


def weaker(call, order):
    """The orders one step below, for this kind of operation."""
    if order == "seq_cst":
        if "load" in call:
            return ["acquire"]
        return ["release"] if "store" in call else ["acq_rel"]
    return ["acquire", "release"] if order == "acq_rel" else ["relaxed"]


class Mutant:
    def __init__(self, file, text, match, order, call):
        self.file = file
        self.text = text[:match.start(1)] + order + text[match.end(1):]
        labels = re.findall(r"\b([A-Z]\d+)\s+(?:seq_cst|acq_rel|acquire|release)\b",
                            text[:match.start()])
        self.name = "%s %s %s->%s" % (file, labels[-1] if labels else "?", match.group(1), order)
        self.line = text.count("\n", 0, match.start()) + 1
        self.call = call


def mutants_of(file):
    text = (ROOT / file).read_text()
    # Comments keep their length, so that positions stay.
    code = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.S)
    for match in re.finditer(r"memory_order_(seq_cst|acq_rel|acquire|release)\b", code):
        calls = re.findall(r"\b(atomic_\w+)\s*\(", code[:match.start()])
        for order in weaker(calls[-1], match.group(1)):
            yield Mutant(file, text, match, order, calls[-1])


def compile_objects(compiler, root, sources, flags):
    """Returns {source: object}; beside each object is a .d with the files it was made of."""
    objects = {}
    for source in sources:
        target = root / (source.replace("/", "_") + ".o")
        subprocess.run([compiler, *COMMON, *flags, "-MMD", "-I", root / "include", "-c",
                        root / source, "-o", target], check=True)
        objects[source] = target
    return objects


def copy_tree(root):
    (root / "include" / "weft").mkdir(parents=True)
    for room in ROOMS:
        shutil.copytree(ROOT / room, root / room)
        (root / "include" / "weft" / room).symlink_to(root / room)
    (root / "tests" / "model").mkdir(parents=True)
    for file in [*HERE.glob("*.[ch]")]:
        shutil.copy(file, root / "tests" / "model")
    for file in ["fifo.c", "fifo.h"]:
        shutil.copy(HERE.parent / file, root / "tests")


def is_made_of(target, file):
    return re.search(r"/%s\b" % re.escape(file), target.with_suffix(".d").read_text()) is not None


def judge(mutant, compiler, engine, sound):
    """Returns the scenario that caught the mutant, or None."""
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        copy_tree(root)
        (root / mutant.file).write_text(mutant.text)
        affected = [source for source in SUBJECT if is_made_of(sound[source], mutant.file)]
        objects = {**sound, **compile_objects(compiler, root, affected, HOOKED)}
        for model in CHECKED[mutant.file]:
            program = root / ("model_" + model)
            source = "tests/model/model_%s.c" % model
            objects.update(compile_objects(compiler, root, [source], HOOKED))
            subprocess.run([compiler, objects.pop(source), *objects.values(), engine, "-pthread",
                            "-o", program, *["-Wl,--wrap=" + f for f in WRAPPED]], check=True)
            result = subprocess.run([program, "--stop"], capture_output=True, text=True)
            if result.returncode != 0:
                lines = result.stdout.splitlines()
                failed = [line for line in lines if line.startswith("not ok")]
                return failed[0].split(" - ", 1)[1] if failed else "crashed"
    return None


def known_survivors():
    lines = (HERE / "survivors.txt").read_text().splitlines()
    return {line for line in lines if line and not line.startswith(("#", " "))}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", default="")
    parser.add_argument("--cc", default=os.environ.get("CC", "gcc"))
    options = parser.parse_args()
    mutants = [m for file in CHECKED for m in mutants_of(file) if options.only in m.name]
    known = known_survivors()
    bad = caught = 0
    with tempfile.TemporaryDirectory() as name, \
            concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        root = pathlib.Path(name)
        sources = sorted("tests/model/" + f.name for f in HERE.glob("engine_*.c"))
        copy_tree(root)
        objects = compile_objects(options.cc, root, sources, ["-O2"])
        engine = root / "engine.a"
        subprocess.run(["ar", "rcs", engine, *objects.values()], check=True)
        sound = compile_objects(options.cc, root, SUBJECT, HOOKED)
        verdicts = pool.map(lambda m: judge(m, options.cc, engine, sound), mutants)
        for mutant, scenario in zip(mutants, verdicts):
            if scenario:
                caught += 1
                verdict = "caught: " + scenario
            else:
                verdict = "survives, as listed" if mutant.name in known else "SURVIVES"
            if (scenario is None) != (mutant.name in known):
                bad += 1
                if scenario:
                    verdict += " (but survivors.txt says that it survives)"
            print("%s (line %d): %s" % (mutant.name, mutant.line, verdict), flush=True)
    print("%d of %d mutants caught" % (caught, len(mutants)))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
