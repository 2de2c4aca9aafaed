// SPDX-License-Identifier: Apache-2.0
// Purpose: our own packing of what libsmpp34 cannot pack (long passwords, 254 octets of text, payloads
// over 1,024 octets, sequence 0) and of optional parameters, which always are ours.
// Used by: pdu.cpp, which checks every field first. Threads: pure. Ownership: appends to the caller's
// bytes. Errors: none; fields are checked by the caller.
#pragma once

#include "connectors/channels/smpp/pdu.hpp"

namespace postern::smpp::own {

void bind(const Bind& bind, std::uint32_t sequence, Bytes& out);
void submit(const SubmitSm& submit, std::uint32_t sequence, Bytes& out);
void header(std::uint32_t command, std::uint32_t status, std::uint32_t sequence, Bytes& out);
void inbound_response(std::uint32_t command, std::uint32_t status, std::uint32_t sequence, Bytes& out);

// The optional parameters of a submit_sm behind a PDU that starts at `start`; its length is set anew.
void append_parameters(const SubmitSm& submit, std::size_t start, Bytes& out);

}  // namespace postern::smpp::own
