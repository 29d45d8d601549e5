// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include "support.hpp"

#include <asio/thread_pool.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <memory>
#include <stdexcept>
#include <string>

using namespace python_test;
using Catch::Matchers::ContainsSubstring;

namespace {

struct world : environment {
  using environment::environment;

  asyncres::python_app<asio::thread_pool::executor_type> app(const std::string& target) {
    return {pool, python(), target};
  }
  python::error load_error(const std::string& target) { return error_of(load(app(target))); }

  asio::thread_pool pool{1};
};

}  // namespace

TEST_CASE("loading reports success", "[python][load]") {
  world w("def run(request): return request\n");
  const auto app = w.app("app:run");
  get(load(app));
  get(load(app));
  CHECK(ask(app, "x") == "x");
}

TEST_CASE("a module is imported at home, at first use", "[python][load]") {
  world w(
      "import threading\nhome = threading.get_ident()\n"
      "def run(request): return str(home == threading.get_ident()).encode()\n");
  w.folder().add("app2", "import sys\ndef run(request): return str('app' in sys.modules).encode()\n");
  const auto first = w.app("app:run");
  const auto second = w.app("app2:run");
  CHECK(ask(second) == "False");
  CHECK(ask(first) == "True");
  CHECK(ask(second) == "True");
}

TEST_CASE("a target may be nested in packages and objects", "[python][load]") {
  world w("class Handler:\n    def run(self, request): return request\nhandler = Handler()\n");
  CHECK(ask(w.app("app:handler.run"), "x") == "x");
  CHECK(ask(w.app("os.path:basename"), "/a/b") == "b");
}

TEST_CASE("any callable will do", "[python][load]") {
  world w("class Handler:\n    def __call__(self, request): return request\nhandler = Handler()\n");
  CHECK(ask(w.app("app:handler"), "x") == "x");
  CHECK(ask(w.app("builtins:bytes"), "x") == "x");
  CHECK(ask(w.app("binascii:hexlify"), "x") == "78");
}

TEST_CASE("a malformed target is refused at once", "[python][load]") {
  world w("");
  for (const auto* target : {"", ":", "app", "app:", ":run", "a:b:c"})
    CHECK_THROWS_AS(w.app(target), std::invalid_argument);
}

TEST_CASE("a module that is not there is an error", "[python][load]") {
  world w("");
  const auto e = w.load_error("no_such_module:run");
  CHECK(e.type() == "ModuleNotFoundError");
  CHECK_THAT(e.what(), ContainsSubstring("no_such_module"));
}

TEST_CASE("an attribute that is not there is an error", "[python][load]") {
  world w("");
  CHECK(w.load_error("app:run").type() == "AttributeError");
  CHECK_THAT(w.load_error("app:run").what(), ContainsSubstring("run"));
  CHECK(w.load_error("sys:path.nothing").type() == "AttributeError");
  CHECK(w.load_error("sys:path.").type() == "AttributeError");
}

TEST_CASE("an attribute that cannot be called is an error", "[python][load]") {
  world w("run = 'text'\n");
  const auto e = w.load_error("app:run");
  CHECK(e.type() == "TypeError");
  CHECK(std::string(e.what()) == "expected a callable, got str");
}

TEST_CASE("a module that fails on import is an error with its traceback", "[python][load]") {
  world w("1 / 0\n");
  const auto e = w.load_error("app:run");
  CHECK(e.type() == "ZeroDivisionError");
  CHECK_THAT(e.traceback(), ContainsSubstring("app.py\", line 1"));
}

TEST_CASE("a module that exits on import ends nothing", "[python][load]") {
  world w("import sys\nsys.exit('no')\n");
  CHECK(w.load_error("app:run").type() == "SystemExit");
}

TEST_CASE("without a load the first call reports import errors, and the next one tries again", "[python][load]") {
  world w(
      "import sys\nif not hasattr(sys, 'ready'):\n    sys.ready = True\n    raise ValueError('not yet')\n"
      "def run(request): return request\n");
  const auto app = w.app("app:run");
  CHECK(std::string(error_of(app).what()) == "not yet");
  CHECK(ask(app, "now") == "now");
}

TEST_CASE("a target that is not UTF-8 is an error", "[python][load]") {
  world w("");
  CHECK(w.load_error("app:\xff").type() == "UnicodeDecodeError");
}
