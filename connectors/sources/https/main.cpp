// SPDX-License-Identifier: Apache-2.0
// postern-https: takes messages from the bank's systems over HTTPS with client certificates and hands
// them to the vault. README.md is its manual.
#include "connectors/protocol/program.hpp"
#include "connectors/sources/https/https_source.hpp"

int main(int argc, char** argv) {
  return postern::run_connector(argc, argv, {"postern-https", postern::https::build_https_source});
}
