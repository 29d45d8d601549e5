// expect: the function does not fit

#include <async_resource/async_resource.hpp>

#include <asio.hpp>

#include <system_error>

int main() {
  asio::io_context context;
  asyncres::async_resource<asio::any_io_executor, int> resource(context, 0);
  resource.async_invoke([](int&, asyncres::cancellation_view, std::error_code&) {}, asio::detached);
}
