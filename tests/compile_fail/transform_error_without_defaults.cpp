// expect: must be default

#include <async_resource/tokens/completion_token_transform.hpp>

#include <asio.hpp>

struct no_default {
  explicit no_default(int) {}
};

int main() {
  using signature = void(std::error_code, no_default);
  asyncres::completion_token_transform<signature>(asio::detached, [](void*, auto) { return std::error_code(); });
}
