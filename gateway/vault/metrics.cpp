// SPDX-License-Identifier: Apache-2.0
#include "gateway/vault/metrics.hpp"

#include <fmt/core.h>

namespace postern::vault {
namespace {

using Labelled = std::map<std::pair<std::string, std::string>, std::uint64_t>;

void head(std::string& out, std::string_view name, std::string_view kind, std::string_view help) {
  out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, kind);
}

void labelled(std::string& out, std::string_view name, std::string_view help, std::string_view first, std::string_view second, const Labelled& values) {
  head(out, name, "counter", help);
  for (const auto& [labels, value] : values)
    out += fmt::format("{}{{{}=\"{}\",{}=\"{}\"}} {}\n", name, first, labels.first, second, labels.second, value);
}

void plain(std::string& out, std::string_view name, std::string_view kind, std::string_view help, std::uint64_t value) {
  head(out, name, kind, help);
  out += fmt::format("{} {}\n", name, value);
}

}  // namespace

std::string price_text(std::int64_t millionths) {
  std::string text = fmt::format("{}.{:06}", millionths / 1'000'000, millionths % 1'000'000);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

void Histogram::write(std::string& out, std::string_view name, std::string_view help) const {
  head(out, name, "histogram", help);
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < kEdges.size(); ++i) {
    below += counts_[i];
    out += fmt::format("{}_bucket{{le=\"{}\"}} {}\n", name, static_cast<double>(kEdges[i]) / 1e6, below);
  }
  out += fmt::format("{}_bucket{{le=\"+Inf\"}} {}\n{}_sum {}\n{}_count {}\n", name, count_, name, static_cast<double>(sum_) / 1e6, name, count_);
}

std::string Metrics::text(const std::map<std::string, std::array<std::uint64_t, 4>>& connectors, bool accepting) const {
  std::string out;
  head(out, "postern_messages_accepted_total", "counter", "Messages accepted, by category.");
  for (const Category category : kCategories)
    out += fmt::format("postern_messages_accepted_total{{category=\"{}\"}} {}\n", name_of(category), accepted[lane_of(category)]);
  labelled(out, "postern_submits_total", "Submits answered, by client and verdict.", "client", "verdict", verdicts);
  labelled(out, "postern_attempt_results_total", "Results of attempts, by connector and kind.", "connector", "kind", results);
  labelled(out, "postern_receipts_total", "Receipts matched, by connector and progress.", "connector", "progress", receipts);
  labelled(out, "postern_messages_ended_total", "Messages ended, by category and final state.", "category", "state", ended);
  labelled(out, "postern_observations_total", "What connectors saw at the edge.", "connector", "kind", observations);
  plain(out, "postern_attempts_in_doubt_total", "counter", "Attempts handed whose outcome was unknown.", in_doubt);
  plain(out, "postern_double_contacts_total", "counter", "Messages that reached the customer twice.", double_contacts);
  head(out, "postern_double_contacts_by_category_total", "counter", "Messages that reached the customer twice, by category.");
  for (const auto& [category, twice_of] : twice) out += fmt::format("postern_double_contacts_by_category_total{{category=\"{}\"}} {}\n", category, twice_of.count);
  head(out, "postern_double_contact_cost_total", "counter", "What the second of two contacts cost, in the currency of the routes' prices.");
  for (const auto& [category, twice_of] : twice) out += fmt::format("postern_double_contact_cost_total{{category=\"{}\"}} {}\n", category, price_text(twice_of.cost));
  labelled(out, "postern_attempts_settled_total", "Attempts in doubt of which an answer or receipt has told what became of them.", "category", "how", settled);
  plain(out, "postern_receipts_unmatched_total", "counter", "Receipts that belong to no attempt.", unmatched);
  plain(out, "postern_prefixes_closed_total", "counter", "Prefixes of numbers that a guard against pumping has closed.", prefixes_closed);
  plain(out, "postern_prefix_refusals_total", "counter", "Submits refused because their prefix was closed.", prefix_refusals);
  plain(out, "postern_audit_leaves_total", "counter", "Audit leaves written since start.", leaves);
  plain(out, "postern_commits_total", "counter", "Commits of the store since start.", commits);
  plain(out, "postern_commit_failures_total", "counter", "Commits that failed.", commit_failures);
  commit_us.write(out, "postern_commit_seconds", "Time of one commit with its sync.");
  head(out, "postern_connector_up", "gauge", "Whether the connector is connected and healthy.");
  for (const auto& [name, facts] : connectors) out += fmt::format("postern_connector_up{{connector=\"{}\"}} {}\n", name, facts[0]);
  head(out, "postern_connector_window", "gauge", "Deliveries the connector may hold.");
  for (const auto& [name, facts] : connectors) out += fmt::format("postern_connector_window{{connector=\"{}\"}} {}\n", name, facts[1]);
  head(out, "postern_connector_outstanding", "gauge", "Deliveries the connector holds now.");
  for (const auto& [name, facts] : connectors) out += fmt::format("postern_connector_outstanding{{connector=\"{}\"}} {}\n", name, facts[2]);
  head(out, "postern_connector_share", "gauge", "How many of a thousand messages the connector takes, by its health.");
  for (const auto& [name, facts] : connectors) out += fmt::format("postern_connector_share{{connector=\"{}\"}} {}\n", name, facts[3]);
  plain(out, "postern_messages_waiting", "gauge", "Messages accepted and not ended.", waiting);
  plain(out, "postern_accepting", "gauge", "1 while new messages are accepted, 0 while the disk is low.", accepting ? 1 : 0);
  return out;
}

}  // namespace postern::vault
