// expect: the function is a coroutine, and takes more than the resource

#include <async_resource.hpp>

#include <asio.hpp>

int main() {
  asio::io_context context;
  auto resource = asyncres::make_async_resource<int>(context);
  resource.async_invoke([](int& n, asyncres::cancellation_view) -> asio::awaitable<int> { co_return n; },
                        asio::detached);
}
