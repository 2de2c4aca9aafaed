// SPDX-License-Identifier: Apache-2.0
// What reading and writing one message costs in each format that a message passes: a client's JSON, the frames between processes, SMPP.
// One JSON line each; the median of samples, each the mean of 100:
//   codec_bench [--samples 2000]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "connectors/channels/smpp/pdu.hpp"
#include "connectors/channels/smpp/receipt.hpp"
#include "connectors/protocol/wire.pb.h"
#include "connectors/sources/https/submit_reader.hpp"
#include "tests/bench/ledger.hpp"

namespace {

using namespace postern;
using Clock = std::chrono::steady_clock;
constexpr std::size_t kTogether = 100;
std::size_t samples = 2000;

void must(bool good, const char* what) {
  if (!good) std::fprintf(stderr, "codec_bench: %s\n", what), std::exit(1);
}

// `messages`: how many one call of `work` handles.
template <class Work>
void measure(const char* what, std::size_t messages, std::size_t bytes, const Work& work) {
  std::vector<double> each;
  for (std::size_t i = 0; i < samples; ++i) {
    const auto begun = Clock::now();
    for (std::size_t j = 0; j < kTogether; j += messages) work();
    each.push_back(std::chrono::duration<double, std::nano>(Clock::now() - begun).count() / kTogether);
  }
  std::ranges::sort(each);
  std::printf("{\"bench\":\"codec\",\"what\":\"%s\",\"bytes\":%zu,\"p50_ns\":%.0f,\"p99_ns\":%.0f}\n", what, bytes / messages, each[each.size() / 2], each[each.size() * 99 / 100]);
}

smpp::SubmitSm submit_of(const std::string& text) {
  smpp::SubmitSm submit;
  submit.source = {5, 0, "MyBank"};
  submit.destination = {1, 1, "380671234567"};
  submit.registered_delivery = 1;
  submit.short_message = as_bytes(text);
  return submit;
}

void smpp_codecs() {
  const std::string text = bench::text_of(42);
  for (const auto& [what, encoder] : {std::pair("smpp submit_sm pack, library", smpp::Encoder::library), std::pair("smpp submit_sm pack, own", smpp::Encoder::own)}) {
    Bytes out;
    must(smpp::pack_submit(submit_of(text), 7, out, encoder).has_value(), "a submit_sm was not packed");
    measure(what, 1, out.size(), [&, encoder = encoder] {
      out.clear();
      must(smpp::pack_submit(submit_of(text), 7, out, encoder).has_value(), "a submit_sm was not packed");
    });
  }
  Bytes frame;
  must(smpp::pack_submit(submit_of(text), 7, frame).has_value(), "a submit_sm was not packed");
  measure("smpp submit_sm read", 1, frame.size(), [&] {
    const smpp::Cut cut = smpp::cut_frame(frame);
    must(cut.kind == smpp::Cut::Kind::frame && smpp::decode(ByteView(frame).first(cut.length)).has_value(), "a submit_sm was not read");
  });
  const std::string receipt = "id:1A22C178AD76B sub:001 dlvrd:001 submit date:2611301054 done date:2611301054 stat:DELIVRD err:000 text:";
  measure("smpp receipt text read", 1, receipt.size(), [&] { must(smpp::read_receipt_text(receipt, 0).state.has_value(), "a receipt was not read"); });
}

template <class Frame>
void frame_codec(const char* writes, const char* reads, const Frame& frame, std::size_t messages) {
  std::string bytes;
  measure(writes, messages, frame.ByteSizeLong(), [&] {
    bytes.clear();
    must(frame.AppendToString(&bytes), "a frame was not written");
  });
  measure(reads, messages, bytes.size(), [&] {
    Frame read;
    must(read.ParseFromString(bytes), "a frame was not read");
  });
}

void frame_codecs(const wire::Submit& submit) {
  for (const std::size_t count : {std::size_t{1}, std::size_t{100}}) {
    wire::ToVault to_vault;
    wire::ToConnector to_connector;
    for (std::size_t i = 0; i < count; ++i) {
      *to_vault.add_submit() = submit;
      wire::Deliver& deliver = *to_connector.add_deliver();
      deliver.mutable_attempt()->set_message(0x0123456789abcdefU);
      deliver.mutable_attempt()->set_number(1);
      deliver.set_id("01890a5d-ac96-774b-bcce-b302099a8057");
      deliver.set_channel("sms");
      deliver.set_category(wire::OTP);
      deliver.set_expires_ms(1'800'000'000'000);
      deliver.set_address("380671234567");
      deliver.set_text(bench::text_of(i));
    }
    frame_codec(count == 1 ? "frame of 1 submit write" : "frame of 100 submits write", count == 1 ? "frame of 1 submit read" : "frame of 100 submits read", to_vault, count);
    frame_codec(count == 1 ? "frame of 1 deliver write" : "frame of 100 delivers write", count == 1 ? "frame of 1 deliver read" : "frame of 100 delivers read", to_connector, count);
  }
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--samples") == 0 && i + 1 < argc) samples = std::max(std::strtoull(argv[++i], nullptr, 10), 1ULL);
    else return std::fprintf(stderr, "usage: codec_bench [--samples N]\n"), 2;
  }
  https::ReaderOptions options;
  options.default_region = "UA";
  https::SubmitReader reader(options);
  const std::string body = R"({"category":"otp","text":")" + bench::text_of(42) + R"(","recipient":{"phone":"+380671234567"},"scenario":"sms"})";
  wire::Submit submit;
  measure("json message read", 1, body.size(), [&] {
    submit.Clear();
    must(!reader.read(body, https::Form::single, 1'800'000'000'000, submit), "a message was not read");
  });
  frame_codecs(submit);
  smpp_codecs();
  return 0;
}
