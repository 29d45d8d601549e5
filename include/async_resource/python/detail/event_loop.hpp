// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_PYTHON_DETAIL_EVENT_LOOP_HPP
#define ASYNC_RESOURCE_PYTHON_DETAIL_EVENT_LOOP_HPP

#include <async_resource/python/detail/python.hpp>

#include <chrono>
#include <optional>

#include <async_resource/python/detail/attribute.hpp>
#include <async_resource/python/detail/exception.hpp>
#include <async_resource/python/detail/held.hpp>
#include <async_resource/python/detail/object.hpp>
#include <async_resource/python/detail/shared_interpreter.hpp>

namespace asyncres {
inline namespace v0 {
namespace python::detail {

inline constexpr const char* event_loop_source = R"(
import asyncio
import os
import selectors
import sys

forks = 0  # that lead to this process


def count_fork():
    global forks
    forks += 1


os.register_at_fork(after_in_child=count_fork)

if sys.version_info < (3, 12):
    # CPython caches the thread's running loop, and would take that of an interpreter that has been finalised for it.
    asyncio._set_running_loop(None)


class Selector(selectors.DefaultSelector):
    """Never waits: it stops the loop, and keeps what the loop would have waited for."""

    stop = None  # none: it waits
    passes = 0
    wait = 0

    def __init__(self):
        super().__init__()
        self.forks = forks

    def select(self, timeout=None):
        if self.stop is None:
            return super().select(timeout)
        if self.forks != forks:  # What it would look at is the parent's, too.
            self.stop()
            return []
        ready = super().select(0)
        self.passes -= 1
        if timeout != 0 and not ready:
            self.wait = timeout
            self.stop()
        elif self.passes <= 0:
            self.stop()
        return ready


async def wait_for(awaitable):
    return await awaitable


async def end(loop, tasks, deadline):
    """Cancel the tasks, and wait until they have ended. Return whether nothing is left to wait for."""
    late = ()
    for task in tasks:
        task.cancel()
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=deadline - loop.time())
    for task in late:
        loop.call_exception_handler({"message": "Task does not end when cancelled, and is left", "task": task})
    if tasks and not late:
        return False
    try:
        await asyncio.wait_for(loop.shutdown_asyncgens(), deadline - loop.time())
    except asyncio.TimeoutError:
        pass
    return True


class EventLoop(asyncio.SelectorEventLoop):
    pid = os.getpid()

    def call_exception_handler(self, context):
        # In a child that a task has forked CPython 3.14 takes the loop from the task, and complains that it lacks.
        forked = os.getpid() != self.pid
        if not forked or not str(context.get("exception")).endswith("is not the running loop"):
            super().call_exception_handler(context)


class Loop:
    def __init__(self):
        self.selector = Selector()
        self.loop = EventLoop(self.selector)
        self.selector.stop = self.loop.stop
        self.fileno = self.selector.fileno

    def start(self, awaitable, done):
        if not asyncio.iscoroutine(awaitable):
            awaitable = wait_for(awaitable)
        task = self.loop.create_task(awaitable)
        task.add_done_callback(done)
        return task

    def step(self):
        """Run what is ready, for a few passes. Return the seconds until there is more: None if only I/O can tell."""
        self.selector.passes = 8
        self.selector.wait = 0
        try:
            self.loop.run_forever()
        except (SystemExit, KeyboardInterrupt):  # Its task has it, too.
            if self.selector.forks != forks:  # It ends with that: in the next pass.
                self.loop.run_forever()
        return self.selector.wait

    def close(self, grace):
        if self.loop.is_closed():
            return
        self.selector.stop = None
        deadline = self.loop.time() + grace
        while self.loop.time() < deadline:
            # Asked for while the loop does not run: else CPython 3.14 tells of those that this thread has made.
            tasks = asyncio.all_tasks(self.loop)
            try:
                if self.loop.run_until_complete(end(self.loop, tasks, deadline)):
                    break
            except (SystemExit, KeyboardInterrupt):
                pass
        self.loop.close()
)";

// The source as a module of the interpreter that runs, executed once.
inline object event_loop_module() {
  constexpr auto* name = "_async_resource_event_loop";
  PyObject* const loaded = PyImport_GetModuleDict();  // borrowed
  if (PyObject* const module = PyDict_GetItemString(loaded, name)) return object::share(module);
  const object code = checked(Py_CompileString(event_loop_source, "<async_resource>", Py_file_input));
  return checked(PyImport_ExecCodeModule(name, code.get()));
}

// An asyncio event loop that is run a step at a time, and never blocks until it is closed. Used with the GIL held, by
// one thread after another; destroyed with it or without.
class event_loop {
 public:
  // For what is cancelled at the end.
  static constexpr double grace_seconds = 1;

  explicit event_loop(const interpreter_pointer& python)
      : loop_(python, checked(call_method(event_loop_module().get(), "Loop"))),
        step_(python, checked(get_attribute(loop_.get(), "step"))) {}

  // Makes a task of it; `done` will be called with that in a step.
  object start(const object& awaitable, const object& done) {
    return checked(call_method(loop_.get(), "start", awaitable.get(), done.get()));
  }

  // Runs what is ready. How long until there is more, unless the descriptor tells: nothing if only that can.
  std::optional<std::chrono::nanoseconds> step() {
    const object wait = checked(PyObject_CallObject(step_.get(), nullptr));
    if (wait.get() == Py_None) return std::nullopt;
    return std::chrono::ceil<std::chrono::nanoseconds>(std::chrono::duration<double>(PyFloat_AsDouble(wait.get())));
  }

  // Readable when something is ready that the loop waits for. The loop's own.
  int descriptor() const { return static_cast<int>(PyLong_AsLong(checked(call_method(loop_.get(), "fileno")).get())); }

  // Cancels all tasks and waits until they have ended.
  void close() {
    const object grace = checked(PyFloat_FromDouble(grace_seconds));
    checked(call_method(loop_.get(), "close", grace.get()));
  }

  // For Python's exit: see held::take().
  void drop() noexcept {
    step_.take();
    loop_.take();
  }

 private:
  held loop_;
  held step_;
};

}  // namespace python::detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_PYTHON_DETAIL_EVENT_LOOP_HPP
