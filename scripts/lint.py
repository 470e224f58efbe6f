#!/usr/bin/env python3
"""./dev lint: the house rules that a machine can check.

Includes stay inside the rooms' table, files and functions stay short, nothing machine-specific is tracked, kernels
compiled per instruction set leak no weak symbol, sources are formatted, and (with --tidy) clang-tidy is
silent. Prints every finding as FILE:LINE: text and exits 1 when there is one.
"""
import argparse
import concurrent.futures
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
MAX_LINES = 800
MAX_FUNCTION_LINES = 60


def tracked(*patterns):
    names = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in names.stdout.split("\n") if name and (ROOT / name).exists()]


def room_table():
    """The table of cmake/athanor_library.cmake: room -> rooms it may include."""
    text = (ROOT / "cmake" / "athanor_library.cmake").read_text()
    rows = re.findall(r"^set\(ATH_MAY_USE_(\w+)([^)]*)\)", text, re.M)
    return {name: set(uses.split()) | {name} for name, uses in rows}


def reachable(table, room):
    """Tests may also use what their room's libraries stand on."""
    rooms, more = set(), {room}
    while more:
        rooms |= more
        more = {use for name in rooms for use in table[name]} - rooms
    return rooms


def check_includes(sources):
    table = room_table()
    for name in sources:
        parts = name.split("/")
        if parts[0] != "src" or parts[1] not in table:
            continue
        for number, line in enumerate((ROOT / name).read_text().split("\n"), 1):
            found = re.match(r'#include "(\w+)/', line)
            allowed = reachable(table, parts[1]) if name.endswith("_test.cpp") else table[parts[1]]
            if found and found[1] in table and found[1] not in allowed:
                yield f"{name}:{number}: room '{parts[1]}' may not include room '{found[1]}'"


def check_sizes(sources):
    for name in sources:
        count = len((ROOT / name).read_text().split("\n"))
        if count > MAX_LINES:
            yield f"{name}:1: {count} lines; at most {MAX_LINES}"


# Comments, raw strings, strings, characters, preprocessor lines: braces in them mean nothing.
NO_CODE = re.compile(r"""//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|"""
                     r"""(?<!\w)'(?:\\.|[^'\\\n])+'|^[ \t]*#(?:\\\n|[^\n])*""", re.S | re.M)
BODY = re.compile(r"\)\s*(?:const\b|noexcept\b|override\b|final\b|&&?|->[^;{}]*|:[^;]*|\s)*$")


def functions(text):
    """(first line, number of lines) of every function. A table in braces inside one is data: one line."""
    text = NO_CODE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    open_braces, head = [], 0  # per open brace: "function" or "table", else ""
    for at, char in enumerate(text):
        if char == "{":
            before = text[head:at]
            kind = ""
            if "function" in open_braces:
                if open_braces[-1] == "function" and re.search(r"(=|return)\s*$", before):
                    kind, table = "table", at
            # clang-format puts a space before a body and none before the braces of an initialiser.
            elif text[at - 1].isspace() and BODY.search(before) and \
                    "=" not in re.sub(r"\(.*\)|operator\S+", "", before, flags=re.S):
                kind, start, data = "function", at - len(before.lstrip()), 0
            open_braces.append(kind)
        elif char == "}" and open_braces:
            kind = open_braces.pop()
            if kind == "table":
                data += text.count("\n", table, at)
            elif kind == "function":
                yield text.count("\n", 0, start) + 1, text.count("\n", start, at) + 1 - data
        if char in "{};":
            head = at + 1


def check_functions(sources):
    for name in sources:
        for line, count in functions((ROOT / name).read_text()):
            if count > MAX_FUNCTION_LINES:
                yield f"{name}:{line}: a function of {count} lines; at most {MAX_FUNCTION_LINES}"


def check_macros(sources):
    """Four macros exist (style guide); helpers of theirs are named ATH_INTERNAL_."""
    allowed = re.compile(r"ATH_(TRY|RETURN_IF_ERROR|CHECK|EXPORT|INTERNAL_\w+|ISA\w*)\b")
    for name in sources:
        if not name.startswith(("src/", "include/")):
            continue
        for number, line in enumerate((ROOT / name).read_text().split("\n"), 1):
            found = re.match(r"#\s*define\s+(\w+)(\(|\s+\S)", line)
            if found and not allowed.match(found[1]) and not found[1].startswith("HWY_"):
                yield f"{name}:{number}: macro {found[1]}; there is no fifth macro"


def check_switches(sources):
    for name in sources:
        for number, line in enumerate((ROOT / name).read_text().split("\n"), 1):
            if name.startswith("src/") and re.search(r"switch \(.*\bop(_type|->name|\.name)\b", line):
                yield f"{name}:{number}: switch over operators; a field is missing in OpDef"


def check_text(sources):
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    paths = re.compile(r"(^|[^\w.])/(work|farm)/")
    for name in sources:
        if name == "scripts/lint.py":
            continue
        try:
            text = (ROOT / name).read_text()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.split("\n"), 1):
            if marks.search(line):
                yield f"{name}:{number}: unfinished work is marked; finish it or file an issue"
            if paths.search(line):
                yield f"{name}:{number}: names a path of one machine"


def check_format(sources):
    for begin in range(0, len(sources), 64):
        run = subprocess.run(["clang-format-16", "--dry-run", *sources[begin:begin + 64]], cwd=ROOT,
                             capture_output=True, text=True, check=False)
        files = sorted(set(re.findall(r"^(\S+?):\d+:\d+: warning", run.stderr, re.M)))
        for name in files:
            yield f"{name}:1: not formatted; ./dev fmt"


def check_catalog():
    lines = [line for line in (ROOT / "src/ops/catalog.txt").read_text().split("\n") if line]
    if lines != sorted(set(lines)):
        yield "src/ops/catalog.txt:1: lines are not sorted or not unique"


def check_room_cards():
    for folder in sorted((ROOT / "src").iterdir()):
        card = folder / "README.md"
        if folder.is_dir() and not card.exists():
            yield f"{card.relative_to(ROOT)}:1: the room has no card"
        elif folder.is_dir() and len(card.read_text().split("\n")) > 26:
            yield f"{card.relative_to(ROOT)}:1: a room card has at most 25 lines"


def check_weak_symbols(build):
    """A weak symbol outside its instruction set's namespace could be picked by the linker for everyone."""
    objects = sorted(build.glob("src/*/CMakeFiles/athanor_*_avx*/**/*.o"))
    if not objects:
        print("lint: weak symbols were not checked: build the dev preset first")
    for path in objects:
        room, isa = re.search(r"athanor_(\w+)_(\w+)\.dir", str(path)).groups()
        run = subprocess.run(["nm", "-C", path], capture_output=True, text=True, check=True)
        for line in run.stdout.split("\n"):
            found = re.match(r"[0-9a-f]+ [WVu] (.*)", line)
            if found and f"athanor::{room}::{isa}" not in found[1] and f"::N_{isa.upper()}" not in found[1]:
                yield f"{path.name} ({isa}):1: weak symbol {found[1]}"


def includers(sources, headers):
    """The sources that include one of the headers, directly or through others."""
    texts = {name: (ROOT / name).read_text() for name in sources}
    reached, more = set(), set(headers)
    while more:
        reached |= more
        lines = [f'#include "{name.removeprefix("src/")}"' for name in more if name.endswith(".h")]
        more = {name for name, text in texts.items() if any(line in text for line in lines)} - reached
    return reached


def tidy_units(sources, base):
    """What clang-tidy reads: every source that is built, or those that what changed since `base` reaches."""
    units = [name for name in sources if name.endswith(".cpp") and name.startswith("src/")
             and not name.endswith((".isa.cpp", "_fuzz.cpp", "_test.cpp"))]
    if not base:
        return units
    diff = subprocess.run(["git", "diff", "--name-only", base], cwd=ROOT, capture_output=True, text=True, check=True)
    reached = includers(sources, diff.stdout.split())
    return [name for name in units if name in reached]


def check_tidy(build, units, jobs):
    """Files are checked one by one, `jobs` at a time; a file that cannot be checked is a finding too."""
    def tidy(name):
        run = subprocess.run(["clang-tidy-16", "-p", build, "--quiet", name], cwd=ROOT, capture_output=True,
                             text=True, check=False)
        found = re.findall(r"^(\S+?:\d+:\d+: (?:warning|error): .*)$", run.stdout, re.M)
        if run.returncode != 0 and not found:
            found = [f"{name}:1: clang-tidy failed: {run.stderr.strip()[-200:]}"]
        return [line.removeprefix(f"{ROOT}/") for line in found]

    findings = set()
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for done, (name, found) in enumerate(zip(units, pool.map(tidy, units)), 1):
            print(f"[{done}/{len(units)}] {name}", file=sys.stderr, flush=True)
            findings.update(found)
    yield from sorted(findings)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tidy", action="store_true", help="run clang-tidy too (minutes)")
    parser.add_argument("--changed", metavar="BASE", help="tidy only what changes since this commit reach")
    parser.add_argument("--jobs", type=int, default=2, help="how many clang-tidy run at a time")
    parser.add_argument("--build", default="build/dev", help="build folder for nm and clang-tidy")
    options = parser.parse_args()
    sources = tracked("*.cpp", "*.h", "*.hpp", "*.c")
    scripts = tracked("*.py", "*.js", "*.mjs", "*.ts", "*.sh", "dev", "test", "quickstart")
    findings = [*check_includes(sources), *check_sizes(sources + scripts), *check_functions(sources),
                *check_macros(sources),
                *check_switches(sources), *check_text(tracked()), *check_format(sources), *check_catalog(),
                *check_room_cards(), *check_weak_symbols(ROOT / options.build)]
    if options.tidy:
        findings += check_tidy(options.build, tidy_units(sources, options.changed), options.jobs)
    print("\n".join(findings) if findings else "lint: nothing to say")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
