// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include "support.hpp"

#include <asio/io_context.hpp>
#include <asio/thread_pool.hpp>
#include <catch2/catch_test_macros.hpp>
#include <future>
#include <optional>
#include <string>
#include <utility>

// Python is the host, as it is for an extension module: nobody made a python::interpreter, and Python ends when it
// likes.

using namespace python_test;

namespace {

// Python as its own program runs it: this thread holds the GIL.
class host {
 public:
  host() { Py_InitializeEx(0); }
  host(const host&) = delete;
  host& operator=(const host&) = delete;
  ~host() { exit(); }

  void exit() {
    if (Py_IsInitialized()) Py_FinalizeEx();
  }
};

python::detail::object run(const char* source, const char* name) {
  PyObject* globals = PyModule_GetDict(PyImport_AddModule("__main__"));
  python::detail::checked(PyRun_String(source, Py_file_input, globals, globals));
  return python::detail::object::share(PyDict_GetItemString(globals, name));
}

class without_gil {
 public:
  without_gil() = default;
  without_gil(const without_gil&) = delete;
  without_gil& operator=(const without_gil&) = delete;
  ~without_gil() { PyEval_RestoreThread(state_); }

 private:
  PyThreadState* state_ = PyEval_SaveThread();
};

constexpr auto echo = "def echo(request): return request\n";

}  // namespace

TEST_CASE("an app is made of an object at hand", "[python][hosted]") {
  host python;
  const auto function = run(echo, "echo");
  python::callable callable(function.get());
  const without_gil released;
  asio::thread_pool pool(1);
  const asyncres::python_app app(pool, std::move(callable));
  CHECK(ask(app, "object") == "object");
}

TEST_CASE("home may be the thread that Python runs on", "[python][hosted]") {
  host python;
  const auto function = run(echo, "echo");
  asio::io_context context;
  const asyncres::python_app app(context, python::callable(function.get()));
  auto reply = call(app, "main");
  {
    const without_gil released;
    context.run();
  }
  CHECK(to_string(get(std::move(reply))) == "main");
}

TEST_CASE("an object that cannot be called is refused", "[python][hosted]") {
  host python;
  const auto number = run("number = 17\n", "number");
  try {
    python::callable refused(number.get());
    FAIL("taken");
  } catch (const python::error& e) {
    CHECK(e.type() == "TypeError");
    CHECK(std::string(e.what()) == "expected a callable, got int");
  }
  CHECK(PyErr_Occurred() == nullptr);
}

TEST_CASE("an object of a sub-interpreter is refused", "[python][hosted]") {
  host python;
  PyThreadState* const first = PyThreadState_Get();
  PyThreadState* const sub = Py_NewInterpreter();
  CHECK_THROWS_AS(python::callable(run(echo, "echo").get()), python::error);
  Py_EndInterpreter(sub);
  PyThreadState_Swap(first);
}

TEST_CASE("a callable owns its object, and gives it back with the GIL held or not", "[python][hosted]") {
  host python;
  // An instance: a free-threaded Python 3.13 counts no references to functions once it has had a second thread.
  const auto function = run("class Echo:\n  def __call__(self, request): return request\necho = Echo()\n", "echo");
  const auto before = Py_REFCNT(function.get());
  std::optional<python::callable> callable(std::in_place, function.get());
  CHECK(Py_REFCNT(function.get()) == before + 1);
  callable.reset();
  CHECK(Py_REFCNT(function.get()) == before);
  callable.emplace(function.get());
  {
    const without_gil released;
    callable.reset();
  }
  CHECK(Py_REFCNT(function.get()) == before);
}

TEST_CASE("after Python's exit its objects are left alone", "[python][hosted]") {
  host python;
  auto function = run(echo, "echo");
  asio::thread_pool pool(1);
  std::optional<asyncres::python_app<asio::thread_pool::executor_type>> app(std::in_place, pool,
                                                                            python::callable(function.get()));
  function = {};
  python::reply reply;
  {
    const without_gil released;
    reply = get(call(*app, "kept"));
  }
  python.exit();
  CHECK(to_string(reply) == "kept");
  CHECK(std::string(error_of(*app).what()) == "the Python interpreter is gone");
  app.reset();
}

TEST_CASE("Python's exit lets the running call finish and fails the queued ones", "[python][hosted]") {
  host python;
  auto function =
      run("import os\ndef wait(request):\n    if request:\n        pause, running = map(int, request.split())\n"
          "        os.write(running, b'.')\n        os.read(pause, 1)\n    return b'done'\n",
          "wait");
  asio::thread_pool pool(1);
  const asyncres::python_app app(pool, python::callable(function.get()));
  function = {};
  event pause, running;
  const auto request = descriptors(pause, running);
  std::future<outcome> first, second;
  {
    const without_gil released;
    first = call(app, request);
    running.wait();
    second = call(app);
  }
  // Registered later than the library's, hence called earlier: exit has begun, and the library has not been told yet.
  run(("import atexit\natexit.register(lambda: os.write(" + std::to_string(pause.write_end()) + ", b'.'))\n").c_str(),
      "atexit");
  python.exit();
  CHECK(to_string(get(std::move(first))) == "done");
  std::string outcome;
  try {
    outcome = to_string(get(std::move(second)));
  } catch (const python::error& e) {
    outcome = e.what();
  }
  CHECK((outcome == "done" || outcome == "the Python interpreter is gone"));
}
