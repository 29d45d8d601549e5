// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_PYTHON_COROUTINES_HPP
#define ASYNC_RESOURCE_TESTS_PYTHON_COROUTINES_HPP

#include "support.hpp"

#include <asio/bind_cancellation_slot.hpp>
#include <asio/error.hpp>
#include <async_resource/error.hpp>
#include <exception>
#include <future>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace python_test {

// Most of these say that they wait, and that they have ended, on the descriptors that a request gives.
constexpr auto coroutine_functions = R"(
import asyncio, contextvars, os, types

async def echo(request):
    await asyncio.sleep(0)
    return request[::-1]

async def fail(request):
    await asyncio.sleep(0)
    raise eval(request)

async def text(request):
    return 'text'

def forwards(request):
    return echo(request)

class Awaitable:
    def __init__(self, request): self.request = request
    def __await__(self): return echo(self.request).__await__()

@types.coroutine
def generator(request):
    yield from asyncio.sleep(0).__await__()
    return request[::-1]

class ByClass(bytes):
    def __new__(cls, request): return super().__new__(cls, type(request).__name__.encode())
    async def __call__(self): pass

async def gathers(request):
    return b''.join(await asyncio.gather(*(echo(request) for i in range(3))))

async def in_thread(request):
    return await asyncio.get_running_loop().run_in_executor(None, bytes.upper, request)

long_sleep = None
async def sleep_beside_a_long_one(request):
    global long_sleep
    long_sleep = long_sleep or asyncio.ensure_future(asyncio.sleep(3600))
    return await sleep(request)

async def sleep(request):
    await asyncio.sleep(float(request))
    return b'awake'

inside, all_inside = 0, None
async def meet(request):
    global inside, all_inside
    all_inside = all_inside or asyncio.Event()
    inside += 1
    if inside == 100: all_inside.set()
    await all_inside.wait()
    return request

variable = contextvars.ContextVar('variable', default=b'unset')
async def in_context(request):
    seen = variable.get()
    variable.set(request)
    await asyncio.sleep(0)
    return seen + b' ' + variable.get()
def plain_in_context(request):
    seen = variable.get()
    variable.set(request)
    return seen + b' ' + variable.get()

def signal(request, n): os.write(int(request.split()[n]), b'.')

async def wait(request):
    if not request: return b'nothing to wait for'
    signal(request, 0)
    try:
        await asyncio.Event().wait()
    finally:
        signal(request, 1)

async def swallow(request):
    signal(request, 0)
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return b'swallowed'

async def insist(request):
    signal(request, 0)
    for _ in range(2):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            signal(request, 1)
    return b'cancelled twice'

async def raise_instead(request):
    signal(request, 0)
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        raise ValueError('instead')

async def spin(request):
    if not request: return b'turn'
    signal(request, 0)
    try:
        while True: await asyncio.sleep(0)
    finally:
        signal(request, 1)

left = []
async def refuse_to_end(request):
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: left.append(context['message']))
    signal(request, 0)
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass
def what_was_left(request): return repr(left).encode()

tasks = []
async def leave_behind(request):
    asked, ticked = map(int, request.split())
    asyncio.get_running_loop().add_reader(asked, lambda: (os.read(asked, 1), os.write(ticked, b'.')))
    async def forever():
        try:
            await asyncio.Event().wait()
        finally:
            os.write(ticked, b'.')
    tasks.append(asyncio.ensure_future(forever()))
    return b'left behind'
)";

// What a call came to: what it replied, "Type: message", "aborted" or "closed".
inline std::string description(const std::exception_ptr& error, const python::reply& reply) {
  if (!error) return to_string(reply);
  try {
    std::rethrow_exception(error);
  } catch (const python::error& e) {
    return e.type() + ": " + e.what();
  } catch (const std::system_error& e) {
    if (e.code() == asio::error::operation_aborted) return "aborted";
    return e.code() == asyncres::errc::closed ? "closed" : e.what();
  }
}

struct describe {
  std::promise<std::string> promise;

  void operator()(std::exception_ptr error, python::reply reply) {
    promise.set_value(description(std::exchange(error, nullptr), reply));
  }
};

template <class App>
std::future<std::string> begin(const App& app, std::string_view request, asio::cancellation_slot slot = {}) {
  describe handler;
  auto future = handler.promise.get_future();
  app.async_call(asio::buffer(request), asio::bind_cancellation_slot(slot, std::move(handler)));
  return future;
}

inline std::string signals(const event& waits, const event& ended) {
  return std::to_string(waits.write_end()) + ' ' + std::to_string(ended.write_end());
}

// A call of one of the above that waits, and says so.
struct waiting_call {
  explicit waiting_call(const auto& app) {
    result = begin(app, request, signal.slot());
    waits.wait();
  }

  void cancel() { signal.emit(asio::cancellation_type::total); }

  event waits, ended;
  std::string request = signals(waits, ended);
  asio::cancellation_signal signal;
  std::future<std::string> result;
};

}  // namespace python_test

#endif  // ASYNC_RESOURCE_TESTS_PYTHON_COROUTINES_HPP
