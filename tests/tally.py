"""What test programs have in common that compare with recorded answers: their options, and counting."""
import argparse
import pathlib
import tarfile
import tempfile

from models_test import Runner

ROOT = pathlib.Path(__file__).resolve().parent.parent


def options(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--binary", default=str(ROOT / "build" / "test" / "bin" / "athanor"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--filter", default="", help="only tests whose name contains it")
    return parser.parse_args()


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def test(self, title, check):
        """`check` gives None, or says what is wrong."""
        try:
            problem = check()
        except (RuntimeError, KeyError, ValueError, StopIteration) as error:
            problem = f"{type(error).__name__}: {error}"
        self.passed += problem is None
        self.failed += problem is not None
        if problem is not None:
            print(f"FAIL {title}: {problem}", flush=True)

    def skip(self, title, reason):
        print(f"SKIPPED {title}: {reason}")
        self.skipped += 1

    def end(self):
        """The exit code."""
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped")
        return 1 if self.failed else 0


def check_recorded(description, checks):
    """check(runner, folder, files, name) for every NAME.npz of the recorded files; `checks`: archive -> check. The exit code."""
    settings, tally = options(description), Tally()
    for recorded, check in checks.items():
        with tarfile.open(ROOT / "tests" / "oracles" / f"{recorded}.tar.xz") as archive:
            files = {member.name: archive.extractfile(member).read() for member in archive}
        with tempfile.TemporaryDirectory() as place:
            folder = pathlib.Path(place)
            runner = Runner(settings, folder)
            for file in sorted(files):
                name = file.removesuffix(".npz")
                if name != file and settings.filter in name:
                    tally.test(name, lambda: check(runner, folder, files, name))
    return tally.end()
