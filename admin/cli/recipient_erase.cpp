// SPDX-License-Identifier: Apache-2.0
// The verb recipient erase: destroys a customer's key, waits until no old copy can bring it back, and
// gives the signed certificate.
#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "admin/cli/address_input.hpp"
#include "admin/cli/output.hpp"
#include "admin/cli/session.hpp"
#include "admin/cli/verbs.hpp"

namespace postern::cli {
namespace {

constexpr useconds_t kLookUs = 50'000;

}  // namespace

int recipient_erase(const Common& common, const RecipientOptions& options) {
  control::Request request;
  control::Erase& erase = *request.mutable_erase();
  erase.set_reference(options.reference);
  if (options.by_address) {
    const Result<std::string> address = read_address("Number (digits), e-mail address or token");
    if (!address) return failed(address.what());
    erase.set_address(*address);
  }
  Result<Session> session = Session::open(common.socket);
  if (!session) return failed(session.what());
  Result<control::Reply> reply = session->ask(request);
  if (!reply) return failed(reply.what());
  const std::uint64_t person = reply->erasure().person(), leaf = reply->erasure().leaf();
  // From here on nobody reads what was the customer's; what is awaited makes that true of old copies too.
  while (reply->erasure().certificate().empty()) {
    progress_line("wrapping the other customers' keys anew");
    usleep(kLookUs);
    control::Request again;
    again.mutable_certificate()->set_person(person);
    again.mutable_certificate()->set_leaf(leaf);
    reply = session->ask(again);
    if (!reply) return failed(reply.what() + fmt::format("; the key is destroyed (leaf {}), the certificate is not yet made", leaf));
  }
  progress_done();
  const std::string& certificate = reply->erasure().certificate();
  if (!options.out.empty()) {
    std::ofstream out(options.out, std::ios::binary | std::ios::trunc);
    out << certificate;
    out.close();
    if (!out) return failed(options.out + ": could not be written; the customer is erased, run this again for a certificate");
  }
  if (common.json) {
    Json().object().field("erased", true).field("person", fmt::format("{:016x}", person)).field("leaf", leaf).field("certificate", certificate).print();
  } else {
    std::printf("Erased. Leaf %llu of the audit log says so.\n", static_cast<unsigned long long>(leaf));
    if (options.out.empty()) std::printf("\n%s", certificate.c_str());
    else std::printf("The certificate is in %s.\n", options.out.c_str());
  }
  return kDone;
}

}  // namespace postern::cli
