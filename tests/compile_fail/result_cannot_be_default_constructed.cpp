// expect: cannot be default-constructed.*std::optional

#include <async_resource/async_resource.hpp>

#include <asio.hpp>

struct no_default {
  explicit no_default(int) {}
};

int main() {
  asio::io_context context;
  asyncres::async_resource<asio::any_io_executor, int> resource(context, 0);
  resource.async_invoke([](int& i) { return no_default(i); }, asio::detached);
}
