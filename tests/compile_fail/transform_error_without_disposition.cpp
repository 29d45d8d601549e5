// expect: let Signature begin with std::error_code or std::exception_ptr, or start return void

#include <async_resource/tokens/completion_token_transform.hpp>

#include <asio.hpp>

int main() {
  asyncres::completion_token_transform<void(int)>(asio::detached, [](void*, auto) { return std::error_code(); });
}
