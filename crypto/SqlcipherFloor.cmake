# SPDX-License-Identifier: Apache-2.0
# Refuses a SQLCipher older than 4.6 and says why and what to do.
file(WRITE ${CMAKE_BINARY_DIR}/sqlcipher_floor.c [[
#include <sqlcipher/sqlite3.h>
#include <stdio.h>
static int print(void *u, int n, char **v, char **c) { (void)u; (void)c; if (n > 0) puts(v[0]); return 0; }
int main(void) {
  sqlite3 *db;
  if (sqlite3_open(":memory:", &db)) return 1;
  return sqlite3_exec(db, "PRAGMA cipher_version", print, 0, 0);
}
]])
try_run(SQLCIPHER_RAN SQLCIPHER_COMPILED
  ${CMAKE_BINARY_DIR}/sqlcipher_floor ${CMAKE_BINARY_DIR}/sqlcipher_floor.c
  CMAKE_FLAGS "-DINCLUDE_DIRECTORIES=${SQLCIPHER_INCLUDE_DIRS}"
  LINK_LIBRARIES ${SQLCIPHER_LINK_LIBRARIES}
  RUN_OUTPUT_VARIABLE SQLCIPHER_VERSION_FOUND)
string(STRIP "${SQLCIPHER_VERSION_FOUND}" SQLCIPHER_VERSION_FOUND)
string(REGEX MATCH "^[0-9]+\\.[0-9]+\\.[0-9]+" SQLCIPHER_NUMBER "${SQLCIPHER_VERSION_FOUND}")
if(NOT SQLCIPHER_COMPILED OR NOT SQLCIPHER_NUMBER OR SQLCIPHER_NUMBER VERSION_LESS 4.6.0)
  message(FATAL_ERROR
    "SQLCipher ${SQLCIPHER_VERSION_FOUND} is too old: Postern needs 4.6 or newer, because older "
    "ones miss tampering with whole pages and write plaintext backups.\n"
    "On Debian 12 install libsqlcipher-dev from the backports suite (tests/run and "
    "admin/quickstart do this); Debian 13 carries it in main.")
endif()
message(STATUS "SQLCipher ${SQLCIPHER_VERSION_FOUND}")
