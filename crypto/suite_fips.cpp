// SPDX-License-Identifier: Apache-2.0
// Profile `fips`: approved algorithms through OpenSSL's providers, in a library context of their own: the FIPS provider where the
// host has one (then nothing else can be fetched from this context), else the default provider.
#include <openssl/conf.h>
#include <openssl/kdf.h>
#include <openssl/provider.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstring>

#include "crypto/openssl.hpp"
#include "crypto/p256.hpp"
#include "crypto/suites.hpp"

namespace postern {
namespace {

// A file from elsewhere must not be able to make an unlock take all day.
constexpr std::uint64_t kStandardIterations = 600'000, kMinIterations = 1000, kMaxIterations = 2'000'000;
constexpr std::size_t kScalar = 32, kPoint = sizeof(p256::Point);

using namespace ossl;
using KdfCtx = std::unique_ptr<EVP_KDF_CTX, Freed<EVP_KDF_CTX_free>>;

OSSL_PARAM octets(const char* name, ByteView bytes) {
  return OSSL_PARAM_construct_octet_string(name, const_cast<std::uint8_t*>(bytes.data()), bytes.size());
}
OSSL_PARAM text(const char* name, const char* value) { return OSSL_PARAM_construct_utf8_string(name, const_cast<char*>(value), 0); }

class Fips final : public Suite {
 public:
  Fips() : context_(OSSL_LIB_CTX_new()) {
    must(context_ != nullptr, "a library context");
    // The module's own configuration (the check value of its installation) stands where the host's OpenSSL looks for it.
    if (char* file = CONF_get1_default_config_file(); file != nullptr) {
      (void)OSSL_LIB_CTX_load_config(context_, file);
      OPENSSL_free(file);
    }
    OSSL_PROVIDER* provider = OSSL_PROVIDER_try_load(context_, "fips", 1);
    validated_ = provider != nullptr && EVP_default_properties_enable_fips(context_, 1) == 1;
    if (!validated_) provider = OSSL_PROVIDER_load(context_, "default");
    must(provider != nullptr, "loading a provider");
    name_ = std::string("OpenSSL ") + OpenSSL_version(OPENSSL_VERSION_STRING) +
            (validated_ ? ", FIPS provider " + version_of(provider) : ", default provider: the approved algorithms, not a validated module (this host has no FIPS provider)");
    hmac_ = EVP_MAC_fetch(context_, "HMAC", nullptr);
    cmac_ = EVP_MAC_fetch(context_, "CMAC", nullptr);
    kbkdf_ = EVP_KDF_fetch(context_, "KBKDF", nullptr);
    pbkdf2_ = EVP_KDF_fetch(context_, "PBKDF2", nullptr);
    gcm_ = EVP_CIPHER_fetch(context_, "AES-256-GCM", nullptr);
    must(hmac_ && cmac_ && kbkdf_ && pbkdf2_ && gcm_, "fetching its algorithms");
  }

  Profile profile() const override { return Profile::fips; }
  std::string provider() const override { return name_; }
  bool validated() const override { return validated_; }

  void random(std::span<std::uint8_t> out) const override {
    if (!out.empty()) must(RAND_priv_bytes_ex(context_, out.data(), out.size(), 0) == 1, "random bytes");
  }

  // C2SP XAES-256-GCM: a key for each half of a 24-byte nonce by SP 800-108 with CMAC, then AES-256-GCM (SP 800-38D). Random 96-bit
  // nonces alone would end a key's life after 2^32 messages, some weeks of traffic.
  void seal(ByteView key, ByteView nonce, ByteView bound, ByteView plain, std::span<std::uint8_t> out) const override {
    const Secret inner = inner_key(key, nonce);
    const CipherCtx ctx(EVP_CIPHER_CTX_new());
    int size = 0;
    must(ctx && EVP_EncryptInit_ex2(ctx.get(), gcm_, inner.bytes().data(), nonce.subspan(12).data(), nullptr) == 1 &&
             (bound.empty() || EVP_EncryptUpdate(ctx.get(), nullptr, &size, bound.data(), static_cast<int>(bound.size())) == 1) &&
             (plain.empty() || EVP_EncryptUpdate(ctx.get(), out.data(), &size, plain.data(), static_cast<int>(plain.size())) == 1) &&
             EVP_EncryptFinal_ex(ctx.get(), out.data() + plain.size(), &size) == 1 &&
             EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(kTagSize), out.data() + plain.size()) == 1,
         "AES-256-GCM");
  }

  bool open(ByteView key, ByteView nonce, ByteView bound, ByteView cipher, std::span<std::uint8_t> plain) const override {
    if (cipher.size() != plain.size() + kTagSize) return false;
    const Secret inner = inner_key(key, nonce);
    const CipherCtx ctx(EVP_CIPHER_CTX_new());
    int size = 0;
    std::array<std::uint8_t, kTagSize> tag{}, rest{};
    std::ranges::copy(cipher.last(kTagSize), tag.begin());
    must(ctx && EVP_DecryptInit_ex2(ctx.get(), gcm_, inner.bytes().data(), nonce.subspan(12).data(), nullptr) == 1 &&
             EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(kTagSize), tag.data()) == 1,
         "AES-256-GCM");
    const bool good = (bound.empty() || EVP_DecryptUpdate(ctx.get(), nullptr, &size, bound.data(), static_cast<int>(bound.size())) == 1) &&
                      (plain.empty() || EVP_DecryptUpdate(ctx.get(), plain.data(), &size, cipher.data(), static_cast<int>(plain.size())) == 1) &&
                      EVP_DecryptFinal_ex(ctx.get(), rest.data(), &size) == 1;
    if (!good) wipe(plain.data(), plain.size());
    return good;
  }

  Mac mac(ByteView key, ByteView bytes) const override {
    Mac out{};
    const MacCtx ctx(EVP_MAC_CTX_new(hmac_));
    const std::array params{text(OSSL_MAC_PARAM_DIGEST, "SHA256"), OSSL_PARAM_construct_end()};
    std::size_t size = 0;
    must(ctx && EVP_MAC_init(ctx.get(), key.data(), key.size(), params.data()) == 1 && EVP_MAC_update(ctx.get(), bytes.data(), bytes.size()) == 1 &&
             EVP_MAC_final(ctx.get(), out.data(), &size, out.size()) == 1 && size == out.size(),
         "HMAC");
    return out;
  }

  // SP 800-108 section 4.1, counter mode with HMAC-SHA-256; label: the context, context: the number.
  Mac child_key(ByteView key, std::uint8_t level, std::uint8_t child) const override {
    std::array<std::uint8_t, kTreeSays.size() + 2> text;
    std::ranges::copy(kTreeSays, text.begin());
    text[kTreeSays.size()] = level;
    text[kTreeSays.size() + 1] = child;
    return mac(key, text);
  }
  Secret derive(const Secret& key, std::string_view context, std::uint64_t number, std::size_t size) const override {
    Secret out(size);
    Bytes info;
    ByteWriter(info).u64(number);
    const KdfCtx ctx(EVP_KDF_CTX_new(kbkdf_));
    const std::array params{text(OSSL_KDF_PARAM_MODE, "COUNTER"), text(OSSL_KDF_PARAM_MAC, "HMAC"), text(OSSL_KDF_PARAM_DIGEST, "SHA256"),
                            octets(OSSL_KDF_PARAM_KEY, key.bytes()), octets(OSSL_KDF_PARAM_SALT, as_bytes(context)), octets(OSSL_KDF_PARAM_INFO, info),
                            OSSL_PARAM_construct_end()};
    must(ctx && EVP_KDF_derive(ctx.get(), out.writable().data(), size, params.data()) == 1, "KBKDF");
    return out;
  }

  PassphraseCost standard_cost() const override { return {kStandardIterations, 0}; }

  Result<Secret> passphrase_key(const Secret& passphrase, ByteView salt, PassphraseCost cost) const override {
    if (cost.passes < kMinIterations || cost.passes > kMaxIterations || cost.memory_bytes != 0)
      return fail("asks for an absurd PBKDF2 cost; the file is damaged or not ours");
    Secret key(kKeySize);
    std::uint64_t iterations = cost.passes;
    const KdfCtx ctx(EVP_KDF_CTX_new(pbkdf2_));
    const std::array params{text(OSSL_KDF_PARAM_DIGEST, "SHA512"), octets(OSSL_KDF_PARAM_PASSWORD, passphrase.bytes()), octets(OSSL_KDF_PARAM_SALT, salt),
                            OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_ITER, &iterations), OSSL_PARAM_construct_end()};
    must(ctx && EVP_KDF_derive(ctx.get(), key.writable().data(), key.size(), params.data()) == 1, "PBKDF2");
    return key;
  }

  // A signing key is the scalar and then x; of the two scalars of an x the one is kept whose y is even.
  Secret new_signing_key() const override {
    for (;;) {
      BoxKey made = new_box_key();
      if (made.public_key[0] != 2) continue;
      Secret key(2 * kScalar);
      std::memcpy(key.writable().data(), made.secret.bytes().data(), kScalar);
      std::memcpy(key.writable().data() + kScalar, made.public_key.data() + 1, kScalar);
      return key;
    }
  }

  bool is_signing_key(const Secret& secret) const override { return secret.size() == 2 * kScalar; }

  PublicKey public_key(const Secret& signing_key) const override {
    must(is_signing_key(signing_key), "a signing key of another profile");
    PublicKey key{};
    std::ranges::copy(signing_key.bytes().last(kScalar), key.begin());
    return key;
  }

  Signature sign(const Secret& signing_key, ByteView bytes) const override {
    const Pkey key = pkey(p256::even_point(public_key(signing_key)), signing_key.bytes().first(kScalar));
    const MdCtx ctx(EVP_MD_CTX_new());
    std::array<std::uint8_t, 80> der{};
    std::size_t size = der.size();
    must(key && ctx && EVP_DigestSignInit_ex(ctx.get(), nullptr, "SHA256", context_, nullptr, key.get(), nullptr) == 1 &&
             EVP_DigestSign(ctx.get(), der.data(), &size, bytes.data(), bytes.size()) == 1,
         "an ECDSA signature");
    const std::optional<Signature> signature = p256::signature_in(ByteView(der).first(size));
    must(signature.has_value(), "an ECDSA signature's form");
    return p256::with_low_s(*signature);
  }

  bool verify(const PublicKey& public_key, ByteView bytes, const Signature& signature) const override {
    return p256::verify(p256::even_point(public_key), bytes, p256::der_of(signature), context_);
  }

  BoxKey new_box_key() const override {
    const PkeyCtx ctx(EVP_PKEY_CTX_new_from_name(context_, "EC", nullptr));
    const std::array params{text(OSSL_PKEY_PARAM_GROUP_NAME, "P-256"), text(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "compressed"), OSSL_PARAM_construct_end()};
    EVP_PKEY* raw = nullptr;
    must(ctx && EVP_PKEY_keygen_init(ctx.get()) == 1 && EVP_PKEY_CTX_set_params(ctx.get(), params.data()) == 1 && EVP_PKEY_generate(ctx.get(), &raw) == 1,
         "making a P-256 key");
    const Pkey key(raw);
    BIGNUM* number = nullptr;
    BoxKey out{Secret(kScalar), Bytes(kPoint)};
    must(EVP_PKEY_get_bn_param(key.get(), OSSL_PKEY_PARAM_PRIV_KEY, &number) == 1, "reading a P-256 key");
    const Number scalar(number);
    std::array<std::uint8_t, 80> point{};
    std::size_t size = 0;
    must(BN_bn2binpad(scalar.get(), out.secret.writable().data(), kScalar) == kScalar &&
             EVP_PKEY_get_octet_string_param(key.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size(), &size) == 1 && (size == kPoint || size == 65),
         "reading a P-256 key");
    if (size == 65) point[0] = static_cast<std::uint8_t>(2 + (point[64] & 1));
    std::copy_n(point.begin(), kPoint, out.public_key.begin());
    return out;
  }

  std::size_t box_overhead() const override { return kPoint + kTagSize; }

  // One-pass Diffie-Hellman (SP 800-56A section 6.2.2.2) with a fresh key, one-step KDF with HMAC (SP 800-56C section 4.1, option 2),
  // then the authenticated encryption above. The key serves once, so the nonce may be zeros.
  Result<Bytes> box(ByteView public_key, ByteView plain) const override {
    const Pkey theirs = public_key.size() == kPoint ? pkey(public_key, {}) : nullptr;
    if (!theirs) return fail("is no P-256 public key");
    const BoxKey fresh = new_box_key();
    const std::optional<Secret> key = shared_key(fresh, theirs.get(), fresh.public_key, public_key);
    if (!key) return fail("is no P-256 public key");
    Bytes out(kPoint + plain.size() + kTagSize);
    std::ranges::copy(fresh.public_key, out.begin());
    seal(key->bytes(), std::array<std::uint8_t, kNonceSize>{}, {}, plain, std::span(out).subspan(kPoint));
    return out;
  }

  bool unbox(const BoxKey& own, ByteView boxed, std::span<std::uint8_t> plain) const override {
    if (own.secret.size() != kScalar || own.public_key.size() != kPoint || boxed.size() != plain.size() + box_overhead()) return false;
    const Pkey theirs = pkey(boxed.first(kPoint), {});
    if (!theirs) return false;
    const std::optional<Secret> key = shared_key(own, theirs.get(), boxed.first(kPoint), own.public_key);
    return key && open(key->bytes(), std::array<std::uint8_t, kNonceSize>{}, {}, boxed.subspan(kPoint), plain);
  }

 private:
  static std::string version_of(OSSL_PROVIDER* provider) {
    char* version = nullptr;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_ptr(OSSL_PROV_PARAM_VERSION, &version, 0), OSSL_PARAM_construct_end()};
    return OSSL_PROVIDER_get_params(provider, params) == 1 && version != nullptr ? version : "of unknown version";
  }

  // Null for bytes that are no point of the curve.
  Pkey pkey(ByteView point, ByteView scalar) const {
    const Build build(OSSL_PARAM_BLD_new());
    const Number number(scalar.empty() ? nullptr : BN_secure_new());
    if (!scalar.empty()) must(number && BN_bin2bn(scalar.data(), static_cast<int>(scalar.size()), number.get()) != nullptr, "a P-256 key");
    must(build && OSSL_PARAM_BLD_push_utf8_string(build.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
             OSSL_PARAM_BLD_push_octet_string(build.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) == 1 &&
             (scalar.empty() || OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_PRIV_KEY, number.get()) == 1),
         "a P-256 key");
    const Params params(OSSL_PARAM_BLD_to_param(build.get()));
    const PkeyCtx ctx(EVP_PKEY_CTX_new_from_name(context_, "EC", nullptr));
    EVP_PKEY* key = nullptr;
    must(params && ctx && EVP_PKEY_fromdata_init(ctx.get()) == 1, "a P-256 key");
    if (EVP_PKEY_fromdata(ctx.get(), &key, scalar.empty() ? EVP_PKEY_PUBLIC_KEY : EVP_PKEY_KEYPAIR, params.get()) != 1) return nullptr;
    return Pkey(key);
  }

  std::optional<Secret> shared_key(const BoxKey& own, EVP_PKEY* theirs, ByteView sender, ByteView receiver) const {
    const Pkey mine = pkey(own.public_key, own.secret.bytes());
    if (!mine) return std::nullopt;
    const PkeyCtx ctx(EVP_PKEY_CTX_new_from_pkey(context_, mine.get(), nullptr));
    // counter | Z | sender | receiver, in locked memory because of Z
    Secret input(4 + kScalar + 2 * kPoint);
    const std::span<std::uint8_t> at = input.writable();
    std::size_t size = kScalar;
    if (!ctx || EVP_PKEY_derive_init(ctx.get()) != 1 || EVP_PKEY_derive_set_peer(ctx.get(), theirs) != 1 ||
        EVP_PKEY_derive(ctx.get(), at.data() + 4, &size) != 1 || size != kScalar)
      return std::nullopt;
    at[3] = 1;
    std::ranges::copy(sender, at.begin() + 4 + kScalar);
    std::ranges::copy(receiver, at.begin() + 4 + kScalar + kPoint);
    Mac key = mac(as_bytes("postern sealed box 1"), input.bytes());
    Secret out{std::span<const std::uint8_t>(key)};
    wipe(key.data(), key.size());
    return out;
  }

  Secret inner_key(ByteView key, ByteView nonce) const {
    Secret inner(kKeySize);
    const std::array params{text(OSSL_MAC_PARAM_CIPHER, "AES-256-CBC"), OSSL_PARAM_construct_end()};
    for (std::uint8_t half = 0; half < 2; ++half) {
      std::array<std::uint8_t, 16> block{0, static_cast<std::uint8_t>(half + 1), 'X', 0};
      std::copy_n(nonce.begin(), 12, block.begin() + 4);
      const MacCtx ctx(EVP_MAC_CTX_new(cmac_));
      std::size_t size = 0;
      must(ctx && EVP_MAC_init(ctx.get(), key.data(), key.size(), params.data()) == 1 && EVP_MAC_update(ctx.get(), block.data(), block.size()) == 1 &&
               EVP_MAC_final(ctx.get(), inner.writable().data() + 16 * half, &size, 16) == 1 && size == 16,
           "CMAC");
    }
    return inner;
  }

  OSSL_LIB_CTX* context_;
  bool validated_ = false;
  std::string name_;
  EVP_MAC *hmac_ = nullptr, *cmac_ = nullptr;
  EVP_KDF *kbkdf_ = nullptr, *pbkdf2_ = nullptr;
  EVP_CIPHER* gcm_ = nullptr;
};

}  // namespace

const Suite& fips_suite() {
  static const Fips suite;
  return suite;
}

}  // namespace postern
