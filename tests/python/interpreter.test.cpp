// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include "support.hpp"

#include <signal.h>

#include <array>
#include <asio/packaged_task.hpp>
#include <asio/post.hpp>
#include <asio/thread_pool.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <clocale>
#include <cstddef>
#include <future>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

using namespace python_test;
using Catch::Matchers::ContainsSubstring;

namespace {

// Evaluates an expression and gives its str().
std::string evaluate(python::interpreter& python, const std::string& expression) {
  module_folder folder;
  folder.add("evaluator", "def run(request):\n    import sys, os, signal\n    return str(eval(request)).encode()\n");
  const auto request = "sys.path.insert(0, '" + folder.path() + "')";
  PyGILState_STATE state = PyGILState_Ensure();
  PyRun_SimpleString(("import sys; " + request).c_str());
  PyGILState_Release(state);
  asio::thread_pool pool(1);
  const asyncres::python_app app(pool, python, "evaluator:run");
  return ask(app, expression);
}

}  // namespace

TEST_CASE("the GIL is not held while no call runs", "[python][interpreter]") {
  environment world("def run(request): return request\n");
  CHECK(PyGILState_Check() == 0);

  asio::thread_pool pool(1);
  const asyncres::python_app app(pool, world.python(), "app:run");
  CHECK(ask(app, "hello") == "hello");
  CHECK(wait(asio::post(pool, std::packaged_task<int()>(PyGILState_Check))) == 0);
}

TEST_CASE("Python's own threads run while no call does", "[python][interpreter]") {
  environment world(leaves_a_thread);
  event pause, done;
  asio::thread_pool pool(1);
  const asyncres::python_app app(pool, world.python(), "app:run");
  ask(app, descriptors(pause, done));
  pause.set();
  done.wait();
}

TEST_CASE("an interpreter can be started again after it went down", "[python][interpreter]") {
  for (int round = 0; round < 3; ++round) {
    environment world(
        "count = 0\ndef run(request):\n    global count\n    count += 1\n    return str(count).encode()\n");
    asio::thread_pool pool(1);
    const asyncres::python_app app(pool, world.python(), "app:run");
    CHECK(ask(app) == "1");
    CHECK(ask(app) == "2");
  }
}

TEST_CASE("a thread serves one interpreter after the other", "[python][interpreter]") {
  asio::thread_pool pool(1);
  for (int round = 0; round < 3; ++round) {
    environment world("def run(request): return request\n");
    const asyncres::python_app app(pool, world.python(), "app:run");
    CHECK(ask(app, "again") == "again");
  }
}

TEST_CASE("a second interpreter at the same time is refused", "[python][interpreter]") {
  python::interpreter first;
  CHECK_THROWS_AS(python::interpreter(), std::logic_error);
  CHECK(evaluate(first, "1 + 1") == "2");
}

TEST_CASE("an interpreter in a program whose Python already runs is refused", "[python][interpreter]") {
  Py_InitializeEx(0);
  CHECK_THROWS_AS(python::interpreter(), std::logic_error);
  Py_FinalizeEx();
  CHECK_NOTHROW(python::interpreter());
}

TEST_CASE("an interpreter may go down on another thread than the one that started it", "[python][interpreter]") {
  std::optional<environment> world(std::in_place, "import threading\ndef run(request): return request\n");
  asio::thread_pool pool(1);
  const asyncres::python_app app(pool, world->python(), "app:run");
  CHECK(ask(app, "x") == "x");
  std::thread([&] { world.reset(); }).join();
  world.emplace("def run(request): return request[::-1]\n");
  const asyncres::python_app next(pool, world->python(), "app:run");
  CHECK(ask(next, "ab") == "ba");
}

TEST_CASE("no environment variable changes an interpreter", "[python][interpreter]") {
  const environment_variable home("PYTHONHOME", "/nonexistent");
  const environment_variable path("PYTHONPATH", "/from/the/environment");
  const environment_variable optimise("PYTHONOPTIMIZE", "2");
  const environment_variable programs("PATH", "/nonexistent");
  python::interpreter python;
  CHECK_THAT(evaluate(python, "sys.path"), !ContainsSubstring("/from/the/environment"));
  CHECK(evaluate(python, "sys.flags.optimize") == "0");
}

TEST_CASE("environment variables change an interpreter that asks for it", "[python][interpreter]") {
  const environment_variable path("PYTHONPATH", "/from/the/environment");
  const environment_variable optimise("PYTHONOPTIMIZE", "2");
  const environment_variable develop("PYTHONDEVMODE", "1");
  const environment_variable hash("PYTHONHASHSEED", "0");
  python::interpreter python({.use_environment = true});
  CHECK_THAT(evaluate(python, "sys.path"), ContainsSubstring("/from/the/environment"));
  CHECK(evaluate(python, "sys.flags.optimize") == "2");
  CHECK(evaluate(python, "sys.flags.dev_mode") == "True");
  CHECK(evaluate(python, "sys.flags.hash_randomization") == "0");
}

TEST_CASE("the standard library is the one of the libpython that runs", "[python][interpreter]") {
  python::interpreter python;
  CHECK_THAT(evaluate(python, "os.__file__"),
             ContainsSubstring("python" + std::to_string(PY_MAJOR_VERSION) + '.' + std::to_string(PY_MINOR_VERSION)));
}

TEST_CASE("the folders of the options come first in sys.path, in order", "[python][interpreter]") {
  python::interpreter python({.path = {"/first",
                                       "/s\xC3\xA9"
                                       "cond"}});
  CHECK(evaluate(python, "sys.path[1:3]") ==
        "['/first', '/s\xC3\xA9"
        "cond']");
}

TEST_CASE("the arguments of the options are sys.argv, and nobody parses them", "[python][interpreter]") {
  python::interpreter python({.arguments = {"server", "-c", "raise SystemExit", "--help"}});
  CHECK(evaluate(python, "sys.argv") == "['server', '-c', 'raise SystemExit', '--help']");
}

TEST_CASE("signals and the locale stay the host's", "[python][interpreter]") {
  const std::array signals{SIGINT, SIGTERM, SIGPIPE};
  const auto handlers = [&] {
    std::array<void (*)(int), 3> found{};
    for (std::size_t i = 0; i < signals.size(); ++i) {
      struct sigaction action {};
      sigaction(signals[i], nullptr, &action);
      found[i] = action.sa_handler;
    }
    return found;
  };
  const auto before = handlers();
  const std::string locale = std::setlocale(LC_ALL, nullptr);
  {
    python::interpreter python;
    CHECK(handlers() == before);
    CHECK(std::setlocale(LC_ALL, nullptr) == locale);
    CHECK(evaluate(python, "sys.getfilesystemencoding()") == "utf-8");
  }
  CHECK(handlers() == before);
}
