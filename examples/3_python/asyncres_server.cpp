// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

// python_server as an extension module: the program is Python, and lends its thread to the server until Ctrl-C.
//
//   import async_resource_server
//   async_resource_server.serve(lambda request: request.upper(), host="127.0.0.1", port=8888, threads=2)

#include "reporter.hpp"
#include "session.hpp"
#include "signal_watch.hpp"

#include <algorithm>
#include <array>
#include <asio/detached.hpp>
#include <asio/error.hpp>
#include <asio/thread_pool.hpp>
#include <async_resource/error.hpp>
#include <async_resource/python.hpp>
#include <async_resource/tokens/block.hpp>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "../support/options.hpp"
#include "../support/server.hpp"

namespace {

namespace python = asyncres::python;

using app_on_thread = asyncres::python_app<asio::thread_pool::executor_type>;

struct arguments {
  PyObject* app = nullptr;
  PyObject* logger = Py_None;
  bool at_io_thread = false;
  example::options server;
  asyncres::python_options serving;
};

/// With gil_policy::held home keeps the GIL, also while it sleeps: have it lend the GIL until this is destroyed. Home
/// is a thread of its own all the same, so that a signal's exception is raised in the main thread, and never in the
/// app.
class loan {
 public:
  loan(const app_on_thread& app, const python::detail::interpreter_pointer& interpreter) {
    app.resource().async_invoke(
        [returned = returned_, interpreter](python::callable&) {
          const python::detail::gil lock(interpreter);
          if (!lock) return;
          const example::released_gil lent;
          returned->acquire();
        },
        asio::detached);
  }

  loan(const loan&) = delete;
  loan& operator=(const loan&) = delete;
  ~loan() { returned_->release(); }

 private:
  const std::shared_ptr<std::binary_semaphore> returned_ = std::make_shared<std::binary_semaphore>(0);
};

/// Answer, for ever; on an error of Python, report it and close the connection. An interrupt stops the server.
template <class Peer, class App>
example::awaitable<void> session(Peer& peer, const App& app, const example::reporter& report, example::server& server) {
  std::optional<python::error> failure;
  try {
    co_await example::answer(peer, app.resource());
  } catch (const python::error& error) {
    failure = error;
  } catch (const std::system_error& error) {
    if (error.code() != asyncres::errc::frame_too_large) throw;  // of a reply: each length of a request is allowed
    failure.emplace("ValueError", "the reply is larger than " + std::to_string(example::options().limit) + " bytes");
  }
  bool interrupted = false;
  auto look_at = [&](python::callable&) {
    report(*failure);
    interrupted = report.take_interrupt();
  };
  co_await app.resource().async_invoke(std::move(look_at));
  if (interrupted) server.stop();
}

python::callable callable_for(const arguments& given, const example::reporter& report) {
  if (PyUnicode_Check(given.app)) {
    const char* const target = PyUnicode_AsUTF8(given.app);
    if (!target) throw example::pending();
    return python::callable(target, given.serving);
  }
  return python::callable(report.watch(given.app).get(), given.serving);
}

// Home is a thread of its own.
void run_on_thread(example::server& server, example::signal_watch& watch, python::callable callable,
                   example::released_gil& released, const example::reporter& report) {
  const bool held = callable.options().gil == python::gil_policy::held;
  asio::thread_pool home(1);
  const app_on_thread app(home, std::move(callable));
  watch.start([&] {
    std::optional<loan> lent;
    if (held) lent.emplace(app, report.python());
    return released.with_gil([&] { return watch.run_handlers(); });
  });
  watch.wait_for([&] { app.async_load(asyncres::block); });
  if (watch.interrupted()) return;
  server.run([&](auto& peer) { return session(peer, app, report, server); });
  app.resource().cancel();  // interrupts what has been given up, which home would wait for
  watch.wait_for([&] {
    home.stop();
    home.join();
  });
}

// Home is the I/O thread, which is this one: while the app runs, Python calls signal handlers in it.
void run_at_io(example::server& server, example::signal_watch& watch, python::callable callable,
               example::released_gil& released, const example::reporter& report) {
  const python::detail::lent_state state(report.python(), released.state());
  const asyncres::python_app app(server.io_executor(), std::move(callable));
  watch.start([&] {
    const bool raised = released.with_gil([&] { return watch.run_handlers(); });
    return report.take_interrupt() || raised;
  });
  server.run([&](auto& peer) { return session(peer, app, report, server); });
}

// With the GIL held.
void run(const arguments& given, const example::reporter& report) {
  std::optional<example::exception_aside> raised;  // while the server ends, which may run Python code
  example::server server(given.server);
  example::signal_watch watch(server);
  std::optional<example::reporter::signal_notes> notes;
  if (given.at_io_thread) notes.emplace(report);
  auto callable = callable_for(given, report);
  if (given.at_io_thread) callable.load();
  const auto serve = given.at_io_thread ? run_at_io : run_on_thread;
  {
    example::released_gil released;
    serve(server, watch, std::move(callable), released, report);
  }
  watch.raise();
  report.raise_interrupt();
  raised.emplace();
}

bool check(bool condition, PyObject* type, const char* message) {
  if (!condition) PyErr_SetString(type, message);
  return condition;
}

bool read_policy(std::string_view name, python::gil_policy& policy) {
  using python::gil_policy;
  constexpr std::array<std::pair<std::string_view, gil_policy>, 4> known{
      {{"per_batch", gil_policy::per_batch},
       {"held", gil_policy::held},
       {"own_gil", gil_policy::own_gil},
       {"free_threaded", gil_policy::free_threaded}}};
  for (const auto& [known_name, value] : known)
    if (name == known_name) return policy = value, true;
  return check(false, PyExc_ValueError, "policy must be 'per_batch', 'held', 'own_gil' or 'free_threaded'");
}

// In the interpreter of the main thread, and with a GIL that others get in between, if there is one.
bool is_plain(python::gil_policy policy) {
  return policy == python::gil_policy::per_batch || policy == python::gil_policy::free_threaded;
}

bool read_home(std::string_view name, arguments& result) {
  result.at_io_thread = name == "io";
  result.server.accepts_apart = !result.at_io_thread;
  return check(result.at_io_thread || name == "thread", PyExc_ValueError, "home must be 'thread' or 'io'") &&
         check(!result.at_io_thread || (result.server.threads == 1 && is_plain(result.serving.gil)), PyExc_ValueError,
               "home 'io' is for one thread, and policy 'per_batch' or 'free_threaded'");
}

bool check_app(const arguments& given) {
  if (given.serving.gil == python::gil_policy::own_gil)
    return check(PyUnicode_Check(given.app), PyExc_TypeError,
                 "with policy 'own_gil' app must be a str, 'module:attribute', for a sub-interpreter to import");
  return check(PyCallable_Check(given.app), PyExc_TypeError,
               "app must be callable; a str, 'module:attribute', is for policy 'own_gil'") &&
         check(!given.at_io_thread || !python::detail::is_coroutine_function(python::detail::object::share(given.app)),
               PyExc_TypeError, "home 'io' is for a function, not for a coroutine function");
}

// What was not given is left as it is.
template <class Number>
bool read_number(PyObject* given, long least, long most, const char* message, Number& result) {
  if (!given) return true;
  const python::detail::object index(PyNumber_Index(given));  // no float, which Python 3.8 takes for a long
  if (!index) return false;
  int overflow = 0;
  const long number = PyLong_AsLongAndOverflow(index.get(), &overflow);
  if (!check(!overflow && least <= number && number <= most, PyExc_ValueError, message)) return false;
  result = static_cast<Number>(number);
  return true;
}

bool read_drain_timeout(PyObject* given, example::seconds& result) {
  constexpr double year = 31'536'000;
  const double number = given == Py_None ? 0 : PyFloat_AsDouble(given);
  if (PyErr_Occurred()) return false;
  result = example::seconds(std::min(number, year));  // 0 is never
  return check(given == Py_None || number > 0, PyExc_ValueError,
               "drain_timeout must be None or a positive number of seconds");
}

// False with an exception pending.
bool read(PyObject* positional, PyObject* keywords, arguments& result) {
  static const std::array<const char*, 9> names{"app",    "host", "port",          "threads", "policy",
                                                "logger", "home", "drain_timeout", nullptr};
  const char* host = "127.0.0.1";
  const char* policy = "per_batch";
  const char* home = "thread";
  PyObject* drain_timeout = Py_None;
  PyObject* port = nullptr;
  PyObject* threads = nullptr;
  if (!PyArg_ParseTupleAndKeywords(positional, keywords, "O|sOOsOs$O:serve", const_cast<char**>(names.data()),
                                   &result.app, &host, &port, &threads, &policy, &result.logger, &home, &drain_timeout))
    return false;
  result.server.host = host;
  return check(!result.server.host.empty(), PyExc_ValueError, "host must not be empty: '0.0.0.0' is every address") &&
         read_number(port, 0, 65535, "port must be 0 to 65535", result.server.port) &&
         read_number(threads, 1, 1000, "threads must be 1 to 1000", result.server.threads) &&
         read_policy(policy, result.serving.gil) && read_home(home, result) && check_app(result) &&
         read_drain_timeout(drain_timeout, result.server.drain_timeout) &&
         check(result.logger == Py_None || PyObject_HasAttrString(result.logger, "exception"), PyExc_TypeError,
               "logger must have a method exception(), as logging.Logger has");
}

// As OSError, which a number of the system makes what Python calls it, PermissionError for one.
PyObject* raise(const std::system_error& error) {
  const auto& kind = error.code().category();
  if (kind != asio::system_category() && kind != std::system_category() && kind != std::generic_category())
    return PyErr_Format(PyExc_OSError, "%s", error.what());
  const python::detail::object arguments(Py_BuildValue("(is)", error.code().value(), error.what()));
  if (arguments) PyErr_SetObject(PyExc_OSError, arguments.get());
  return nullptr;
}

PyObject* serve(PyObject*, PyObject* positional, PyObject* keywords) try {
  arguments given;
  if (!read(positional, keywords, given)) return nullptr;
  const example::reporter report(given.logger, given.at_io_thread);
  try {
    run(given, report);
  } catch (const python::error& error) {
    const auto exception = report.exception(error);
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception.get())), exception.get());
  }
  if (PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) PyErr_Clear();
  if (PyErr_Occurred()) return nullptr;
  Py_RETURN_NONE;
} catch (const example::pending&) {
  return nullptr;
} catch (const std::invalid_argument& error) {
  return PyErr_Format(PyExc_ValueError, "%s", error.what());
} catch (const std::bad_alloc&) {
  return PyErr_NoMemory();
} catch (const std::system_error& error) {
  return raise(error);
} catch (const std::exception& error) {
  return PyErr_Format(PyExc_RuntimeError, "%s", error.what());
}

PyMethodDef methods[] = {
    {"serve", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(serve)), METH_VARARGS | METH_KEYWORDS,
     R"(serve(app, host='127.0.0.1', port=8888, threads=1, policy='per_batch', logger=None,
      home='thread', *, drain_timeout=None)
--

Answer each frame that arrives with what app(request) returns.

A frame is the length in two bytes, most significant first, then the payload.
Returns after Ctrl-C, when the requests under way have been answered; a second
one ends the wait, and interrupts app. Inside C code, such as that of time.sleep,
nothing does: one more then ends the process, as SIGINT does, unless that code
keeps the GIL. What another signal handler raises stops it in the same way and is
raised here. To be called from the main thread, which is where Python runs signal
handlers.

Says the addresses that it listens on in a line each on the process's standard
output, before it takes connections: listening on 127.0.0.1:8888.

app      A function of a bytes object that returns bytes, or anything else with
         the buffer protocol. It is called on one thread, one call at a time.
         An async def will do as well, or what returns an awaitable: its requests
         await at once, on an asyncio loop of that thread. The replies of a
         connection have the order of its requests.
host     The address or name to listen on; '0.0.0.0' and '::' are all of them.
port     0 picks a free one.
threads  The number of threads that read and write, 1,000 at most.
policy   When that thread holds the GIL:
         'per_batch'      while it calls app; other threads of Python run in
                          between;
         'held'           for good, which is the fastest; other threads of
                          Python run only while app waits or computes for long;
         'own_gil'        that of a sub-interpreter (Python 3.12 or later); app
                          is the text 'module:attribute', which it imports;
         'free_threaded'  never, in a Python that has none.
logger   Has its method exception() called with exc_info for each error of app;
         without a logger sys.excepthook is. The error ends its connection.
home     Where app runs:
         'thread'  on a thread of its own;
         'io'      on the one that reads and writes, for a function that takes
                   microseconds: the fastest, since there is no other thread.
                   All connections wait for app; threads must be 1, and policy
                   'per_batch' or 'free_threaded'. Signal handlers may be called
                   while app runs: the KeyboardInterrupt of Ctrl-C, and all that
                   is no Exception, also of app itself, then stops the server,
                   even if app catches what the handler has raised.
drain_timeout
         After so many seconds the wait ends without a second Ctrl-C.

A payload has up to 65,535 bytes; a longer reply is an error, as if app had
raised ValueError. Of a connection 16 requests are under way at once; while an
async def awaits them, up to 16 more are started. When a client resets its
connection, what it waits for is cancelled. 10,000 connections are open at once,
and more are closed. A connection to which no reply is owed ends when its client
sends nothing for 300 seconds, or takes 30 seconds over one request; and any that
does not take its replies for 30 seconds. app may take any time.
)"},
    {}};

PyModuleDef_Slot slots[] = {
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {}};

PyModuleDef definition = {PyModuleDef_HEAD_INIT,
                          "async_resource_server",
                          "A TCP server for a Python callable that never blocks an I/O thread: see serve().",
                          0,
                          methods,
                          slots,
                          nullptr,
                          nullptr,
                          nullptr};

}  // namespace

PyMODINIT_FUNC PyInit_async_resource_server() {
  return PyModuleDef_Init(&definition);
}
