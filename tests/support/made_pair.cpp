// SPDX-License-Identifier: Apache-2.0
// Key pairs of made logs. ECDSA is done here by its textbook (FIPS 186-4 section 6.4), with a nonce that follows from key and text: the same
// log must come out each time, and the suite that gateways sign with draws its nonces at random.
#include <openssl/obj_mac.h>
#include <sodium.h>

#include <algorithm>
#include <cstdlib>

#include "crypto/openssl.hpp"
#include "crypto/p256.hpp"
#include "tests/support/made_log.hpp"

namespace postern::made {
namespace {

using ossl::CurvePoint, ossl::Number;
using Scalar = std::array<std::uint8_t, 32>;

void must(bool good) {
  if (!good) std::abort();
}

struct Curve {
  ossl::Group group{EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1)};
  const BIGNUM* order = EC_GROUP_get0_order(group.get());

  Number number(ByteView bytes) const { return Number(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr)); }
  Scalar bytes(const BIGNUM* value) const {
    Scalar out{};
    must(BN_bn2binpad(value, out.data(), static_cast<int>(out.size())) == static_cast<int>(out.size()));
    return out;
  }
  // From 1 to the order less one.
  Number scalar(ByteView seed) const {
    const Hash hash = sha256(seed);
    Number one(BN_new()), below(BN_dup(order)), found = number(hash);
    must(BN_one(one.get()) == 1 && BN_sub(below.get(), below.get(), one.get()) == 1 && BN_nnmod(found.get(), found.get(), below.get(), context.get()) == 1 &&
         BN_add(found.get(), found.get(), one.get()) == 1);
    return found;
  }
  // x and y of the multiple of the curve's generator.
  std::pair<Number, Number> times(const BIGNUM* factor) const {
    const CurvePoint point(EC_POINT_new(group.get()));
    Number x(BN_new()), y(BN_new());
    must(EC_POINT_mul(group.get(), point.get(), factor, nullptr, nullptr, context.get()) == 1 &&
         EC_POINT_get_affine_coordinates(group.get(), point.get(), x.get(), y.get(), context.get()) == 1);
    return {std::move(x), std::move(y)};
  }
  std::unique_ptr<BN_CTX, ossl::Freed<BN_CTX_free>> context{BN_CTX_new()};
};

const Curve& curve() {
  static const Curve one;
  return one;
}

Signature ecdsa(const Scalar& secret, std::string_view text) {
  Bytes seed(secret.begin(), secret.end());
  seed.insert(seed.end(), text.begin(), text.end());
  const Number nonce = curve().scalar(seed), key = curve().number(secret), digest = curve().number(sha256(as_bytes(text)));
  const BIGNUM* order = curve().order;
  BN_CTX* context = curve().context.get();
  Number r = std::move(curve().times(nonce.get()).first), s(BN_new());
  const Number inverse(BN_mod_inverse(nullptr, nonce.get(), order, context));
  must(inverse && BN_nnmod(r.get(), r.get(), order, context) == 1 && BN_mod_mul(s.get(), r.get(), key.get(), order, context) == 1 &&
       BN_mod_add(s.get(), s.get(), digest.get(), order, context) == 1 && BN_mod_mul(s.get(), s.get(), inverse.get(), order, context) == 1);
  Signature signature{};
  std::ranges::copy(curve().bytes(r.get()), signature.begin());
  std::ranges::copy(curve().bytes(s.get()), signature.begin() + 32);
  return p256::with_low_s(signature);
}

}  // namespace

Pair::Pair(std::string name, KeyType type, std::uint64_t seed) {
  const Hash secret = sha256(as_bytes(name + " of " + std::to_string(seed)));
  verifier_ = {std::move(name), type, {}};
  if (type != KeyType::ecdsa_p256) {
    crypto_sign_seed_keypair(verifier_.key.data(), secret_.data(), secret.data());
    return;
  }
  Number key = curve().scalar(secret);
  const auto [x, y] = curve().times(key.get());
  if (BN_is_odd(y.get())) must(BN_sub(key.get(), curve().order, key.get()) == 1);
  std::ranges::copy(curve().bytes(x.get()), verifier_.key.begin());
  std::ranges::copy(curve().bytes(key.get()), secret_.begin());
}

Signer Pair::signer() const {
  return {verifier_, [type = verifier_.type, secret = secret_](std::string_view text) {
            Signature signature{};
            if (type == KeyType::ecdsa_p256) {
              Scalar scalar{};
              std::copy_n(secret.begin(), scalar.size(), scalar.begin());
              return ecdsa(scalar, text);
            }
            crypto_sign_detached(signature.data(), nullptr, reinterpret_cast<const unsigned char*>(text.data()), text.size(), secret.data());
            return signature;
          }};
}

}  // namespace postern::made
