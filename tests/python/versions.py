#!/usr/bin/env python3
# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""The tests of async_resource::python with every CPython at hand.

    tests/python/versions.py                            those of pyenv, the system's, and a free-threaded one
    tests/python/versions.py 3.8 3.13                   some
    tests/python/versions.py --python PATH              one more, by its executable
    tests/python/versions.py --files 'policies|call'    some test files: three minutes a version for all of them

A free-threaded CPython is built once, in build/python-free-threaded, from the source package of the newest suite that
has one (as apt fetches it, no other place), which takes some minutes.
"""

import argparse
import glob
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FREE_THREADED = os.path.join(ROOT, "build", "python-free-threaded")
SUITES = ["trixie", "forky", "sid"]
SUPPORT = os.path.join(ROOT, "tests", "support")
TSAN_SUPPRESSIONS = os.path.join(ROOT, "build", "tsan.python.supp")  # of both files: it takes one
SANITIZERS = {
    "LSAN_OPTIONS": f"suppressions={SUPPORT}/lsan.supp:print_suppressions=0",
    "TSAN_OPTIONS": f"halt_on_error=1:suppressions={TSAN_SUPPRESSIONS}",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}
ASK = "import sys, sysconfig; print('%d.%d.%d%s' % (*sys.version_info[:3], 't' * bool(sysconfig.get_config_var('Py_GIL_DISABLED'))))"


class Failure(Exception):
    """Its text is the line that says what is wrong."""


def output_of(*command, cwd=ROOT, log=None):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env={**SANITIZERS, **os.environ})
    if log:
        with open(log, "a") as file:
            file.write(done.stdout + done.stderr)
    if done.returncode != 0:
        text = (done.stdout + done.stderr).strip() or "no output"
        telling = re.findall("^.*tests passed.*$", text, re.M) or re.findall("(?i)^.*error.*$", text, re.M)
        telling += text.splitlines()[-1:]
        raise Failure(f"{command[0]}: {telling[0]}" + (f" (see {log})" if log else ""))
    return done.stdout


def version_of(python):
    return output_of(python, "-c", ASK).strip()


def at_hand():
    found = {}
    pyenv = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    candidates = glob.glob(os.path.join(pyenv, "versions", "3.*", "bin", "python3"))
    for python in [*candidates, "/usr/bin/python3", os.path.join(FREE_THREADED, "bin", "python3")]:
        if os.path.exists(python):
            version = version_of(python)
            if tuple(map(int, version.rstrip("t").split(".")[:2])) >= (3, 8):
                found.setdefault(version, python)
    return found


def apt_mirror():
    """Where this machine's own apt gets Debian from."""
    for line in output_of("apt-get", "indextargets", "--format", "$(SITE)|$(LABEL)", "Created-By: Packages").splitlines():
        site, label = line.split("|")
        if label == "Debian":
            return site
    raise Failure("apt-get knows no Debian mirror")


def fetch_source(folder):
    """CPython's source, of the newest suite that still has it; its archive."""
    os.makedirs(os.path.join(folder, "lists", "partial"), exist_ok=True)
    mirror = apt_mirror()
    for suite in reversed(SUITES):
        with open(os.path.join(folder, "sources.list"), "w") as file:
            file.write(f"deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {mirror} {suite} main\n")
        apt = ["apt-get", "-o", f"Dir::Etc::sourcelist={folder}/sources.list", "-o", "Dir::Etc::sourceparts=/dev/null",
               "-o", f"Dir::State::Lists={folder}/lists", "-o", "Acquire::Check-Valid-Until=false"]
        try:
            output_of(*apt, "update", cwd=folder)
            packages = re.findall(r"^Package: (python3\.\d+)$", output_of("apt-cache", *apt[1:], "dumpavail"), re.M)
        except Failure:
            continue
        newest = sorted(set(packages) | {"python3.14", "python3.13"}, key=lambda name: int(name.split(".")[1]))
        for package in reversed(newest):
            try:
                output_of(*apt, "source", "--download-only", package, cwd=folder)
            except Failure:
                continue
            return glob.glob(os.path.join(folder, package + "_*.orig.tar.xz"))[0]
    raise Failure("no suite has CPython's source")


def build_free_threaded():
    os.makedirs(FREE_THREADED, exist_ok=True)
    log = os.path.join(FREE_THREADED, "build.log")
    source = os.path.join(FREE_THREADED, "source")
    os.makedirs(source, exist_ok=True)
    output_of("tar", "-xf", fetch_source(FREE_THREADED), "--strip-components=1", "-C", source)
    output_of("./configure", "--disable-gil", "--enable-shared", f"--prefix={FREE_THREADED}",
              f"LDFLAGS=-Wl,-rpath,{FREE_THREADED}/lib", cwd=source, log=log)
    output_of("make", f"-j{os.cpu_count()}", cwd=source, log=log)
    output_of("make", "install", cwd=source, log=log)


def write_suppressions():
    os.makedirs(os.path.dirname(TSAN_SUPPRESSIONS), exist_ok=True)
    with open(TSAN_SUPPRESSIONS, "w") as all_of_them:
        for name in ("tsan.supp", "tsan.python.supp"):
            with open(os.path.join(SUPPORT, name)) as some:
                all_of_them.write(some.read())


def test(version, python, options):
    folder = os.path.join(ROOT, "build", "python-" + version)
    os.makedirs(folder, exist_ok=True)
    log = os.path.join(folder, "test.log")
    open(log, "w").close()
    output_of("cmake", "--preset", options.preset, "-B", folder, f"-DPython3_EXECUTABLE={python}",
              f"-DASYNC_RESOURCE_TEST_FILES={options.files}", "-DASYNC_RESOURCE_BUILD_EXAMPLES=OFF",
              "-DCMAKE_VERIFY_INTERFACE_HEADER_SETS=OFF", log=log)
    target = "async_resource_python_tests"
    output_of("cmake", "--build", folder, f"-j{os.cpu_count()}", "--target", target, log=log)
    # A process for each case: some of CPython's own modules do not come back when an interpreter does.
    told = output_of("ctest", "--test-dir", folder, "-L", target, "--no-tests=error", "--output-on-failure",
                     f"-j{os.cpu_count()}", log=log)
    return re.search(r"^.*tests passed.*$", told, re.M).group()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("versions", nargs="*", metavar="VERSION", help="3.12, say; with a t: free-threaded")
    parser.add_argument("--python", action="append", default=[], metavar="PATH", help="one more Python")
    parser.add_argument("--files", default=".*", metavar="REGEX", help="test files, by name")
    parser.add_argument("--preset", default="dev", help="dev, clang, asan-ubsan or tsan (dev)")
    parser.add_argument("--no-free-threaded", action="store_true", help="do not build a free-threaded CPython")
    options = parser.parse_args()
    try:
        if not options.versions and not options.no_free_threaded and not os.path.exists(FREE_THREADED + "/bin/python3"):
            print("building a free-threaded CPython", flush=True)
            build_free_threaded()
        found = {**at_hand(), **{version_of(python): python for python in options.python}}
    except Failure as failure:
        sys.exit(f"versions.py: {failure}")
    wanted = {version: python for version, python in found.items()
              if not options.versions or any(version == each or version.startswith(each + ".") for each in options.versions)}
    if not wanted:
        sys.exit("versions.py: no such Python; there are " + ", ".join(found))
    write_suppressions()
    failed = False
    for version, python in sorted(wanted.items(), key=lambda item: [int(part) for part in item[0].rstrip("t").split(".")]):
        print(f"{version:9}", end="", flush=True)
        try:
            print(test(version, python, options), flush=True)
        except Failure as failure:
            failed = True
            print(failure, flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
