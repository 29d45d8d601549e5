// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_EXAMPLES_3_PYTHON_REPORTER_HPP
#define ASYNC_RESOURCE_EXAMPLES_3_PYTHON_REPORTER_HPP

#include <async_resource/python.hpp>

#include <string>
#include <string_view>

#include "signal_watch.hpp"

namespace example {

namespace py = asyncres::python::detail;

/// Tells a Python program of its app's errors: by `logger.exception()`, or by what `sys.excepthook` is at that time.
/**
 * The program gets exceptions as they were raised, but for those of a sub-interpreter, none of whose objects may leave
 * it: for these, exceptions of the same name and message whose cause has the traceback as text.
 */
class reporter {
 public:
  /// With the GIL held; `logger` may be None. With `interrupts`, what is no Exception is not an error of the app: it is
  /// KeyboardInterrupt, or what else a signal handler raised in it. Throws python::error.
  reporter(PyObject* logger, bool interrupts)
      : python_(py::current_interpreter()), names_(python_, run(logger, interrupts)) {}

  const py::interpreter_pointer& python() const noexcept { return python_; }

  /// The same app, which raises `Reported` instead of the errors that have been reported. The GIL is held.
  py::object watch(PyObject* app) const {
    static PyMethodDef definition{"app", call, METH_O, nullptr};
    const object self = py::checked(PyTuple_Pack(3, app, name("report"), name("watch")));
    return py::checked(PyCFunction_New(&definition, self.get()));
  }

  /// The exception that has this type, message and traceback. The GIL is held.
  py::object exception(const asyncres::python::error& error) const {
    return py::checked(PyObject_CallFunctionObjArgs(name("exception_of"), to_str(error.type()).get(),
                                                    to_str(error.what()).get(), to_str(error.traceback()).get(),
                                                    nullptr));
  }

  /// Whether somebody wants the program to end; true once for each time. Called at home.
  bool take_interrupt() const {
    const py::gil lock(python_);
    if (!lock) return false;
    const bool result = interrupted();
    PyDict_SetItemString(names_.get(), "news", Py_False);
    return result;
  }

  /// Make that exception the pending one, if there is one and no other is. With the GIL held.
  void raise_interrupt() const {
    PyObject* const error = name("interrupt");
    if (error != Py_None && !PyErr_Occurred()) PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error)), error);
  }

  /// Report what no watched app has reported: a reply that is none, or anything of a sub-interpreter. Called at home.
  void operator()(const asyncres::python::error& error) const {
    const py::gil lock(python_);
    if (!lock || error.type() == reinterpret_cast<PyTypeObject*>(name("Reported"))->tp_name) return;
    const object told(PyObject_CallFunctionObjArgs(name("tell_of"), to_str(error.type()).get(),
                                                   to_str(error.what()).get(), to_str(error.traceback()).get(),
                                                   nullptr));
    if (told) return;
    const auto failure = py::take_error();
    if (!interrupted()) throw failure;
  }

  /// While it lives, the reporter notes what a signal handler raises, whoever catches it: what formats tracebacks does.
  /**
   * Constructed and destroyed by the main thread, with the GIL held.
   */
  class signal_notes {
   public:
    explicit signal_notes(const reporter& owner) : owner_(owner) {
      py::checked(PyObject_CallFunctionObjArgs(owner_.name("note_signals"), nullptr));
    }

    signal_notes(const signal_notes&) = delete;
    signal_notes& operator=(const signal_notes&) = delete;

    ~signal_notes() {
      const exception_aside raised;
      const object done(PyObject_CallFunctionObjArgs(owner_.name("restore_handlers"), nullptr));
    }

   private:
    const reporter& owner_;
  };

 private:
  using object = py::object;

  static constexpr auto source = R"(
import builtins
import os
import signal
import sys

process = os.getpid()

# What was raised has been reported. No class of an app has that name.
Reported = type("Reported " + os.urandom(8).hex(), (BaseException,), {})


class RemoteTraceback(Exception):
    """The traceback of an exception that was raised in another interpreter."""

    def __str__(self):
        return f'\n"""\n{self.args[0]}"""'


interrupt = None
news = False


def note(error):
    global interrupt, news
    interrupt, news = error, True


def ends_the_program(error):
    if not interrupts or isinstance(error, Exception):
        return False
    if error is not interrupt:
        note(error)
    return True


def tell(error):
    try:
        if logger is None:
            sys.excepthook(type(error), error, error.__traceback__)
        else:
            logger.exception("the app failed", exc_info=error)
    except BaseException as failure:
        if ends_the_program(failure):
            return
        failure.__context__ = error
        sys.__excepthook__(type(failure), failure, failure.__traceback__)


def tell_of(name, message, traceback):
    if not news or name != type(interrupt).__name__:
        tell(exception_of(name, message, traceback))


def report(error):
    import asyncres  # there since the app was loaded

    if isinstance(error, asyncres.Cancelled):
        raise error
    if os.getpid() != process:  # a child that the app forked: it ends now
        raise error
    if not ends_the_program(error):
        tell(error)
    raise Reported


async def watch(awaitable):
    from asyncio import CancelledError

    try:
        return await awaitable
    except (CancelledError, GeneratorExit):
        raise
    except BaseException as error:
        report(error.with_traceback(error.__traceback__.tb_next))


def noting(handler):
    def noted(number, frame):
        try:
            handler(number, frame)
        except Exception:
            raise
        except BaseException as error:
            note(error)
            raise

    return noted


handlers = {}


def note_signals():
    try:
        for number in signal.valid_signals():
            handler = signal.getsignal(number)
            if callable(handler):
                handlers[number] = handler, noting(handler)
                signal.signal(number, handlers[number][1])
    except BaseException:
        restore_handlers()
        raise


def restore_handlers():
    def restore():
        for number, (handler, noted) in handlers.items():
            if signal.getsignal(number) is noted:
                signal.signal(number, handler)

    try:
        restore()
    finally:
        restore()  # what is left where a signal has come meanwhile


def exception_of(name, message, traceback):
    kind = getattr(builtins, name, None)
    try:
        error = kind(message)
        if not isinstance(error, BaseException):
            raise TypeError
    except TypeError:
        error = RuntimeError(f"{name}: {message}")
    if traceback.startswith("Traceback"):
        error.__cause__ = RemoteTraceback(traceback)
    return error
)";

  static object run(PyObject* logger, bool interrupts) {
    object names = py::checked(Py_BuildValue("{s:s,s:O,s:i}", "__name__", "async_resource_server", "logger", logger,
                                             "interrupts", interrupts));
    py::checked(PyRun_String(source, Py_file_input, names.get(), names.get()));
    return names;
  }

  static object to_str(std::string_view text) { return py::to_str(text); }

  bool interrupted() const { return name("news") == Py_True; }

  // Borrowed.
  PyObject* name(const char* which) const { return PyDict_GetItemString(names_.get(), which); }

  // Called as the app, for each request.
  static PyObject* call(PyObject* self, PyObject* request) noexcept {
    object result(PyObject_CallFunctionObjArgs(PyTuple_GET_ITEM(self, 0), request, nullptr));
    if (!result) return PyObject_CallFunctionObjArgs(PyTuple_GET_ITEM(self, 1), py::take_exception().get(), nullptr);
    if (!py::is_awaitable(result)) return result.release();
    return PyObject_CallFunctionObjArgs(PyTuple_GET_ITEM(self, 2), result.get(), nullptr);
  }

  py::interpreter_pointer python_;
  py::held names_;
};

}  // namespace example

#endif  // ASYNC_RESOURCE_EXAMPLES_3_PYTHON_REPORTER_HPP
