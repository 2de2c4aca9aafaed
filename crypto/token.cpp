// SPDX-License-Identifier: Apache-2.0
#include "crypto/token.hpp"

#include <dlfcn.h>
#include <p11-kit/pkcs11.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#pragma GCC diagnostic ignored "-Wold-style-cast"  // the standard's constants are casts

namespace postern::token {
namespace {

constexpr std::size_t kNonce = 12, kTag = 16;
// Bound into AES-GCM: what is encrypted for something else does not decrypt as a slot's secret.
constexpr std::string_view kBound = "postern keyring slot";

struct LibraryClose { void operator()(void* handle) const { dlclose(handle); } };

std::string meaning(CK_RV code) {
  switch (code) {
    case CKR_PIN_INCORRECT: return "the PIN is wrong; the token locks itself after a few wrong ones, so look before you try again";
    case CKR_PIN_LOCKED: return "the PIN is locked; the token's security officer must unlock it";
    case CKR_PIN_LEN_RANGE: return "a PIN of this length is impossible";
    case CKR_TOKEN_NOT_PRESENT: return "the token is not there";
    case CKR_TOKEN_NOT_RECOGNIZED: return "the token is not recognised";
    case CKR_DEVICE_ERROR: return "the device failed";
    case CKR_DEVICE_REMOVED: return "the device was removed";
    case CKR_USER_PIN_NOT_INITIALIZED: return "the token has no user PIN yet";
    case CKR_KEY_FUNCTION_NOT_PERMITTED: return "the key may not be used for this";
    case CKR_ENCRYPTED_DATA_INVALID:
    case CKR_ENCRYPTED_DATA_LEN_RANGE: return "what the slot holds was not encrypted by this key, or is damaged";
    default: return "error " + to_hex(std::array{static_cast<std::uint8_t>(code >> 24), static_cast<std::uint8_t>(code >> 16),
                                                 static_cast<std::uint8_t>(code >> 8), static_cast<std::uint8_t>(code)}) + " of PKCS#11";
  }
}

std::string label_of(const unsigned char* text, std::size_t size) {
  std::string label(reinterpret_cast<const char*>(text), size);
  label.erase(label.find_last_not_of(std::string_view(" \0", 2)) + 1);
  return label;
}

template <class T>
CK_ATTRIBUTE attribute(CK_ATTRIBUTE_TYPE type, T& value) { return {type, &value, sizeof value}; }
CK_ATTRIBUTE text_attribute(CK_ATTRIBUTE_TYPE type, const std::string& text) {
  return {type, const_cast<char*>(text.data()), static_cast<CK_ULONG>(text.size())};
}

// A module with one session in which the user is logged in.
class Session {
 public:
  // `serial` empty: any token of the label.
  static Result<std::unique_ptr<Session>> open(const std::string& module, const std::string& token, const std::string& serial, const Secret& pin, bool writes) {
    const auto refused = [&](const std::string& why) { return fail("PKCS#11 module " + module + ": " + why); };
    std::unique_ptr<Session> session(new Session);
    if (module.empty() || module.front() != '/') return refused("give its whole path, beginning with /");
    session->library_.reset(dlopen(module.c_str(), RTLD_NOW | RTLD_LOCAL));
    if (!session->library_) return refused(std::string("cannot be loaded: ") + dlerror());
    const auto get = reinterpret_cast<CK_C_GetFunctionList>(dlsym(session->library_.get(), "C_GetFunctionList"));
    if (get == nullptr || get(&session->f_) != CKR_OK || session->f_ == nullptr) return refused("is no PKCS#11 module");
    if (const CK_RV done = session->f_->C_Initialize(nullptr); done != CKR_OK && done != CKR_CRYPTOKI_ALREADY_INITIALIZED) return refused(meaning(done));
    session->initialised_ = true;
    const Result<CK_SLOT_ID> slot = session->find_token(token, serial);
    if (!slot) return refused(slot.what());
    const CK_FLAGS flags = CKF_SERIAL_SESSION | (writes ? CKF_RW_SESSION : 0UL);
    if (const CK_RV done = session->f_->C_OpenSession(*slot, flags, nullptr, nullptr, &session->handle_); done != CKR_OK) return refused(meaning(done));
    session->open_ = true;
    const CK_RV in = session->f_->C_Login(session->handle_, CKU_USER, const_cast<unsigned char*>(pin.bytes().data()), pin.size());
    if (in != CKR_OK && in != CKR_USER_ALREADY_LOGGED_IN) return fail("token '" + token + "': " + meaning(in));
    return session;
  }
  ~Session() {
    if (open_) f_->C_CloseSession(handle_);
    if (initialised_) f_->C_Finalize(nullptr);
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  CK_FUNCTION_LIST* operator->() const { return f_; }
  CK_SESSION_HANDLE handle() const { return handle_; }
  const std::string& serial() const { return serial_; }

  std::vector<CK_OBJECT_HANDLE> find(CK_OBJECT_CLASS type, const std::string& label) const {
    std::array wanted{attribute(CKA_CLASS, type), text_attribute(CKA_LABEL, label)};
    std::array<CK_OBJECT_HANDLE, 8> found{};
    CK_ULONG count = 0;
    if (f_->C_FindObjectsInit(handle_, wanted.data(), wanted.size()) != CKR_OK) return {};
    if (f_->C_FindObjects(handle_, found.data(), found.size(), &count) != CKR_OK) count = 0;
    f_->C_FindObjectsFinal(handle_);
    return {found.begin(), found.begin() + static_cast<std::ptrdiff_t>(std::min<CK_ULONG>(count, found.size()))};
  }

  CK_ULONG number(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) const {
    CK_ULONG value = ~0UL;
    CK_ATTRIBUTE wanted = attribute(type, value);
    return f_->C_GetAttributeValue(handle_, object, &wanted, 1) == CKR_OK ? value : ~0UL;
  }
  bool is(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, bool otherwise) const {
    CK_BBOOL value = CK_FALSE;
    CK_ATTRIBUTE wanted = attribute(type, value);
    return f_->C_GetAttributeValue(handle_, object, &wanted, 1) == CKR_OK ? value == CK_TRUE : otherwise;
  }

 private:
  Session() = default;

  Result<CK_SLOT_ID> find_token(const std::string& label, const std::string& serial) {
    std::array<CK_SLOT_ID, 64> slots{};
    CK_ULONG count = slots.size();
    if (const CK_RV done = f_->C_GetSlotList(CK_TRUE, slots.data(), &count); done != CKR_OK) return fail(meaning(done));
    bool other_serial = false;
    for (CK_ULONG i = 0; i < count; ++i) {
      CK_TOKEN_INFO info{};
      if (f_->C_GetTokenInfo(slots[i], &info) != CKR_OK || label_of(info.label, sizeof info.label) != label) continue;
      serial_ = label_of(info.serialNumber, sizeof info.serialNumber);
      if (serial.empty() || serial_ == serial) return slots[i];
      other_serial = true;
    }
    if (other_serial) return fail("the token '" + label + "' that is there is not the one of this slot (its serial is " + serial_ + ", not " + serial + ")");
    return fail("sees no token '" + label + "'; insert it, or correct the label");
  }

  std::unique_ptr<void, LibraryClose> library_;
  CK_FUNCTION_LIST* f_ = nullptr;
  CK_SESSION_HANDLE handle_ = 0;
  std::string serial_;
  bool initialised_ = false, open_ = false;
};

// The standard's parameters of a mechanism; they point into this object.
class Parameters {
 public:
  Parameters(Mechanism mechanism, ByteView nonce) {
    switch (mechanism) {
      case Mechanism::rsa_oaep_sha256: oaep_ = {CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, nullptr, 0}; break;
      case Mechanism::rsa_oaep_sha1: oaep_ = {CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, nullptr, 0}; break;
      case Mechanism::aes_gcm:
        std::ranges::copy(nonce.first(kNonce), nonce_.begin());
        gcm_.iv_ptr = nonce_.data();
        gcm_.iv_len = kNonce;
        gcm_.iv_bits = kNonce * 8;
        gcm_.aad_ptr = reinterpret_cast<unsigned char*>(const_cast<char*>(kBound.data()));
        gcm_.aad_len = kBound.size();
        gcm_.tag_bits = kTag * 8;
        mechanism_ = {CKM_AES_GCM, &gcm_, sizeof gcm_};
        return;
    }
    mechanism_ = {CKM_RSA_PKCS_OAEP, &oaep_, sizeof oaep_};
  }
  Parameters(const Parameters&) = delete;
  Parameters& operator=(const Parameters&) = delete;
  CK_MECHANISM* get() { return &mechanism_; }

 private:
  CK_RSA_PKCS_OAEP_PARAMS oaep_{};
  CK_GCM_PARAMS gcm_{};
  std::array<std::uint8_t, kNonce> nonce_{};
  CK_MECHANISM mechanism_{};
};

Result<Bytes> encrypted(const Session& session, CK_OBJECT_HANDLE key, Mechanism mechanism, const Secret& secret) {
  Bytes out(1024);
  std::size_t front = 0;
  if (mechanism == Mechanism::aes_gcm) {
    if (session->C_GenerateRandom(session.handle(), out.data(), kNonce) != CKR_OK) return fail("the token gives no random numbers");
    front = kNonce;
  }
  Parameters parameters(mechanism, ByteView(out).first(kNonce));
  CK_ULONG size = out.size() - front;
  CK_RV done = session->C_EncryptInit(session.handle(), parameters.get(), key);
  if (done == CKR_OK) done = session->C_Encrypt(session.handle(), const_cast<unsigned char*>(secret.bytes().data()), secret.size(), out.data() + front, &size);
  if (done != CKR_OK) return fail(meaning(done));
  out.resize(front + size);
  return out;
}

Result<Secret> decrypted(const Session& session, CK_OBJECT_HANDLE key, Mechanism mechanism, ByteView bytes) {
  const std::size_t front = mechanism == Mechanism::aes_gcm ? kNonce : 0;
  if (bytes.size() <= front) return fail(meaning(CKR_ENCRYPTED_DATA_INVALID));
  Parameters parameters(mechanism, bytes);
  Secret plain(1024);
  CK_ULONG size = plain.size();
  CK_RV done = session->C_DecryptInit(session.handle(), parameters.get(), key);
  if (done == CKR_OK)
    done = session->C_Decrypt(session.handle(), const_cast<unsigned char*>(bytes.data()) + front, bytes.size() - front, plain.writable().data(), &size);
  if (done != CKR_OK) return fail(meaning(done));
  if (size != kKeySize) return fail(meaning(CKR_ENCRYPTED_DATA_INVALID));
  return Secret(plain.bytes().first(kKeySize));
}

// The key that decrypts: the private one of a pair, or the secret one.
Result<CK_OBJECT_HANDLE> own_key(const Session& session, const std::string& label, CK_OBJECT_CLASS type) {
  const std::vector<CK_OBJECT_HANDLE> found = session.find(type, label);
  if (found.size() == 1) return found.front();
  return fail(found.empty() ? "the token has no RSA or AES key '" + label + "'; 'postern keys token make-key' makes one"
                            : "the token has several keys '" + label + "'; give the one for Postern a label of its own");
}

}  // namespace

Status make_key(const Place& place, const Secret& pin) {
  const Result<std::unique_ptr<Session>> opened = Session::open(place.module, place.token, "", pin, /*writes=*/true);
  if (!opened) return fail(opened.what());
  const Session& session = **opened;
  if (!session.find(CKO_SECRET_KEY, place.key).empty() || !session.find(CKO_PRIVATE_KEY, place.key).empty())
    return fail("the token has a key '" + place.key + "' already; choose another label");
  CK_MECHANISM mechanism{CKM_AES_KEY_GEN, nullptr, 0};
  CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
  CK_ULONG size = kKeySize;
  std::array wanted{attribute(CKA_TOKEN, yes),     attribute(CKA_PRIVATE, yes), attribute(CKA_SENSITIVE, yes), attribute(CKA_EXTRACTABLE, no),
                    attribute(CKA_ENCRYPT, yes),   attribute(CKA_DECRYPT, yes), attribute(CKA_VALUE_LEN, size), text_attribute(CKA_LABEL, place.key)};
  CK_OBJECT_HANDLE key = 0;
  const CK_RV done = session->C_GenerateKey(session.handle(), &mechanism, wanted.data(), wanted.size(), &key);
  return done == CKR_OK ? Status() : fail("the token made no key: " + meaning(done));
}

Result<TokenFacts> encrypt(const Place& place, const Secret& pin, const Secret& secret) {
  const Result<std::unique_ptr<Session>> opened = Session::open(place.module, place.token, "", pin, /*writes=*/false);
  if (!opened) return fail(opened.what());
  const Session& session = **opened;
  const bool aes = !session.find(CKO_SECRET_KEY, place.key).empty();
  const Result<CK_OBJECT_HANDLE> own = own_key(session, place.key, aes ? CKO_SECRET_KEY : CKO_PRIVATE_KEY);
  if (!own) return fail(own.what());
  // A token that does not say is believed to let the key out.
  if (session.is(*own, CKA_EXTRACTABLE, true) || !session.is(*own, CKA_SENSITIVE, false))
    return fail("key '" + place.key + "' could be taken off the token; use one that is sensitive and not extractable");
  std::vector<Mechanism> mechanisms{Mechanism::aes_gcm};
  CK_OBJECT_HANDLE encrypting = *own;
  if (aes) {
    if (session.number(*own, CKA_KEY_TYPE) != CKK_AES) return fail("key '" + place.key + "' is neither RSA nor AES");
  } else {
    if (session.number(*own, CKA_KEY_TYPE) != CKK_RSA) return fail("key '" + place.key + "' is neither RSA nor AES");
    const Result<CK_OBJECT_HANDLE> open_key = own_key(session, place.key, CKO_PUBLIC_KEY);
    if (!open_key) return fail("the public key beside it: " + open_key.what());
    encrypting = *open_key;
    mechanisms = {Mechanism::rsa_oaep_sha256, Mechanism::rsa_oaep_sha1};
  }
  std::string why;
  for (const Mechanism mechanism : mechanisms) {
    Result<Bytes> out = encrypted(session, encrypting, mechanism, secret);
    if (!out) {
      why = out.what();
      continue;
    }
    // What it cannot decrypt now it will not decrypt on the day.
    const Result<Secret> back = decrypted(session, *own, mechanism, *out);
    if (back && back->equals(secret.bytes()))
      return TokenFacts{place.token, session.serial(), place.key, static_cast<std::uint8_t>(mechanism), std::move(*out)};
    why = back ? "it decrypts to other bytes" : back.what();
  }
  return fail("key '" + place.key + "' cannot protect the slot: " + why);
}

Result<Secret> decrypt(const std::string& module, const TokenFacts& facts, const Secret& pin) {
  if (facts.mechanism < 1 || facts.mechanism > 3) return fail("the slot names a mechanism that this version does not know");
  const auto mechanism = static_cast<Mechanism>(facts.mechanism);
  const Result<std::unique_ptr<Session>> opened = Session::open(module, facts.token, facts.serial, pin, /*writes=*/false);
  if (!opened) return fail(opened.what());
  const Result<CK_OBJECT_HANDLE> key = own_key(**opened, facts.key, mechanism == Mechanism::aes_gcm ? CKO_SECRET_KEY : CKO_PRIVATE_KEY);
  if (!key) return fail(key.what());
  Result<Secret> secret = decrypted(**opened, *key, mechanism, facts.encrypted);
  if (!secret) return fail("key '" + facts.key + "': " + secret.what());
  return secret;
}

}  // namespace postern::token
