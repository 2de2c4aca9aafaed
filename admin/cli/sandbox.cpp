// SPDX-License-Identifier: Apache-2.0
// The verb sandbox: hands over to the sandbox program, which is built with the tests only.
#include <unistd.h>

#include <filesystem>

#include "admin/cli/session.hpp"
#include "admin/cli/verbs.hpp"

namespace postern::cli {

int sandbox(const std::vector<std::string>& arguments) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const fs::path own = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  // Installed beside the other programs, or in the build tree.
  for (const fs::path& program : {own / "postern-sandbox", own / "../connectors/sandbox/postern-sandbox"}) {
    if (!fs::exists(program, ignored)) continue;
    std::vector<std::string> words{program.string()};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    execv(program.c_str(), argv.data());
  }
  return failed("the sandbox is not installed: it is built with the tests and is no part of the production package");
}

}  // namespace postern::cli
