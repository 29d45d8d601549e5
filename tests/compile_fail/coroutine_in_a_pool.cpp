// expect: the function is a coroutine, which only an async_resource takes

#include <async_resource.hpp>

#include <asio.hpp>

int main() {
  asio::io_context context;
  asyncres::async_resource_pool<asio::any_io_executor, int> pool(context, 2, [](auto) { return 0; });
  pool.async_invoke([](int& n) -> asio::awaitable<int> { co_return n; }, asio::detached);
}
