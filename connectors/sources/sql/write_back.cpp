// SPDX-License-Identifier: Apache-2.0
#include "connectors/sources/sql/write_back.hpp"

#include <map>

#include "connectors/sources/json/document.hpp"
#include "connectors/sources/sql/row.hpp"
#include "connectors/sources/sql/table.hpp"

namespace postern::sql {

std::string_view outcome_word(wire::Progress progress) {
  if (progress == wire::REACHED) return "reached";
  if (progress == wire::FAILED) return "failed";
  if (progress == wire::EXPIRED) return "expired";
  if (progress == wire::CANCELLED) return "cancelled";
  if (progress == wire::SUPPRESSED) return "suppressed";
  return {};
}

std::string_view progress_word(wire::Progress progress) {
  if (progress == wire::SENT) return "sent";
  if (progress == wire::DELIVERED) return "delivered";
  if (progress == wire::READ) return "read";
  if (progress == wire::REPLIED) return "replied";
  return {};
}

std::string cut(std::string text, std::size_t limit) {
  if (text.size() <= limit) return text;
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xc0) == 0x80) --limit;
  text.resize(limit);
  return text;
}

EventBatch batch_of(const std::vector<Told>& events, bool with_progress) {
  EventBatch batch;
  std::map<std::string_view, const Told*> last_final, last_step;
  for (const Told& event : events) {
    batch.cursor = std::max(batch.cursor, event.sequence);
    // The vault's own words are good; a reference of another source's message may be anything.
    const bool ours = is_uuid(event.message_id) && !event.key.empty() && event.key.size() <= 64 &&
                      !json::find_invalid_utf8(event.key) && event.key.find('\0') == std::string::npos;
    if (!ours) continue;
    if (!outcome_word(event.progress).empty()) last_final[event.key] = &event;
    if (with_progress && !progress_word(event.progress).empty()) {
      const Told*& step = last_step[event.key];
      if (step == nullptr || step->progress <= event.progress) step = &event;  // receipts come in any order
    }
  }
  for (const auto& [key, event] : last_final) {
    batch.finished.keys.emplace_back(key);
    batch.finished.message_ids.push_back(event->message_id);
    batch.finished.outcomes.emplace_back(outcome_word(event->progress));
    batch.finished.reasons.push_back(cut(event->reason, kReasonLimit));
    batch.finished.times.push_back(std::to_string(event->at_ms));
  }
  for (const auto& [key, event] : last_step) {
    batch.progressed.keys.emplace_back(key);
    batch.progressed.message_ids.push_back(event->message_id);
    batch.progressed.words.emplace_back(progress_word(event->progress));
    batch.progressed.times.push_back(std::to_string(event->at_ms));
  }
  return batch;
}

std::string error_of(const wire::Verdict& verdict) {
  std::string text = verdict.outcome() == wire::Verdict::KEY_REUSED
                         ? "key-reused: message_key was used before for another content"
                     : verdict.outcome() == wire::Verdict::FORBIDDEN ? "forbidden"
                                                                     : "invalid";
  for (const wire::Problem& problem : verdict.problem()) text += "; " + problem.pointer() + " " + problem.code();
  return cut(std::move(text), kErrorLimit);
}

}  // namespace postern::sql
