// expect: cancel does not fit

#include <async_resource/tokens/completion_token_transform.hpp>

#include <asio.hpp>

int main() {
  asyncres::completion_token_transform<void(int)>(
      asio::detached, [](void*, auto) {}, [](int) {});
}
