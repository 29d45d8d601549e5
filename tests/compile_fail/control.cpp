// expect-success

#include <async_resource/async_resource.hpp>

#include <asio.hpp>

#include <string>
#include <string_view>

struct table {
  std::string name;
};

template <>
inline constexpr bool asyncres::may_leave_home<const table*> = true;

int main() {
  asio::io_context context;
  asyncres::async_resource<asio::any_io_executor, std::string> resource(context, "text");
  resource.async_invoke([](std::string& s) { return s; }, asio::detached);
  resource.async_invoke([](std::string&) -> const table* { return nullptr; }, asio::detached);
  resource.async_invoke([](std::string& s) { return s.size(); }, [](std::exception_ptr, std::size_t) {});
}
