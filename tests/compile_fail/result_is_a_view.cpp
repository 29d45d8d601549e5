// expect: pointer, reference_wrapper or borrowed view.*std::string for

#include <async_resource/async_resource.hpp>

#include <asio.hpp>

#include <string>
#include <string_view>

int main() {
  asio::io_context context;
  asyncres::async_resource<asio::any_io_executor, std::string> resource(context, "text");
  resource.async_invoke([](std::string& s) { return std::string_view(s); }, asio::detached);
}
