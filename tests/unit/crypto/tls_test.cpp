// SPDX-License-Identifier: Apache-2.0
// The TLS policy against a public key infrastructure that the openssl program makes for the occasion: who is
// let in, who is not, and by what word.
#include "crypto/tls.hpp"

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cstdlib>
#include <functional>

#include "tests/support/temp_folder.hpp"

#pragma GCC diagnostic ignored "-Wold-style-cast"  // OpenSSL's macros

namespace postern {
namespace {

struct BioFree { void operator()(BIO* b) const { BIO_free(b); } };

// Certificates by name: made once for the whole program, since keys take time.
class Pki {
 public:
  static const Pki& instance() {
    static const Pki pki;
    return pki;
  }
  std::string operator/(const std::string& name) const { return folder_ / name; }
  TlsFiles files(const std::string& name, const std::string& ca = "ca") const {
    TlsFiles f;
    f.certificate = folder_ / (name + ".pem");
    f.key = folder_ / (name + ".key");
    f.ca = folder_ / (ca + ".pem");
    return f;
  }

 private:
  Pki() {
    write_all(folder_ / "ca.cnf", R"(
[ca]
default_ca = it
[it]
dir = .
database = index.txt
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
default_crl_days = 30
unique_subject = no
copy_extensions = none
[any]
commonName = supplied
[client]
basicConstraints = critical,CA:FALSE
extendedKeyUsage = clientAuth
subjectAltName = DNS:core.bank.example,URI:spiffe://bank.example/core
[server]
basicConstraints = critical,CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = DNS:smsc.example,DNS:*.wild.example,IP:127.0.0.1
[client_nosan]
basicConstraints = critical,CA:FALSE
extendedKeyUsage = clientAuth
[server_nosan]
basicConstraints = critical,CA:FALSE
extendedKeyUsage = serverAuth
[nulsan]
basicConstraints = critical,CA:FALSE
extendedKeyUsage = clientAuth
subjectAltName = DER:30:19:82:17:63:6f:72:65:2e:62:61:6e:6b:2e:65:78:61:6d:70:6c:65:00:2e:65:76:69:6c
[mailsan]
basicConstraints = critical,CA:FALSE
extendedKeyUsage = clientAuth
subjectAltName = email:core@bank.example
)");
    write_all(folder_ / "index.txt", std::string());
    write_all(folder_ / "serial", std::string("1000\n"));
    authority("ca");
    authority("other-ca");
    leaf("good", "client", "-days 30");
    leaf("server", "server", "-days 30");
    leaf("expired", "client", "-startdate 20200101000000Z -enddate 20210101000000Z");
    leaf("future", "client", "-startdate 20900101000000Z -enddate 20910101000000Z");
    leaf("revoked", "client", "-days 30");
    leaf("nosan", "client_nosan", "-days 30");
    leaf("mailsan", "mailsan", "-days 30");
    leaf("nulsan", "nulsan", "-days 30");
    leaf("server-nosan", "server_nosan", "-days 30", "smsc.example");
    leaf("server-expired", "server", "-startdate 20200101000000Z -enddate 20210101000000Z");
    leaf("stranger", "client", "-days 30", "stranger", "other-ca");
    run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout selfsigned.key -out selfsigned.pem -subj /CN=self -days 30 "
        "-addext 'subjectAltName=URI:spiffe://bank.example/core'");
    run("openssl ca -config ca.cnf -batch -cert ca.pem -keyfile ca.key -revoke revoked.pem");
    run("openssl ca -config ca.cnf -batch -cert ca.pem -keyfile ca.key -gencrl -out crl.pem");
    run("openssl ca -config ca.cnf -batch -cert ca.pem -keyfile ca.key -gencrl -crl_lastupdate 20200101000000Z "
        "-crl_nextupdate 20200201000000Z -out crl-old.pem");
    run("openssl ca -config ca.cnf -batch -cert other-ca.pem -keyfile other-ca.key -gencrl -out crl-other.pem");
    run("chmod 0400 *.key");
  }

  void run(const std::string& command) {
    const std::string line = "cd '" + folder_.path() + "' && (" + command + ") >>log.txt 2>&1";
    if (std::system(line.c_str()) == 0) return;
    std::fprintf(stderr, "the test's certificates could not be made: %s\n", command.c_str());
    (void)!std::system(("tail -5 '" + folder_.path() + "/log.txt' >&2").c_str());
    std::abort();
  }
  void authority(const std::string& name) {
    run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout " + name + ".key -out " + name + ".pem -subj '/CN=" + name +
        "' -days 3650 -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign'");
  }
  void leaf(const std::string& name, const std::string& extensions, const std::string& dates, const std::string& cn = {}, const std::string& ca = "ca") {
    run("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout " + name + ".key -out " + name + ".csr -subj '/CN=" +
        (cn.empty() ? name : cn) + "'");
    run("openssl ca -config ca.cnf -batch -notext -cert " + ca + ".pem -keyfile " + ca + ".key -extensions " + extensions + " -in " + name +
        ".csr -out " + name + ".pem " + dates);
  }

  TempFolder folder_;
};

struct Side {
  SslHandle ssl;
  int result = 0;       // of the last SSL_do_handshake
  int error = SSL_ERROR_WANT_READ;
};

void join(Side& one, Side& two) {
  BIO *a = nullptr, *b = nullptr;
  ASSERT_EQ(BIO_new_bio_pair(&a, 65536, &b, 65536), 1);
  SSL_set_bio(one.ssl.get(), a, a);
  SSL_set_bio(two.ssl.get(), b, b);
}

// Both handshakes, in turns, until both are over; gives why the server's failed, empty when it did not.
struct Meeting {
  Side client, server;
  std::string server_failure, client_failure, seen;

  bool both() const { return server_failure.empty() && client_failure.empty() && client.result == 1 && server.result == 1; }
};

Meeting meet(const TlsFiles& client_files, const TlsFiles& server_files, const std::string& host, bool open_server = false) {
  Meeting m;
  Result<SslContext> server_context = open_server ? make_tls_open_server(server_files) : make_tls_server(server_files);
  Result<SslContext> client_context = make_tls_client(client_files);
  EXPECT_TRUE(server_context.has_value()) << server_context.what();
  EXPECT_TRUE(client_context.has_value()) << client_context.what();
  if (!server_context || !client_context) return m;
  Result<SslHandle> handle = make_client_ssl(client_context->get(), host);
  EXPECT_TRUE(handle.has_value()) << handle.what();
  if (!handle) return m;
  m.client.ssl = std::move(*handle);
  m.server.ssl = make_server_ssl(server_context->get());
  join(m.client, m.server);
  for (int i = 0; i < 20; ++i) {
    for (Side* side : {&m.client, &m.server}) {
      if (side->result == 1 || (side->error != SSL_ERROR_WANT_READ && side->error != SSL_ERROR_WANT_WRITE)) continue;
      side->result = SSL_do_handshake(side->ssl.get());
      side->error = side->result == 1 ? SSL_ERROR_NONE : SSL_get_error(side->ssl.get(), side->result);
      if (side->result == 1 || side->error == SSL_ERROR_WANT_READ || side->error == SSL_ERROR_WANT_WRITE) continue;
      const HandshakeFailure failure = handshake_failure(side->ssl.get());
      (side == &m.server ? m.server_failure : m.client_failure) = failure.reason;
      if (side == &m.server) m.seen = failure.fingerprint;
    }
  }
  return m;
}

class Tls : public testing::Test {
 protected:
  const Pki& pki = Pki::instance();
  TlsFiles server() const {
    TlsFiles f = pki.files("server");
    f.crl = pki / "crl.pem";
    return f;
  }
  std::string refused_as(const std::string& client) { return meet(pki.files(client), server(), "smsc.example").server_failure; }
};

TEST_F(Tls, AGoodClientIsLetInAndKnownByItsNames) {
  const Meeting m = meet(pki.files("good"), server(), "smsc.example");
  ASSERT_TRUE(m.both()) << m.server_failure << " " << m.client_failure;
  const Result<PeerIdentity> peer = peer_identity(m.server.ssl.get());
  ASSERT_TRUE(peer.has_value()) << peer.what();
  EXPECT_EQ(peer->names, (std::vector<std::string>{"spiffe://bank.example/core", "core.bank.example"})) << "URIs first";
  EXPECT_EQ(peer->fingerprint.size(), 64U);
  EXPECT_EQ(peer->serial.size() % 2, 0U);
  EXPECT_TRUE(tls_description(m.server.ssl.get()).starts_with("TLSv1.3 TLS_"));
}

TEST_F(Tls, EveryBadClientIsRefusedByItsWord) {
  EXPECT_EQ(refused_as("expired"), "expired");
  EXPECT_EQ(refused_as("future"), "not-yet-valid");
  EXPECT_EQ(refused_as("stranger"), "unknown-ca");
  EXPECT_EQ(refused_as("selfsigned"), "self-signed");
  EXPECT_EQ(refused_as("revoked"), "revoked");
  EXPECT_EQ(refused_as("server"), "wrong-purpose");
}

TEST_F(Tls, AClientWithoutACertificateIsRefused) {
  TlsFiles none;
  none.ca = pki / "ca.pem";
  EXPECT_EQ(meet(none, server(), "smsc.example").server_failure, "no-certificate");
}

TEST_F(Tls, ARefusalNamesTheCertificateThatWasSeen) {
  const Meeting m = meet(pki.files("revoked"), server(), "smsc.example");
  EXPECT_EQ(m.seen.size(), 64U);
}

TEST_F(Tls, ACertificateWithoutAUriOrDnsNameHasNoIdentity) {
  for (const char* name : {"nosan", "mailsan"}) {
    const Meeting m = meet(pki.files(name), server(), "smsc.example");
    ASSERT_TRUE(m.both()) << name;
    EXPECT_FALSE(peer_identity(m.server.ssl.get()).has_value()) << name;
  }
}

TEST_F(Tls, ANameWithANulIsNoIdentity) {
  const Meeting m = meet(pki.files("nulsan"), server(), "smsc.example");
  ASSERT_TRUE(m.both()) << m.server_failure;
  const Result<PeerIdentity> peer = peer_identity(m.server.ssl.get());
  ASSERT_FALSE(peer.has_value());
  EXPECT_NE(peer.what().find("NUL"), std::string::npos);
}

TEST_F(Tls, AnOldOrMissingRevocationListLetsNobodyIn) {
  TlsFiles old = server();
  old.crl = pki / "crl-old.pem";
  EXPECT_EQ(meet(pki.files("good"), old, "smsc.example").server_failure, "crl-expired");
  TlsFiles foreign = server();
  foreign.crl = pki / "crl-other.pem";
  EXPECT_EQ(meet(pki.files("good"), foreign, "smsc.example").server_failure, "crl-missing");
  TlsFiles without = pki.files("server");
  EXPECT_FALSE(make_tls_server(without).has_value()) << "a server for clients needs a list, or the word that none is wanted";
  without.crl_optional = true;
  EXPECT_TRUE(make_tls_server(without).has_value());
}

// ---- the client's view of servers ----

TEST_F(Tls, TheServerMustProveTheNameThatWasAskedFor) {
  const auto failure = [&](const std::string& host) { return meet(pki.files("good"), server(), host).client_failure; };
  EXPECT_EQ(failure("smsc.example"), "");
  EXPECT_EQ(failure("127.0.0.1"), "");
  EXPECT_EQ(failure("a.wild.example"), "");
  for (const char* host : {"other.example", "127.0.0.2", "smsc.example.evil", "a.b.wild.example", "wild.example", "::1"})
    EXPECT_EQ(failure(host), "host-mismatch") << host;
}

TEST_F(Tls, TheSubjectsCommonNameDoesNotStandInForAMissingName) {
  TlsFiles nosan = pki.files("server-nosan");
  nosan.crl = pki / "crl.pem";
  EXPECT_EQ(meet(pki.files("good"), nosan, "smsc.example").client_failure, "host-mismatch");
}

TEST_F(Tls, AServerOfAnotherAuthorityOrExpiredIsRefused) {
  EXPECT_EQ(meet(pki.files("good", "other-ca"), server(), "smsc.example").client_failure, "unknown-ca");
  TlsFiles old = pki.files("server-expired");
  old.crl = pki / "crl.pem";
  EXPECT_EQ(meet(pki.files("good"), old, "smsc.example").client_failure, "expired");
  TlsFiles wrong = pki.files("good");
  wrong.crl = pki / "crl.pem";
  EXPECT_EQ(meet(pki.files("good"), wrong, "core.bank.example").client_failure, "wrong-purpose");
}

TEST_F(Tls, AnOpenServerAsksForNoCertificate) {
  TlsFiles none;
  none.ca = pki / "ca.pem";
  const Meeting m = meet(none, pki.files("server"), "smsc.example", /*open_server=*/true);
  EXPECT_TRUE(m.both()) << m.server_failure << m.client_failure;
  EXPECT_FALSE(peer_identity(m.server.ssl.get()).has_value());
}

// ---- versions and ciphers ----

TEST_F(Tls, Version12IsRefusedUnlessItIsAllowed) {
  const auto meet12 = [&](bool allowed) {
    TlsFiles s = server();
    s.allow_tls12 = allowed;
    const Result<SslContext> context = make_tls_server(s);
    EXPECT_TRUE(context.has_value());
    TlsFiles c = pki.files("good");
    c.allow_tls12 = true;
    const Result<SslContext> client_context = make_tls_client(c);
    SSL_CTX_set_max_proto_version(client_context->get(), TLS1_2_VERSION);
    Side client{std::move(*make_client_ssl(client_context->get(), "smsc.example"))}, peer{make_server_ssl(context->get())};
    join(client, peer);
    for (int i = 0; i < 20 && (client.result != 1 || peer.result != 1); ++i) {
      client.result = SSL_do_handshake(client.ssl.get());
      peer.result = SSL_do_handshake(peer.ssl.get());
    }
    return client.result == 1 && peer.result == 1 ? tls_description(peer.ssl.get()) : handshake_failure(peer.ssl.get()).reason;
  };
  EXPECT_EQ(meet12(false), "protocol");
  const std::string with = meet12(true);
  EXPECT_TRUE(with.starts_with("TLSv1.2 ECDHE-")) << with;
  EXPECT_TRUE(with.find("GCM") != std::string::npos || with.find("CHACHA20") != std::string::npos) << with;
}

TEST_F(Tls, OnlyAeadCiphersWithForwardSecrecyAreOffered) {
  TlsFiles s = server();
  s.allow_tls12 = true;
  const Result<SslContext> context = make_tls_server(s);
  ASSERT_TRUE(context.has_value());
  STACK_OF(SSL_CIPHER)* ciphers = SSL_CTX_get_ciphers(context->get());
  ASSERT_GT(sk_SSL_CIPHER_num(ciphers), 0);
  for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); ++i) {
    const SSL_CIPHER* cipher = sk_SSL_CIPHER_value(ciphers, i);
    EXPECT_EQ(SSL_CIPHER_is_aead(cipher), 1) << SSL_CIPHER_get_name(cipher);
    const std::string name = SSL_CIPHER_get_name(cipher);
    EXPECT_TRUE(name.starts_with("TLS_") || name.starts_with("ECDHE-")) << name;
  }
}

// ---- files ----

TEST_F(Tls, FilesThatDoNotFitAreRefusedWithTheirNames) {
  const auto refusal = [](const TlsFiles& f) {
    const Result<SslContext> context = make_tls_server(f);
    return context ? std::string() : context.what();
  };
  TlsFiles f = server();
  f.certificate = pki / "none.pem";
  EXPECT_NE(refusal(f).find("none.pem"), std::string::npos);
  f = server();
  f.key = pki / "good.key";
  EXPECT_NE(refusal(f).find("good.key"), std::string::npos) << "a key of another certificate";
  f = server();
  f.ca = pki / "none.pem";
  EXPECT_NE(refusal(f).find("none.pem"), std::string::npos);
  f = server();
  f.crl = pki / "ca.pem";
  EXPECT_NE(refusal(f).find("ca.pem"), std::string::npos) << "a certificate is no revocation list";
}

TEST_F(Tls, AKeyThatOthersMayReadIsRefused) {
  TempFolder folder;
  std::filesystem::copy_file(pki / "server.key", folder / "open.key");
  ASSERT_EQ(chmod((folder / "open.key").c_str(), 0444), 0);
  TlsFiles f = server();
  f.key = folder / "open.key";
  EXPECT_FALSE(make_tls_server(f).has_value());
}

TEST_F(Tls, TheEarliestEndOfAChainIsTold) {
  TempFolder folder;
  const Bytes good = read_all(pki / "good.pem"), expired = read_all(pki / "expired.pem");
  Bytes both = good;
  both.insert(both.end(), expired.begin(), expired.end());
  write_all(folder / "chain.pem", ByteView(both));
  EXPECT_EQ(*certificate_not_after(folder / "chain.pem"), 1'609'459'200) << "2021-01-01";
  EXPECT_GT(*certificate_not_after(pki / "good.pem"), *certificate_not_after(folder / "chain.pem"));
  EXPECT_FALSE(certificate_not_after(pki / "good.key").has_value());
  EXPECT_FALSE(certificate_not_after(folder / "none").has_value());
}

}  // namespace
}  // namespace postern
