// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// python_server as an extension module: the program is Python, and lends its thread to the server until Ctrl-C.
//
//   import async_resource_server
//   async_resource_server.serve(lambda request: request.upper(), host="127.0.0.1", port=8888, threads=2)

#include "session.hpp"

#include <array>
#include <asio/buffer.hpp>
#include <asio/local/connect_pair.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/thread_pool.hpp>
#include <async_resource/python.hpp>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <system_error>
#include <utility>

#include "../support/options.hpp"
#include "../support/server.hpp"

namespace {

class released_gil {
 public:
  released_gil() = default;
  released_gil(const released_gil&) = delete;
  released_gil& operator=(const released_gil&) = delete;
  ~released_gil() { PyEval_RestoreThread(state_); }

 private:
  PyThreadState* state_ = PyEval_SaveThread();
};

/// Thrown where a Python exception is pending.
struct pending {};

/// Runs Python's signal handlers while the server runs, and stops it when one of them raises.
/**
 * Python writes a byte to the wakeup descriptor when a signal arrives. Constructed and destroyed with the GIL held, by
 * the main thread, which is the one that runs the server.
 */
class signal_watch {
 public:
  explicit signal_watch(example::server& server)
      : server_(server), wakeup_(server.get_executor()), signalled_(server.get_executor()) {
    asio::local::connect_pair(wakeup_, signalled_);
    wakeup_.native_non_blocking(true);
    previous_ = set_wakeup_descriptor(wakeup_.native_handle());
    if (PyErr_Occurred()) throw pending();
    wait();
  }

  signal_watch(const signal_watch&) = delete;
  signal_watch& operator=(const signal_watch&) = delete;

  ~signal_watch() {
    PyObject* type;
    PyObject* value;
    PyObject* traceback;
    PyErr_Fetch(&type, &value, &traceback);
    set_wakeup_descriptor(previous_);
    PyErr_Restore(type, value, traceback);
  }

 private:
  // Returns the descriptor set before. Raises ValueError in any thread but the main one.
  static int set_wakeup_descriptor(int descriptor) {
    PyObject* const module = PyImport_ImportModule("signal");
    PyObject* const previous = module ? PyObject_CallMethod(module, "set_wakeup_fd", "i", descriptor) : nullptr;
    const long result = previous ? PyLong_AsLong(previous) : -1;
    Py_XDECREF(previous);
    Py_XDECREF(module);
    return static_cast<int>(result);
  }

  void wait() {
    signalled_.async_read_some(asio::buffer(bytes_), [this](std::error_code error, std::size_t) {
      if (error) return;
      if (interrupted()) server_.stop();
      wait();
    });
  }

  // The exception stays pending for serve() to return with.
  static bool interrupted() {
    const auto state = PyGILState_Ensure();
    const bool raised = PyErr_Occurred() || PyErr_CheckSignals() != 0;
    PyGILState_Release(state);
    return raised;
  }

  example::server& server_;
  asio::local::stream_protocol::socket wakeup_;
  asio::local::stream_protocol::socket signalled_;
  std::array<char, 64> bytes_;
  int previous_;
};

void run(PyObject* callable, const example::options& options) {
  example::server server(options);
  const signal_watch watch(server);
  asyncres::python::callable resource(callable);
  const released_gil released;
  asio::thread_pool home(1);
  const example::app_type app(home, std::move(resource));
  server.run([&](auto& peer) { return example::session(peer, app); });
}

PyObject* serve(PyObject*, PyObject* arguments, PyObject* keywords) {
  static const std::array<const char*, 5> names{"app", "host", "port", "threads", nullptr};
  PyObject* callable;
  const char* host = "127.0.0.1";
  int port = 8888;
  Py_ssize_t threads = 1;
  if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O|sin:serve", const_cast<char**>(names.data()), &callable,
                                   &host, &port, &threads)) {
    return nullptr;
  }
  if (!PyCallable_Check(callable)) return PyErr_Format(PyExc_TypeError, "app must be callable");
  if (port < 0 || port > 65535) return PyErr_Format(PyExc_ValueError, "port must be 0 to 65535");
  if (threads < 1) return PyErr_Format(PyExc_ValueError, "threads must be at least 1");
  try {
    example::options options;
    options.host = host;
    options.port = static_cast<std::uint16_t>(port);
    options.threads = static_cast<std::size_t>(threads);
    run(callable, options);
  } catch (const pending&) {
    return nullptr;
  } catch (const std::system_error& error) {
    return PyErr_Format(PyExc_OSError, "%s", error.what());
  } catch (const std::exception& error) {
    return PyErr_Format(PyExc_RuntimeError, "%s", error.what());
  }
  if (PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) PyErr_Clear();
  if (PyErr_Occurred()) return nullptr;
  Py_RETURN_NONE;
}

PyMethodDef methods[] = {
    {"serve", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(serve)), METH_VARARGS | METH_KEYWORDS,
     "serve(app, host='127.0.0.1', port=8888, threads=1)\n--\n\n"
     "Answer each frame that arrives with app(request), bytes in and bytes out.\n\n"
     "To be called from the main thread. Returns after Ctrl-C, when the requests under way have been answered."},
    {}};

PyModuleDef definition = {PyModuleDef_HEAD_INIT,
                          "async_resource_server",
                          "A TCP server for a Python callable.",
                          0,
                          methods,
                          nullptr,
                          nullptr,
                          nullptr,
                          nullptr};

}  // namespace

PyMODINIT_FUNC PyInit_async_resource_server() {
  return PyModule_Create(&definition);
}
