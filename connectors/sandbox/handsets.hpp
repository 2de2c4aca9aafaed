// SPDX-License-Identifier: Apache-2.0
// Purpose: what customers' handsets and mailboxes received, as a person would see it: one JSON line a
// message in DIR/phones.jsonl. What customers who answer say: YES, or what DIR/answers.json has for their number.
// Used by: the sandbox only. Threads: one.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "crypto/result.hpp"

namespace postern::sandbox {

struct Received {
  std::string handset;   // number, token or e-mail address
  std::string channel;   // "sms", "push", "whatsapp", "email"
  std::string sender;
  std::string subject;   // e-mail and push title
  std::string text;      // whole text, parts joined
  int parts = 1;
  std::string note;      // "UCS-2, 3 parts", "template otp (uk)", "network 25503"
};

class Handsets {
 public:
  // Appends to `file`; an empty name records nothing (load runs). `answers`: an object of number -> text, which need not exist.
  static Result<std::unique_ptr<Handsets>> open(const std::string& file, const std::string& answers = {});
  void receive(const Received& message);
  // What the customer of this number answers, at most 160 characters.
  std::string answer_of(std::string_view number) const;
  std::uint64_t count() const { return count_; }

  // The messages of the file, grouped by handset, as text for a terminal.
  static Result<std::string> show(const std::string& file);

 private:
  struct FileClose { void operator()(std::FILE* f) const { std::fclose(f); } };
  std::unique_ptr<std::FILE, FileClose> file_;
  std::string answers_;
  std::uint64_t count_ = 0;
};

}  // namespace postern::sandbox
