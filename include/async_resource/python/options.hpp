// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_OPTIONS_HPP
#define ASYNC_RESOURCE_PYTHON_OPTIONS_HPP

#include <async_resource/python/detail/python.hpp>

#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>

#include <async_resource/options.hpp>

namespace asyncres {
inline namespace v0 {
namespace python {

/// When a callable's home holds which GIL.
enum class gil_policy {
  /// That of its interpreter, taken for the calls of one visit to home: other Python threads run in between.
  per_batch,
  /// That of its interpreter, from the first call on, also while there is nothing to do. Saves taking it; other Python
  /// threads run only while a call lets go of it, or computes for longer than `sys.getswitchinterval()`. Home has one
  /// thread, else calls fail with a `RuntimeError` that says so. Another thread that needs the GIL, to drop an object
  /// for one, asks for it, and waits until home's thread is between two functions. That thread gives the GIL away when
  /// the callable is destroyed at home, or when it ends: let home run until then. An execution context that is
  /// destroyed by another thread, while this one lives on, leaves it with the GIL, and the other one waiting.
  held,
  /// That of a sub-interpreter of its own, made at home for the first call: several callables run at once. Needs
  /// CPython 3.12, a target that is loaded by name, and modules that support it.
  own_gil,
  /// None, which CPython has to have been built for; calls of other callables, and Python threads, run at the same
  /// time.
  free_threaded,
};

/// What a callable is given.
enum class request_type {
  /// `bytes`, a copy.
  bytes,
  /// A read-only `memoryview` on the caller's bytes. Released when the call returns: using one that was kept, or a
  /// slice of it, raises `ValueError` from then on. A call that leaves the memory to an object that cannot be released,
  /// such as a NumPy array that was kept, fails with `BufferError`; CPython cannot take a pointer back, so that reading
  /// that object later is undefined. Where arrays of requests may be kept, take `bytes`. A coroutine function is given
  /// `bytes` all the same.
  view,
};

}  // namespace python

/// How a Python callable is served.
struct python_options {
  python::gil_policy gil = python::gil_policy::per_batch;
  python::request_type request = python::request_type::bytes;
  /// How its resource is. Completions wait for the end of a visit to home, whose length `quantum` and `max_visit`
  /// limit. What counts as its failure is all that a load or a call throws, an interrupted call included; not what a
  /// coroutine raises later.
  resource_options resource = {.max_visit = std::chrono::microseconds(500)};
  /// Coroutines that requests may have under way at once, which `resource.max_pending` does not count. Beyond it a call
  /// fails with `errc::queue_full`, and the coroutine that it gave is closed.
  std::size_t max_awaiting = unlimited;
};

namespace python::detail {

inline void require(bool available, const std::string& what) {
  if (!available) throw std::invalid_argument(what + "; this is CPython " PY_VERSION);
}

inline void require_available([[maybe_unused]] gil_policy policy) {
#if PY_VERSION_HEX < 0x030C0000
  require(policy != gil_policy::own_gil, "gil_policy::own_gil needs CPython 3.12 or later");
#endif
#ifndef Py_GIL_DISABLED
  require(policy != gil_policy::free_threaded, "gil_policy::free_threaded needs a CPython built with --disable-gil");
#endif
}

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_OPTIONS_HPP
