// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include <async_resource/python.hpp>

#include <asio/thread_pool.hpp>
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <string_view>

#include "support.hpp"

using namespace python_test;
using python::request_type;

namespace {

// One call, in an interpreter of its own.
std::string call_of(std::string_view source, std::string_view request, request_type type = request_type::view) {
  environment world(source);
  asio::thread_pool home(1);
  const asyncres::python_app app(home, world.python(), "app:run", {.request = type});
  try {
    return ask(app, request);
  } catch (const python::error& e) {
    return e.type() + ": " + e.what();
  }
}

// run() keeps something of a request; b'?' asks for what became of it.
std::string kept_by(std::string_view keep) {
  environment world(
      "kept = None\ndef run(request):\n"
      "    global kept\n"
      "    if request == b'?': return bytes(kept[0:1])\n"
      "    kept = " +
      std::string(keep) + "\n    return b'kept'\n");
  asio::thread_pool home(1);
  const asyncres::python_app app(home, world.python(), "app:run", {.request = request_type::view});
  try {
    std::string request = "request";
    CHECK(ask(app, request) == "kept");
    request.assign(request.size(), '!');
    return ask(app, "?");
  } catch (const python::error& e) {
    return e.type();
  }
}

}  // namespace

TEST_CASE("a request is bytes unless a view is asked for", "[python][buffers]") {
  constexpr auto type_name = "def run(request): return type(request).__name__.encode()\n";
  CHECK(call_of(type_name, "x", request_type::bytes) == "bytes");
  CHECK(call_of(type_name, "x", request_type::view) == "memoryview");
}

TEST_CASE("a view is what the caller has, read-only, and may be empty", "[python][buffers]") {
  CHECK(call_of("def run(request): return bytes(request)[::-1]\n", "abc") == "cba");
  CHECK(call_of("def run(request): return b'%d' % len(request)\n", "") == "0");
  CHECK(call_of("def run(request):\n    request[0] = 1\n    return b''\n", "abc") ==
        "TypeError: cannot modify read-only memory");
}

TEST_CASE("a view that is kept, or what was made of it, is an error when it is used", "[python][buffers]") {
  CHECK(kept_by("request") == "ValueError");
  CHECK(kept_by("request[1:]") == "ValueError");
  CHECK(kept_by("memoryview(request)") == "ValueError");
  CHECK(kept_by("request.cast('b')") == "ValueError");
  CHECK(kept_by("bytes(request)") == "r");
  CHECK(kept_by("__import__('array').array('B', request)") == "r");
  CHECK(kept_by("(lambda part: [part, part])(request[1:])") == "TypeError");  // of bytes([part])
}

TEST_CASE("memory that cannot be taken back is an error of the call", "[python][buffers]") {
  CHECK(call_of("import ctypes\nkept = []\ndef run(request):\n    kept.append(PyBuffer(request))\n    return b''\n"
                "class PyBuffer:\n    def __init__(self, view):\n        import io, pickle\n"
                "        self.kept = pickle.PickleBuffer(view)\n",
                "abc")
            .starts_with("BufferError: the callable kept an object that reads the request's memory"));
}

TEST_CASE("an array of NumPy that is a copy may be kept, and one that is not fails the call", "[python][buffers]") {
  constexpr auto keep =
      "try: import numpy\nexcept ImportError: numpy = None\nkept = []\n"
      "def run(request):\n    if numpy is None: return b'no NumPy'\n"
      "    kept.append(eval(bytes(request)))\n    return b'kept'\n";
  environment world(keep);
  asio::thread_pool home(1);
  const asyncres::python_app app(home, world.python(), "app:run", {.request = request_type::view});
  if (ask(app, "0") == "no NumPy") SKIP("without NumPy");
  CHECK(ask(app, "numpy.array(request)") == "kept");
  CHECK(ask(app, "numpy.frombuffer(request, 'B').sum()") == "kept");
  CHECK(error_of(app, "numpy.frombuffer(request, 'B')").type() == "BufferError");
  CHECK(error_of(app, "numpy.asarray(request)").type() == "BufferError");
  CHECK(error_of(app, "memoryview(numpy.asarray(request))").type() == "BufferError");
}

TEST_CASE("a view is taken back from a callable that fails", "[python][buffers]") {
  CHECK(call_of("def run(request):\n    mine = request[1:]\n    raise KeyError('x')\n", "abc") == "KeyError: 'x'");
}

TEST_CASE("a reply is anything with the buffer protocol, in one piece", "[python][buffers]") {
  for (const auto type : {request_type::bytes, request_type::view}) {
    CHECK(call_of("def run(request): return request\n", "abc", type) == "abc");
    CHECK(call_of("def run(request): return memoryview(request)[1:]\n", "abc", type) == "bc");
    CHECK(call_of("def run(request): return bytearray(request)\n", "abc", type) == "abc");
    CHECK(call_of("import array\ndef run(request): return array.array('B', request)\n", "abc", type) == "abc");
    CHECK(call_of("def run(request): return bytes(request) * 100000\n", "abc", type).size() == 300'000);
    CHECK(
        call_of("def run(request): return memoryview(bytes(request))[::2]\n", "abc", type).starts_with("BufferError"));
    CHECK(call_of("def run(request): return 'text'\n", "abc", type) ==
          "TypeError: expected bytes from the callable, got str");
  }
}

TEST_CASE("a reply stays what it was while it is kept", "[python][buffers]") {
  environment world(R"(
last = None
def run(request):
    global last
    if request == b'grow':
        last.extend(b'more')
        return b'grown'
    last = bytearray(request)
    return last
)");
  asio::thread_pool home(1);
  const asyncres::python_app app(home, world.python(), "app:run");
  auto reply = get(call(app, "kept"));
  CHECK(error_of(app, "grow").type() == "BufferError");
  CHECK(to_string(reply) == "kept");
  reply = {};
  CHECK(ask(app, "x") == "x");
  CHECK(ask(app, "y") == "y");
}
