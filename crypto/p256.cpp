// SPDX-License-Identifier: Apache-2.0
#include "crypto/p256.hpp"

#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <openssl/provider.h>

#include <algorithm>

#include "crypto/openssl.hpp"

namespace postern::p256 {
namespace {

using ossl::must;

constexpr std::size_t kScalar = 32;
using Scalar = std::array<std::uint8_t, kScalar>;
constexpr Scalar kOrder{0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                        0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
constexpr Scalar kHalf{0x7f, 0xff, 0xff, 0xff, 0x80, 0x00, 0x00, 0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                       0xde, 0x73, 0x7d, 0x56, 0xd3, 0x8b, 0xcf, 0x42, 0x79, 0xdc, 0xe5, 0x61, 0x7e, 0x31, 0x92, 0xa8};

// What stands before the 64 bytes of the coordinates.
constexpr std::array<std::uint8_t, 27> kSpkiHead{0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
                                                 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};
constexpr std::size_t kLongPoint = 65;   // 04, x, y

// What OpenSSL notes of foreign bytes that it refuses is nobody's business: TLS in the same thread would take it for its own error.
class NoErrorsLeft {
 public:
  NoErrorsLeft() { ERR_set_mark(); }
  ~NoErrorsLeft() { ERR_pop_to_mark(); }
  NoErrorsLeft(const NoErrorsLeft&) = delete;
  NoErrorsLeft& operator=(const NoErrorsLeft&) = delete;
};

// A context of our own: whether a log holds must not depend on the OpenSSL settings of the host where it is looked at.
OSSL_LIB_CTX* own_context() {
  static OSSL_LIB_CTX* const context = [] {
    OSSL_LIB_CTX* made = OSSL_LIB_CTX_new();
    must(made != nullptr && OSSL_PROVIDER_load(made, "default") != nullptr, "loading its default provider");
    return made;
  }();
  return context;
}

const EC_GROUP* group() {
  static const ossl::Group made(EC_GROUP_new_by_curve_name_ex(own_context(), nullptr, NID_X9_62_prime256v1));
  must(made != nullptr, "P-256");
  return made.get();
}

// The uncompressed form of a point in either form; nothing when no such point is on the curve.
std::optional<std::array<std::uint8_t, kLongPoint>> long_form(ByteView point) {
  const NoErrorsLeft clean;
  const ossl::CurvePoint on_curve(EC_POINT_new(group()));
  must(on_curve != nullptr, "a P-256 point");
  if (EC_POINT_oct2point(group(), on_curve.get(), point.data(), point.size(), nullptr) != 1) return std::nullopt;
  std::array<std::uint8_t, kLongPoint> out{};
  // Of the point at infinity one byte would be written.
  if (EC_POINT_point2oct(group(), on_curve.get(), POINT_CONVERSION_UNCOMPRESSED, out.data(), out.size(), nullptr) != out.size()) return std::nullopt;
  return out;
}

Scalar half_of(const Signature& signature, bool second) {
  Scalar half{};
  std::copy_n(signature.begin() + (second ? kScalar : 0), kScalar, half.begin());
  return half;
}

// Arrays of one length compare as the numbers do.
bool is_the_one(const Signature& signature) {
  const Scalar r = half_of(signature, false), s = half_of(signature, true);
  return r != Scalar{} && r < kOrder && s != Scalar{} && s <= kHalf;
}

// DER writes a number without leading zeros, but for one that keeps it from looking negative.
void write_number(Bytes& out, const Scalar& number) {
  const auto* first = std::ranges::find_if(number, [](std::uint8_t byte) { return byte != 0; });
  if (first == number.end()) --first;
  Bytes digits;
  if (*first >= 0x80) digits.push_back(0);
  digits.insert(digits.end(), first, number.end());
  ByteWriter writer(out);
  writer.u8(0x02);
  writer.view8(digits);
}

bool read_number(ByteReader& in, std::span<std::uint8_t> out) {
  if (in.u8() != 0x02) return false;
  ByteView digits = in.view8();
  if (digits.size() > out.size() && digits.front() == 0) digits = digits.subspan(1);
  if (digits.empty() || digits.size() > out.size()) return false;
  std::ranges::copy(digits, out.last(digits.size()).begin());
  return true;
}

}  // namespace

Point even_point(const PublicKey& x) {
  Point point{2};
  std::ranges::copy(x, point.begin() + 1);
  return point;
}

std::optional<Spki> spki_of(const Point& point) {
  const auto found = long_form(point);
  if (!found) return std::nullopt;
  Spki spki{};
  std::ranges::copy(kSpkiHead, spki.begin());
  std::copy(found->begin() + 1, found->end(), spki.begin() + kSpkiHead.size());
  return spki;
}

std::optional<Point> point_in(ByteView spki) {
  if (spki.size() != sizeof(Spki) || !std::ranges::equal(spki.first(kSpkiHead.size()), kSpkiHead)) return std::nullopt;
  const ByteView written = spki.last(kLongPoint);
  // Coordinates over the field's prime would be a second way to write a point.
  const auto found = long_form(written);
  if (!found || !std::ranges::equal(*found, written)) return std::nullopt;
  Point point{static_cast<std::uint8_t>(2 + (written.back() & 1))};
  std::copy_n(written.begin() + 1, kScalar, point.begin() + 1);
  return point;
}

Bytes der_of(const Signature& signature) {
  Bytes numbers, der;
  write_number(numbers, half_of(signature, false));
  write_number(numbers, half_of(signature, true));
  ByteWriter out(der);
  out.u8(0x30);
  out.view8(numbers);
  return der;
}

std::optional<Signature> signature_in(ByteView der) {
  ByteReader in(der);
  if (in.u8() != 0x30) return std::nullopt;
  ByteReader numbers(in.view8());
  Signature signature{};
  const std::span<std::uint8_t> both(signature);
  if (!read_number(numbers, both.first(kScalar)) || !read_number(numbers, both.last(kScalar)) || !numbers.finish() || !in.finish()) return std::nullopt;
  // Whatever was written otherwise (long lengths, superfluous zeros, a sign) shows when it is written again.
  if (!std::ranges::equal(der_of(signature), der)) return std::nullopt;
  return signature;
}

Signature with_low_s(const Signature& signature) {
  const Scalar s = half_of(signature, true);
  if (s <= kHalf || s >= kOrder) return signature;
  Signature low = signature;
  int borrow = 0;
  for (std::size_t i = kScalar; i-- > 0;) {
    const int digit = kOrder[i] - s[i] - borrow;
    borrow = digit < 0 ? 1 : 0;
    low[kScalar + i] = static_cast<std::uint8_t>(digit & 0xff);
  }
  return low;
}

bool verify(const Point& point, ByteView text, ByteView der, ossl_lib_ctx_st* context) {
  const std::optional<Signature> signature = signature_in(der);
  if (!signature || !is_the_one(*signature)) return false;
  const NoErrorsLeft clean;
  OSSL_LIB_CTX* const library = context != nullptr ? context : own_context();
  Point bytes = point;
  std::array<char, 6> name{"P-256"};
  std::array params{OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name.data(), 0),
                    OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, bytes.data(), bytes.size()), OSSL_PARAM_construct_end()};
  const ossl::PkeyCtx maker(EVP_PKEY_CTX_new_from_name(library, "EC", nullptr));
  must(maker && EVP_PKEY_fromdata_init(maker.get()) == 1, "a P-256 key");
  EVP_PKEY* made = nullptr;
  if (EVP_PKEY_fromdata(maker.get(), &made, EVP_PKEY_PUBLIC_KEY, params.data()) != 1) return false;
  const ossl::Pkey key(made);
  const ossl::MdCtx ctx(EVP_MD_CTX_new());
  must(ctx && EVP_DigestVerifyInit_ex(ctx.get(), nullptr, "SHA256", library, nullptr, key.get(), nullptr) == 1, "verifying by ECDSA");
  return EVP_DigestVerify(ctx.get(), der.data(), der.size(), text.data(), text.size()) == 1;
}

}  // namespace postern::p256
