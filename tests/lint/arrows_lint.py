# SPDX-License-Identifier: Apache-2.0
"""Holds the arrows between folders: who may include what, and which library may link which.

    python3 tests/lint/arrows_lint.py ROOT
"""
import os
import re
import sys

from sources import Findings, files, text_of

# Of crypto/, what everybody may see, what connectors may see besides, and what only the vault's side may.
PLAIN = {"crypto/result.hpp", "crypto/bytes.hpp"}
EDGE = PLAIN | {"crypto/secret.hpp", "crypto/tls.hpp"}
VAULT = EDGE | {f"crypto/{name}.hpp" for name in (
    "keyring", "backup_file", "keyring_io", "unlocking", "custodian", "seal", "field_key", "ring", "sealed_file", "merkle", "note")}

# folder -> what its files may include: folders (with everything directly in them) and single headers.
ALLOWED = {
    "crypto": set(),
    "gateway/domain": PLAIN,
    "gateway/engine": {"gateway/domain"},
    "gateway/templates": {"gateway/domain", "crypto/result.hpp"},
    "gateway/policy": {"gateway/domain"} | PLAIN,
    "gateway/policy/condition": {"gateway/domain", "crypto/result.hpp"},
    "gateway/numbers": PLAIN | {"crypto/merkle.hpp"},
    "gateway/store": {"gateway/domain"} | PLAIN | {"crypto/secret.hpp", "crypto/suite.hpp"},   # the redo log is sealed by the profile's suite
    "gateway/audit": {"gateway/domain"} | VAULT - {"crypto/tls.hpp", "crypto/secret.hpp"},
    "gateway/config": {"gateway/domain", "gateway/templates", "gateway/policy", "gateway/policy/condition", "connectors/protocol", "crypto/merkle.hpp"} | PLAIN,
    "gateway/vault": {"gateway/domain", "gateway/engine", "gateway/policy", "gateway/policy/condition", "gateway/config", "gateway/store", "gateway/audit",
                      "gateway/numbers", "gateway/templates", "connectors/protocol"} | VAULT - {"crypto/tls.hpp"},
    "gateway/rehearsal": {"gateway/vault", "gateway/domain", "gateway/engine", "gateway/policy", "gateway/config", "gateway/store", "gateway/audit", "gateway/numbers",
                          "connectors/protocol"} | VAULT - {"crypto/tls.hpp"},
    "gateway/bus": {"gateway/vault", "connectors/protocol"} | PLAIN,
    "gateway/control": {"gateway/vault", "gateway/config", "gateway/policy", "connectors/protocol", "crypto/secret.hpp"} | PLAIN,
    "gateway": {"gateway/vault", "gateway/bus", "gateway/control", "gateway/config", "gateway/audit", "gateway/store", "connectors/protocol"} | VAULT,
    "connectors/protocol": EDGE - {"crypto/tls.hpp"},
    "connectors/sources/json": EDGE,
    # Custodians' files and tokens are the administrator's: the vault never sees a custodian's key or a token's PIN.
    # A backup is opened by the administrator's tool alone.
    "admin/cli": {"gateway/control", "gateway/config", "gateway/numbers", "admin/audit", "connectors/protocol",
                  "crypto/secret.hpp", "crypto/custodian.hpp", "crypto/token.hpp", "crypto/backup_file.hpp"} | PLAIN,
    # The auditor's part knows the formats and nothing of the gateway; one program of it speaks over a network.
    "admin/audit": {"admin/cli/output.hpp", "connectors/channels/http_client/client.hpp", "crypto/merkle.hpp", "crypto/note.hpp",
                    "crypto/secret.hpp"} | PLAIN,
    "admin/witness": {"connectors/protocol", "connectors/sources/http", "crypto/merkle.hpp", "crypto/note.hpp", "crypto/secret.hpp"} | PLAIN,
}
# Every other connector sees the protocol, the edge of crypto, and the libraries that connectors share.
CONNECTOR = {"connectors/protocol", "connectors/channels/http_client", "connectors/sources/http",
             "connectors/sources/json", "connectors/sources/phone"} | EDGE
# The simulated world is not part of a production package: it may look at the connectors it plays against.
SANDBOX = re.compile(r"connectors/(channels|sources|protocol|sandbox)\b|crypto/")

# library -> the libraries of ours that it may link.
BASE = {"postern_base"}
LINKS = {
    "postern_base": set(),
    "postern_tls": BASE,
    "postern_crypto": BASE,
    "postern_domain": BASE,
    "postern_engine": {"postern_domain"},
    "postern_templates": {"postern_domain"},
    "postern_policy": {"postern_domain"},
    "postern_condition": {"postern_domain"},
    "postern_numbers": BASE | {"postern_crypto"},
    "postern_store": {"postern_domain", "postern_crypto"},
    "postern_memory_store": {"postern_store"},
    "postern_audit_log": {"postern_domain", "postern_crypto"},
    "postern_config": {"postern_domain", "postern_templates", "postern_policy", "postern_condition", "postern_crypto", "postern_runtime"},
    "postern_vault": {"postern_wire", "postern_runtime", "postern_config", "postern_engine", "postern_store", "postern_audit_log",
                      "postern_numbers"},
    "postern_played": {"postern_memory_store", "postern_vault"},
    "postern_rehearsal": {"postern_played"},
    "postern_bus": {"postern_vault", "postern_runtime"},
    "postern_control": {"postern_control_messages", "postern_runtime"},
    "postern_reports": {"postern_control_messages", "postern_vault"},
    "postern_runtime": BASE,
    "postern_connector": {"postern_wire", "postern_runtime"},
    "postern_audit_tools": {"postern_crypto"},
    "postern-audit": {"postern_audit_tools"},
    "postern-cosign": {"postern_audit_tools", "postern_http_client"},
    "postern_witness_core": {"postern_crypto"},
    "postern-witness": {"postern_witness_core", "postern_http", "postern_runtime"},
}
VAULT_SIDE = {"postern_crypto", "postern_domain", "postern_engine", "postern_templates", "postern_policy", "postern_condition", "postern_numbers",
              "postern_store", "postern_audit_log", "postern_config", "postern_vault", "postern_played", "postern_rehearsal", "postern_bus",
              "postern_control", "postern_reports"}


def allowed(folder, include):
    if os.path.dirname(include) == folder:
        return True
    if folder == "connectors/sandbox":
        return bool(SANDBOX.match(include))
    rule = ALLOWED.get(folder)
    if rule is None:
        if not folder.startswith("connectors/"):
            return True
        rule = CONNECTOR
    return include in rule or os.path.dirname(include) in rule


def main():
    root, findings, looked = sys.argv[1], Findings(), 0
    for path in files(root):
        top = path.split(os.sep)[0]
        if top not in ("crypto", "gateway", "connectors", "admin"):
            continue
        text = text_of(root, path)
        if path.endswith((".cpp", ".hpp", ".in")) and text is not None:
            looked += 1
            for number, line in enumerate(text.splitlines(), 1):
                found = re.match(r'#include "([^"]+)"', line)
                if found and not allowed(os.path.dirname(path), found.group(1)):
                    findings.add(f"{path}:{number}", f"must not see {found.group(1)}")
        if path.endswith("CMakeLists.txt"):
            for found in re.finditer(r"target_link_libraries\(\s*(\S+)([^)]*)\)", text):
                library, linked = found.group(1), set(re.findall(r"\bpostern_\w+", found.group(2)))
                looked += 1
                if library in LINKS:
                    for other in sorted(linked - LINKS[library]):
                        findings.add(path, f"{library} must not link {other}")
                elif path.startswith("connectors"):
                    for other in sorted(linked & VAULT_SIDE):
                        findings.add(path, f"{library} is a connector's and must not link {other}")
    findings.end(looked)


main()
