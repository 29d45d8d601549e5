// expect: start must return void, or a std::error_code

#include <async_resource/tokens/completion_token_transform.hpp>

#include <asio.hpp>

int main() {
  asyncres::completion_token_transform<void(int)>(asio::detached, [](void*, auto) { return 0; });
}
