// SPDX-License-Identifier: Apache-2.0
// The verb report: what happened to the messages of the last days.
#include <cstdio>
#include <ctime>
#include <map>
#include <optional>

#include "admin/cli/output.hpp"
#include "admin/cli/session.hpp"
#include "admin/cli/span.hpp"
#include "admin/cli/verbs.hpp"

namespace postern::cli {
namespace {

constexpr std::int64_t kMillion = 1'000'000;

// Of "0.045".
std::int64_t millionths_of(const std::string& text) {
  const std::size_t point = std::min(text.find('.'), text.size());
  std::string fraction = point == text.size() ? "" : text.substr(point + 1);
  fraction.resize(6, '0');
  const auto number = [](const std::string& digits) { return digits.empty() || digits.find_first_not_of("0123456789") != std::string::npos ? 0 : std::stoll(digits); };
  return number(text.substr(0, std::min<std::size_t>(point, 12))) * kMillion + number(fraction);
}

std::string price_of(std::int64_t millionths) {
  char text[40];
  std::snprintf(text, sizeof text, "%lld.%06lld", static_cast<long long>(millionths / kMillion), static_cast<long long>(millionths % kMillion));
  std::string price = text;
  price.erase(price.find_last_not_of('0') + 1);
  if (price.back() == '.') price.pop_back();
  return price;
}

// Every row of the report; nothing when it could not be had, which was told then.
std::optional<std::vector<control::ReportRow>> rows_of(const Common& common, control::ReportAsk::Kind kind, const std::string& last) {
  const std::optional<std::int64_t> span = span_ms(last);
  if (!span) {
    failed("'" + last + "' is no span of time; write 90m, 12h or 7d");
    return std::nullopt;
  }
  Result<Session> session = Session::open(common.socket);
  if (!session) {
    failed(session.what());
    return std::nullopt;
  }
  std::vector<control::ReportRow> rows;
  control::Request request;
  request.mutable_report()->set_kind(kind);
  request.mutable_report()->set_since_ms(std::max<std::int64_t>(static_cast<std::int64_t>(std::time(nullptr)) * 1000 - *span, 0));
  do {
    const Result<control::Reply> reply = session->ask(request);
    if (!reply) {
      failed(reply.what());
      return std::nullopt;
    }
    rows.insert(rows.end(), reply->report().row().begin(), reply->report().row().end());
    request.mutable_report()->set_after(reply->report().after());
  } while (request.report().after() != 0);
  return rows;
}

}  // namespace

int report_double_contacts(const Common& common, const ReportOptions& options) {
  const std::optional<std::vector<control::ReportRow>> rows = rows_of(common, control::ReportAsk::DOUBLE_CONTACTS, options.last);
  if (!rows) return kFailed;
  std::map<std::string, std::pair<std::uint64_t, std::int64_t>> sums;   // by category
  for (const control::ReportRow& row : *rows) {
    ++sums[row.category()].first;
    sums[row.category()].second += millionths_of(row.cost());
  }
  if (common.json) {
    Json json;
    json.object().array("double_contacts");
    for (const control::ReportRow& row : *rows)
      json.object().field("id", row.id()).field("client", row.client()).field("category", row.category()).field("time", time_text(row.at_ms()))
          .field("channel", row.channel()).field("connector", row.connector()).field("cause", row.cause()).field("cost", row.cost()).end();
    json.end().array("categories");
    for (const auto& [category, sum] : sums) json.object().field("category", category).field("count", sum.first).field("cost", price_of(sum.second)).end();
    json.print();
    return rows->empty() ? kDone : kNo;
  }
  for (const control::ReportRow& row : *rows)
    std::printf("%s  %s  %-11s %-9s %-14s %-12s %s\n", row.id().c_str(), time_text(row.at_ms()).c_str(), row.category().c_str(), row.channel().c_str(),
                row.connector().c_str(), row.cause().c_str(), row.cost().c_str());
  for (const auto& [category, sum] : sums)
    std::printf("%-11s %llu reached twice, cost %s\n", category.c_str(), static_cast<unsigned long long>(sum.first), price_of(sum.second).c_str());
  if (rows->empty()) std::printf("no customer was reached twice\n");
  return rows->empty() ? kDone : kNo;
}

int report_in_doubt(const Common& common, const ReportOptions& options) {
  const std::optional<std::vector<control::ReportRow>> rows = rows_of(common, control::ReportAsk::IN_DOUBT, options.last);
  if (!rows) return kFailed;
  std::map<std::string, std::uint64_t> outcomes;
  for (const control::ReportRow& row : *rows) ++outcomes[row.outcome() == "unknown" ? "open" : row.outcome()];
  const bool open = outcomes.contains("open");
  if (common.json) {
    Json json;
    json.object().array("attempts");
    for (const control::ReportRow& row : *rows)
      json.object().field("id", row.id()).field("client", row.client()).field("category", row.category()).field("handed", time_text(row.at_ms()))
          .field("channel", row.channel()).field("connector", row.connector()).field("reason", row.cause()).field("outcome", row.outcome() == "unknown" ? "open" : row.outcome()).end();
    json.end().array("outcomes");
    for (const auto& [outcome, count] : outcomes) json.object().field("outcome", outcome).field("count", count).end();
    json.print();
    return open ? kNo : kDone;
  }
  for (const control::ReportRow& row : *rows)
    if (row.outcome() == "unknown")
      std::printf("%s  %s  %-11s %-9s %-14s %s\n", row.id().c_str(), time_text(row.at_ms()).c_str(), row.category().c_str(), row.channel().c_str(),
                  row.connector().c_str(), row.cause().c_str());
  for (const auto& [outcome, count] : outcomes) std::printf("%-10s %llu\n", outcome.c_str(), static_cast<unsigned long long>(count));
  if (rows->empty()) std::printf("nothing was in doubt\n");
  return open ? kNo : kDone;
}

}  // namespace postern::cli
