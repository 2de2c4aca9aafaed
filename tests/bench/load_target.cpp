// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/load_target.hpp"

#include <charconv>
#include <cstdio>
#include <cstring>

#include "tests/bench/ledger.hpp"

namespace postern::bench {
namespace {

// Numbers that the simulated networks always deliver to: endings 20..99.
std::string phone_of(const TargetOptions& options, std::uint64_t n) {
  if (options.people != 0) n %= options.people;
  char digits[16];
  std::snprintf(digits, sizeof digits, "%06u%02u", static_cast<unsigned>(n / 80 % 1'000'000), static_cast<unsigned>(20 + n % 80));
  return options.prefix + digits;
}

std::string_view after(std::string_view text, std::string_view word, std::size_t from = 0) {
  const std::size_t at = text.find(word, from);
  return at == std::string_view::npos ? std::string_view() : text.substr(at + word.size());
}

class Postern final : public Target {
 public:
  explicit Postern(const TargetOptions& options) : options_(options) {}

  void ask(std::string& out, std::uint64_t first, std::uint64_t count) const override {
    body_.clear();
    for (std::uint64_t n = first; n < first + count; ++n) {
      body_.append(R"({"category":")").append(options_.category).append(R"(","text":")").append(text_of(n));
      body_.append(R"(","recipient":{"phone":"+)").append(phone_of(options_, n)).append("\"}");
      if (!options_.scenario.empty()) body_.append(R"(,"scenario":")").append(options_.scenario).append("\"");
      if (options_.keys && count > 1) body_.append(R"(,"idempotency_key":")").append(key_of(n)).append("\"");
      body_.append(count > 1 ? "}\n" : "}");
    }
    out.append(count > 1 ? "POST /v1/messages:batch HTTP/1.1\r\nContent-Type: application/x-ndjson\r\n" : "POST /v1/messages HTTP/1.1\r\nContent-Type: application/json\r\n");
    out.append("Host: 127.0.0.1\r\nContent-Length: ").append(std::to_string(body_.size())).append("\r\n");
    if (options_.keys && count == 1) out.append("Idempotency-Key: \"").append(key_of(first)).append("\"\r\n");
    out.append("\r\n").append(body_);
  }

  void answered(int status, std::string_view body, std::uint64_t first, std::uint64_t count, const Taken& taken) const override {
    if (count == 1) {
      if (status == 202) taken(first, id_in(body));
      return;
    }
    if (status != 200) return;
    while (!body.empty()) {
      const std::string_view line = body.substr(0, body.find('\n'));
      body.remove_prefix(std::min(line.size() + 1, body.size()));
      const std::string_view index = after(line, "\"index\":");
      std::uint64_t at = count;
      std::from_chars(index.data(), index.data() + index.size(), at);
      if (at < count && line.find("\"status\":202") != std::string_view::npos) taken(first + at, id_in(line));
    }
  }

 private:
  static std::string_view id_in(std::string_view text) {
    const std::string_view id = after(text, "\"id\":\"");
    return id.substr(0, id.find('"'));
  }
  std::string key_of(std::uint64_t n) const { return options_.run + "-" + std::to_string(n); }

  const TargetOptions& options_;
  mutable std::string body_;
};

class Kannel final : public Target {
 public:
  explicit Kannel(const TargetOptions& options) : options_(options) {}

  void ask(std::string& out, std::uint64_t first, std::uint64_t count) const override {
    for (std::uint64_t n = first; n < first + count; ++n) {
      out.append("GET /cgi-bin/sendsms?username=").append(options_.user).append("&password=").append(options_.password);
      out.append("&from=MyBank&to=%2B").append(phone_of(options_, n)).append("&text=").append(escaped(text_of(n)));
      // The end of a message alone, good or bad, as a bank that needs to know it would ask.
      if (!options_.call_back.empty()) out.append("&dlr-mask=3&dlr-url=").append(escaped(options_.call_back + "/r?n=" + std::to_string(n) + "&d=%d"));
      out.append(" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    }
  }

  void answered(int status, std::string_view, std::uint64_t first, std::uint64_t, const Taken& taken) const override {
    if (status == 202) taken(first, {});
  }

 private:
  static std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
      if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-') out += c;
      else if (c == ' ') out += '+';
      else {
        char hex[4];
        std::snprintf(hex, sizeof hex, "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
        out += hex;
      }
    }
    return out;
  }

  const TargetOptions& options_;
};

}  // namespace

std::unique_ptr<Target> make_target(const TargetOptions& options) {
  if (options.gateway == "kannel") return std::make_unique<Kannel>(options);
  return std::make_unique<Postern>(options);
}

}  // namespace postern::bench
