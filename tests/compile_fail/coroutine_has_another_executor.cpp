// expect: the function is a coroutine whose executor cannot be the resource's strand

#include <async_resource.hpp>

#include <asio.hpp>

int main() {
  asio::thread_pool context;
  auto resource = asyncres::make_async_resource<int>(context);
  resource.async_invoke([](int& n) -> asio::awaitable<int, asio::thread_pool::executor_type> { co_return n; },
                        asio::detached);
}
