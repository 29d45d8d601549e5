// expect-success

#include <async_resource/tokens/completion_token_transform.hpp>

#include <asio.hpp>

int main() {
  using signature = void(std::error_code, int);
  const auto start = [](void*, auto) { return std::error_code(); };
  asyncres::completion_token_transform<signature>(asio::detached, start);
  asyncres::completion_token_transform<signature>([](std::error_code, int) {}, start, [] {});
  asyncres::completion_token_transform<signature>(asio::detached, asyncres::context_first, start, [] {});
}
