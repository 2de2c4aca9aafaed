// SPDX-License-Identifier: Apache-2.0
// The auditor's own reader of leaves: a leaf has one form, and its parts lie within it.
#include <cstdlib>

#include "admin/audit/epochs.hpp"
#include "admin/audit/leaf.hpp"
#include "tests/support/made_log.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace postern;
  const ByteView bytes(data, size);
  const auto leaf = auditor::read_leaf(bytes);
  if (!leaf) return 0;
  made::MadeLeaf again;
  again.type = leaf->type;
  again.sequence = leaf->sequence;
  again.epoch = leaf->epoch;
  again.utc_us = leaf->utc_us;
  again.steady_us = leaf->steady_us;
  again.message = leaf->message;
  again.before = leaf->before;
  again.client = leaf->client;
  again.connector = leaf->connector;
  again.attempt = leaf->attempt;
  again.state = leaf->state;
  again.previous = leaf->previous;
  again.kind = static_cast<std::uint8_t>(leaf->kind);
  again.body.assign(leaf->body.begin(), leaf->body.end());
  const Bytes encoded = made::encode(again);
  if (!std::equal(encoded.begin(), encoded.end(), bytes.begin(), bytes.end())) std::abort();
  if (auditor::of_message(*leaf) && auditor::parse_message(auditor::message_text(leaf->message)) != leaf->message) std::abort();
  (void)auditor::read_terms(*leaf);
  (void)auditor::event_name(leaf->type);
  const auditor::Trust trust;
  for (const KeyType type : {KeyType::ed25519, KeyType::ecdsa_p256}) {
    auditor::EpochChain chain({"fuzz", type, {}}, trust);
    // A leaf that begins a log can be followed, or is refused, by itself.
    if (!chain.take(*leaf)) (void)chain.take(*leaf);
  }
  return 0;
}
