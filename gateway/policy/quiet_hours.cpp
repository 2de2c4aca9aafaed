// SPDX-License-Identifier: Apache-2.0
#include "gateway/policy/quiet_hours.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace postern::policy {
namespace {

constexpr std::size_t kMaxSpans = 32, kMaxText = 64;
constexpr std::int64_t kWeekMs = 7 * kDayMs;
constexpr std::array<std::string_view, 7> kDays{"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

std::optional<unsigned> day_named(std::string_view name) {
  const auto found = std::ranges::find(kDays, name);
  return found == kDays.end() ? std::nullopt : std::optional(static_cast<unsigned>(found - kDays.begin()));
}

// "21:00" in ms of the day; 24:00 is the end of the day.
std::optional<std::int64_t> time_of(std::string_view text) {
  const auto digit = [text](std::size_t i) { return text[i] >= '0' && text[i] <= '9'; };
  if (text.size() != 5 || text[2] != ':' || !digit(0) || !digit(1) || !digit(3) || !digit(4)) return std::nullopt;
  const std::int64_t minutes = ((text[0] - '0') * 10 + text[1] - '0') * 60 + (text[3] - '0') * 10 + text[4] - '0';
  if (text[3] > '5' || minutes > 24 * 60) return std::nullopt;
  return minutes * kMinuteMs;
}

// "sat,sun", "mon-fri", "fri-mon": marks each day.
Status read_days(std::string_view text, std::array<bool, 7>& days) {
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    const std::size_t dash = item.find('-');
    const std::optional<unsigned> first = day_named(item.substr(0, dash));
    const std::optional<unsigned> last = dash == std::string_view::npos ? first : day_named(item.substr(dash + 1));
    if (!first || !last) return fail("has a day that is none: days are mon tue wed thu fri sat sun, as in 'sat,sun' or 'mon-fri'");
    for (unsigned day = *first;; day = (day + 1) % 7) {
      days[day] = true;
      if (day == *last) break;
    }
    if (comma == std::string_view::npos) return {};
    text.remove_prefix(comma + 1);
  }
}

}  // namespace

Result<QuietHours> QuietHours::parse(std::span<const std::string_view> texts) {
  if (texts.size() > kMaxSpans) return fail("quiet hours have " + std::to_string(texts.size()) + " spans; 32 are the most");
  std::vector<Span> spans;
  for (const std::string_view text : texts) {
    const auto wrong = [text](const std::string& why) { return fail("quiet hours '" + std::string(text.substr(0, kMaxText)) + "': " + why); };
    std::string_view times = text;
    std::array<bool, 7> days{};
    if (const std::size_t space = text.find(' '); space != std::string_view::npos) {
      if (const Status read = read_days(text.substr(0, space), days); !read) return wrong(read.what());
      times.remove_prefix(space + 1);
    } else {
      days.fill(true);
    }
    const std::optional<std::int64_t> from = time_of(times.substr(0, 5));
    const std::optional<std::int64_t> to = times.size() == 11 && times[5] == '-' ? time_of(times.substr(6)) : std::nullopt;
    if (!from || !to || *from == kDayMs) return wrong("must look like '21:00-08:00' or 'sat,sun 00:00-24:00'");
    if (*from == *to) return wrong("begins when it ends; a whole day is 00:00-24:00");
    for (unsigned day = 0; day < 7; ++day) {
      if (!days[day]) continue;
      const std::int64_t begin = day * kDayMs + *from, end = day * kDayMs + *to + (*to < *from ? kDayMs : 0);
      spans.push_back({begin, std::min(end, kWeekMs)});
      if (end > kWeekMs) spans.push_back({0, end - kWeekMs});
    }
  }
  std::ranges::sort(spans, {}, &Span::from);
  QuietHours hours;
  for (const Span& span : spans) {
    if (!hours.spans_.empty() && span.from <= hours.spans_.back().to) hours.spans_.back().to = std::max(hours.spans_.back().to, span.to);
    else hours.spans_.push_back(span);
  }
  if (!hours.spans_.empty() && hours.spans_.front().from == 0 && hours.spans_.front().to == kWeekMs)
    return fail("quiet hours leave no minute of the week in which something may be sent");
  return hours;
}

const QuietHours::Span* QuietHours::span_at(Local local) const {
  const std::int64_t in_week = local.weekday() * kDayMs + local.ms_of_day();
  const auto after = std::ranges::upper_bound(spans_, in_week, {}, &Span::from);
  if (after == spans_.begin() || in_week >= std::prev(after)->to) return nullptr;
  return &*std::prev(after);
}

bool QuietHours::quiet_at(Local local) const { return span_at(local) != nullptr; }

std::optional<TimeMs> QuietHours::quiet_until(TimeMs at, const Zone& zone) const {
  std::optional<TimeMs> until;
  // From one end of a span, or change of the clocks, to the next. Each turn goes forward, a week without either
  // has a minute that is not quiet, and a zone has a last change.
  while (at >= kFirstMs && at <= kLastMs) {
    const Local local = zone.local_of(at);
    const Span* span = span_at(local);
    if (span == nullptr) return until;
    const TimeMs end = at + span->to - (local.weekday() * kDayMs + local.ms_of_day());
    const std::optional<TimeMs> change = zone.change_after(at);
    at = change && *change < end ? *change : end;
    until = at;
  }
  return until;
}

}  // namespace postern::policy
