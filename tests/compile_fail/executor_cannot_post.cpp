// expect: must support require.blocking.never.

#include <async_resource/async_resource.hpp>

#include <asio.hpp>

int main() {
  asio::io_context context;
  asyncres::async_resource<asio::any_completion_executor, int> resource(context.get_executor(), 0);
}
