#!/usr/bin/env python3
# Copyright (c) 2026 The async_resource authors
# Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
# https://www.boost.org/LICENSE_1_0.txt)

"""The tests of async_resource::python, and of the extension module, with every CPython at hand.

    tests/python/versions.py                            those of pyenv, the system's, and a free-threaded one
    tests/python/versions.py 3.8 3.13                   some
    tests/python/versions.py --python PATH              one more, by its executable
    tests/python/versions.py --suite sid                those of another Debian suite, with its compiler
    tests/python/versions.py --files 'policies|call'    some test files: three minutes a version for all of them

A free-threaded CPython is built once, in build/python-free-threaded, from the source package of the newest suite that
has one (as apt fetches it, no other place), which takes some minutes. A suite is a chroot, made once by debootstrap, as
root, in build/python-SUITE; what is tested there is a copy of what git has listed here.
"""

import argparse
import glob
import os
import re
import shutil
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
IN_A_CHROOT = ["apt", "ca-certificates", "cmake", "g++", "make", "python3"]
ASK = """
import sys, sysconfig
print("%d.%d.%d%s" % (*sys.version_info[:3], "t" * bool(sysconfig.get_config_var("Py_GIL_DISABLED"))))
"""


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


def in_order(version):
    return [int(part) for part in version.rstrip("t").split(".")]


def is_wanted(version, versions):
    return not versions or any(version == each or version.startswith(each + ".") for each in versions)


def has_headers(python):
    folder = output_of(python, "-c", "import sysconfig; print(sysconfig.get_path('include'))").strip()
    return os.path.exists(os.path.join(folder, "Python.h"))


def at_hand():
    found = {}
    pyenv = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    candidates = glob.glob(os.path.join(pyenv, "versions", "3.*", "bin", "python3"))
    candidates += ["/usr/bin/python3", os.path.join(FREE_THREADED, "bin", "python3")]
    candidates += [path for path in glob.glob("/usr/bin/python3.*") if re.search(r"/python3\.\d+$", path)]
    for python in candidates:
        if os.path.exists(python) and has_headers(python):
            version = version_of(python)
            if in_order(version) >= [3, 8]:
                found.setdefault(version, python)
    return found


def apt_mirror():
    """Where this machine's own apt gets Debian from."""
    targets = output_of("apt-get", "indextargets", "--format", "$(SITE)|$(LABEL)", "Created-By: Packages")
    for line in targets.splitlines():
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


def make_chroot(suite, folder):
    """With every CPython that the suite has."""
    log = folder + ".log"
    if not os.path.exists(os.path.join(folder, "usr", "bin", "g++")):
        print(f"making a chroot of {suite}", flush=True)
        output_of("debootstrap", "--variant=minbase", "--include=" + ",".join(IN_A_CHROOT), suite, folder, apt_mirror(),
                  log=log)
    apt = ["chroot", folder, "apt-get", "-o", "Acquire::Check-Valid-Until=false"]
    output_of(*apt, "update", log=log)
    names = output_of("chroot", folder, "apt-cache", "pkgnames", "python3.").split()
    headers = [name for name in names if re.fullmatch(r"python3\.\d+-dev", name)]
    output_of(*apt, "install", "--yes", "--no-install-recommends", "python3-pytest", *headers, log=log)


def copy_sources(copy):
    """What git has listed here, and nothing else but what is built there. What has not changed keeps its time."""
    listed = output_of("git", "ls-files", "-z").split("\0")[:-1]
    listed = {name for name in listed if os.path.exists(os.path.join(ROOT, name))}
    for folder, folders, files in os.walk(copy):
        if folder == copy and "build" in folders:
            folders.remove("build")
        for path in (os.path.join(folder, file) for file in files):
            if os.path.relpath(path, copy) not in listed:
                os.remove(path)
    for name in listed:
        os.makedirs(os.path.dirname(os.path.join(copy, name)), exist_ok=True)
        shutil.copy2(os.path.join(ROOT, name), os.path.join(copy, name))


def test_in_chroot(suite, arguments):
    """The exit status of this script there."""
    folder = os.path.join(ROOT, "build", "python-" + suite)
    copy = os.path.join(folder, "async_resource")
    make_chroot(suite, folder)
    copy_sources(copy)
    dependencies = os.path.join(ROOT, "build", "dependencies")
    if os.path.exists(dependencies):
        shutil.copytree(dependencies, os.path.join(copy, "build", "dependencies"), dirs_exist_ok=True)
    processes = os.path.join(folder, "proc")
    output_of("mount", "-t", "proc", "proc", processes)
    try:
        return subprocess.call(["chroot", folder, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
                                "/async_resource/tests/python/versions.py", "--no-free-threaded", *arguments])
    finally:
        output_of("umount", "--lazy", processes)  # whoever may be looking at it


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
              f"-DASYNC_RESOURCE_TEST_FILES={options.files}", "-DASYNC_RESOURCE_BUILD_EXAMPLES=ON",
              "-DCMAKE_VERIFY_INTERFACE_HEADER_SETS=OFF", log=log)
    target, extension_module = "async_resource_python_tests", "async_resource.python.extension_module"
    output_of("cmake", "--build", folder, f"-j{os.cpu_count()}", "--target", target, "async_resource_example_module",
              log=log)
    # A process for each case: some of CPython's own modules do not come back when an interpreter does.
    told = output_of("ctest", "--test-dir", folder, "-L", target, "--no-tests=error", "--output-on-failure",
                     f"-j{os.cpu_count()}", log=log)
    passed = re.search(r"^.*tests passed.*$", told, re.M).group()
    told = output_of("ctest", "--test-dir", folder, "-R", f"^{extension_module}$", "--no-tests=error", "--verbose",
                     log=log)
    module = re.findall(r"(\d+ passed.*?|skipped: .*?)(?: in [\d.]+s.*)?$", told, re.M)[-1]
    return f"{passed}; extension module: {module}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("versions", nargs="*", metavar="VERSION", help="3.12, say; with a t: free-threaded")
    parser.add_argument("--python", action="append", default=[], metavar="PATH",
                        help="one more Python; with --suite one of the chroot")
    parser.add_argument("--files", default=".*", metavar="REGEX", help="test files, by name")
    parser.add_argument("--preset", default="dev", help="dev, clang, asan-ubsan or tsan (dev)")
    parser.add_argument("--suite", metavar="SUITE", help="a Debian suite, sid say: test its Pythons, in a chroot")
    parser.add_argument("--no-free-threaded", action="store_true", help="do not build a free-threaded CPython")
    options = parser.parse_args()
    try:
        if options.suite:
            there = [*options.versions, *(f"--python={path}" for path in options.python), "--files", options.files,
                     "--preset", options.preset]
            sys.exit(test_in_chroot(options.suite, there))
        if not options.versions and not options.no_free_threaded and not os.path.exists(FREE_THREADED + "/bin/python3"):
            print("building a free-threaded CPython", flush=True)
            build_free_threaded()
        found = {**at_hand(), **{version_of(python): python for python in options.python}}
    except Failure as failure:
        sys.exit(f"versions.py: {failure}")
    wanted = sorted((version for version in found if is_wanted(version, options.versions)), key=in_order)
    if not wanted:
        sys.exit("versions.py: no such Python; there are " + ", ".join(found))
    write_suppressions()
    failed = False
    for version in wanted:
        print(f"{version:9}", end="", flush=True)
        try:
            print(test(version, found[version], options), flush=True)
        except Failure as failure:
            failed = True
            print(failure, flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
