// expect: the function is a coroutine

#include <async_resource/double_dispatch.hpp>

#include <asio.hpp>

int main() {
  asio::io_context context;
  asyncres::double_dispatch(context.get_executor(), []() -> asio::awaitable<int> { co_return 1; }, asio::detached);
}
