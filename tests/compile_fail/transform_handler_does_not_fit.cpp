// expect: no completion token for Signature

#include <async_resource/tokens/completion_token_transform.hpp>

#include <asio.hpp>

int main() {
  asyncres::completion_token_transform<void(int, int)>([](int) {}, [](void*, auto) {});
}
