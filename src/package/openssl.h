// What the files that call OpenSSL share: owners of its objects and the error for a call that
// failed.
#pragma once
#include <openssl/evp.h>

#include <memory>

#include "core/status.h"

namespace athanor::package {

template <auto kFree>
struct Free {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using DigestContext = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;

// `what` completes "OpenSSL cannot": "derive a key".
inline Status OpenSslFailed(std::string_view what) {
  return Error(ErrorCode::kInternal, "OpenSSL cannot {}", what);
}

}  // namespace athanor::package
