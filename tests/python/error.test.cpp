// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include "support.hpp"

#include <asio/thread_pool.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <exception>
#include <optional>
#include <string>
#include <type_traits>

using namespace python_test;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::EndsWith;
using Catch::Matchers::StartsWith;

static_assert(std::is_base_of_v<std::runtime_error, python::error>);
static_assert(std::is_nothrow_copy_constructible_v<python::error>);
static_assert(std::is_nothrow_copy_assignable_v<python::error>);

namespace {

// What becomes of a callable with this body.
python::error error_of_body(const std::string& body, const std::string& before = {}) {
  environment world(before + "\ndef run(request):\n    " + body + "\n");
  asio::thread_pool pool(1);
  const asyncres::python_app app(pool, world.python(), "app:run");
  return error_of(app);
}

}  // namespace

TEST_CASE("a raising callable gives its caller type, message and traceback", "[python][error]") {
  const auto e = error_of_body("raise ValueError('no such thing')");
  CHECK(e.type() == "ValueError");
  CHECK(std::string(e.what()) == "no such thing");
  CHECK_THAT(e.traceback(), StartsWith("Traceback (most recent call last):\n"));
  CHECK_THAT(e.traceback(), ContainsSubstring("app.py\", line 3, in run"));
  CHECK_THAT(e.traceback(), EndsWith("ValueError: no such thing\n"));
}

TEST_CASE("a traceback has the causes too", "[python][error]") {
  const auto e =
      error_of_body("try:\n        {}['key']\n    except KeyError as e:\n        raise OSError(5, 'io') from e");
  CHECK(e.type() == "OSError");
  CHECK(std::string(e.what()) == "[Errno 5] io");
  CHECK_THAT(e.traceback(), ContainsSubstring("KeyError: 'key'"));
  CHECK_THAT(e.traceback(), ContainsSubstring("direct cause"));
}

TEST_CASE("the type is the name of the class, wherever it comes from", "[python][error]") {
  CHECK(error_of_body("import json; json.loads('{')").type() == "JSONDecodeError");
  CHECK(error_of_body("raise Mine('x')", "class Mine(Exception): pass").type() == "Mine");
  CHECK(error_of_body("import zlib; zlib.decompress(b'x')").type() == "error");
  CHECK(error_of_body("raise type('dotted.name', (Exception,), {})").type() == "dotted.name");
}

TEST_CASE("SystemExit and KeyboardInterrupt are errors and end nothing", "[python][error]") {
  environment world("def run(request):\n    exec(request)\n    return b'alive'\n");
  asio::thread_pool pool(1);
  const asyncres::python_app app(pool, world.python(), "app:run");
  CHECK(error_of(app, "import sys; sys.exit(3)").type() == "SystemExit");
  CHECK(error_of(app, "raise KeyboardInterrupt").type() == "KeyboardInterrupt");
  CHECK(error_of(app, "raise BaseException('base')").type() == "BaseException");
  CHECK(ask(app) == "alive");
}

TEST_CASE("an exception that cannot be turned into text is an error still", "[python][error]") {
  const std::string broken = "class Broken(Exception):\n    def __str__(self): raise RuntimeError('in str')\n";
  const auto e = error_of_body("raise Broken", broken);
  CHECK(e.type() == "Broken");
  CHECK(std::string(e.what()) == "<exception str() failed>");
  CHECK_THAT(e.traceback(), ContainsSubstring("in run"));
}

TEST_CASE("an exception whose str() exits does not exit", "[python][error]") {
  const auto e = error_of_body("raise Exits", "class Exits(Exception):\n    def __str__(self): raise SystemExit(7)\n");
  CHECK(e.type() == "Exits");
  CHECK(std::string(e.what()) == "<exception str() failed>");
}

TEST_CASE("endless recursion is an error", "[python][error]") {
  const auto e = error_of_body("return run(request)");
  CHECK(e.type() == "RecursionError");
  CHECK_THAT(e.traceback(), ContainsSubstring("in run"));
}

TEST_CASE("an exception whose str() recurses without end is an error still", "[python][error]") {
  const auto e = error_of_body("raise Deep", "class Deep(Exception):\n    def __str__(self): return str(self)\n");
  CHECK(e.type() == "Deep");
}

TEST_CASE("lack of memory is an error", "[python][error]") {
  CHECK(error_of_body("import sys; [0] * sys.maxsize").type() == "MemoryError");
}

TEST_CASE("a broken traceback module does not hide the error", "[python][error]") {
  const auto e = error_of_body("import sys; sys.modules['traceback'] = None; raise ValueError('still here')");
  CHECK(e.type() == "ValueError");
  CHECK(std::string(e.what()) == "still here");
  CHECK(e.traceback() == "<traceback.format_exception() failed>\n");
}

TEST_CASE("an error's text is UTF-8, whatever Python has in it", "[python][error]") {
  CHECK(std::string(error_of_body("raise ValueError('caf\\u00e9')").what()) == "caf\xC3\xA9");
  CHECK(std::string(error_of_body("raise ValueError('\\ud800')").what()) == "\\ud800");
}

TEST_CASE("an error outlives its interpreter, and is copied anywhere", "[python][error]") {
  const python::error e = error_of_body("raise ValueError('kept')");
  python::error copy = e;
  {
    environment world("def run(request): return request\n");
    copy = python::error("X", "other");
    copy = e;
  }
  CHECK(copy.type() == "ValueError");
  CHECK(std::string(copy.what()) == "kept");
  CHECK(copy.traceback() == e.traceback());
}

TEST_CASE("a wrong return type is a TypeError that says what was expected and what came", "[python][error]") {
  for (const auto& [value, type] : {std::pair{"'text'", "str"}, {"None", "NoneType"}, {"17", "int"}}) {
    const auto e = error_of_body(std::string("return ") + value);
    CHECK(e.type() == "TypeError");
    CHECK(std::string(e.what()) == std::string("expected bytes from the callable, got ") + type);
  }
}

TEST_CASE("an error leaves the callable as it was", "[python][error]") {
  environment world(R"(
calls = 0
def run(request):
    global calls
    calls += 1
    if request: raise ValueError(request)
    return str(calls).encode()
)");
  asio::thread_pool pool(1);
  const asyncres::python_app app(pool, world.python(), "app:run");
  for (int i = 0; i < 10; ++i) error_of(app, "x");
  CHECK(ask(app) == "11");
}
