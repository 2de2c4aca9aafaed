// SPDX-License-Identifier: Apache-2.0
// The verb rehearse: hands over to postern-rehearse. That program holds the gateway itself, which this tool must not, and needs neither
// a running gateway nor its keys.
#include <unistd.h>

#include <filesystem>

#include "admin/cli/session.hpp"
#include "admin/cli/verbs.hpp"

namespace postern::cli {

int rehearse(const Common& common, const RehearseOptions& options) {
  namespace fs = std::filesystem;
  std::vector<std::string> words{"postern-rehearse", "--config", options.file};
  for (const auto& [name, value] : {std::pair("--days", options.days), {"--messages", options.messages}, {"--customers", options.customers}, {"--seed", options.seed},
                                    {"--begin", options.begin}, {"--faults", options.faults}, {"--jobs", options.jobs}})
    if (!value.empty()) words.insert(words.end(), {name, value});
  if (common.json) words.emplace_back("--json");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::error_code ignored;
  const fs::path own = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  // Installed, or in the build tree.
  for (const fs::path& program : {own / "../libexec/postern/postern-rehearse", own / "../gateway/rehearsal/postern-rehearse"})
    if (fs::exists(program, ignored)) execv(program.c_str(), argv.data());
  return failed("postern-rehearse is not installed beside this tool, in ../libexec/postern; install the whole package");
}

}  // namespace postern::cli
