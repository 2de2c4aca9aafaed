// SPDX-License-Identifier: Apache-2.0
#include "gateway/store/page_cache.hpp"

#include <sqlcipher/sqlite3.h>

#include <algorithm>
#include <mutex>
#include <new>

namespace postern::store {
namespace {

constexpr unsigned kLockByte = 0x40000000;   // no database page holds it (pages.hpp)

sqlite3_pcache_methods2 own;   // SQLite's

struct Cache {
  sqlite3_pcache* pages;
  unsigned lock_page;            // its number, from 1
  unsigned highest = 0;          // no page but one that stands under the lock page's number has a higher one
  bool lock_page_taken = false;
};

Cache& of(sqlite3_pcache* cache) { return *reinterpret_cast<Cache*>(cache); }

sqlite3_pcache* create(int page_size, int extra, int purgeable) {
  sqlite3_pcache* pages = own.xCreate(page_size, extra, purgeable);
  if (pages == nullptr) return nullptr;
  auto* cache = new (std::nothrow) Cache{pages, kLockByte / static_cast<unsigned>(page_size) + 1};
  if (cache == nullptr) own.xDestroy(pages);
  return reinterpret_cast<sqlite3_pcache*>(cache);
}

void destroy(sqlite3_pcache* cache) {
  own.xDestroy(of(cache).pages);
  delete &of(cache);
}

void resize(sqlite3_pcache* cache, int pages) { own.xCachesize(of(cache).pages, pages); }
int count(sqlite3_pcache* cache) { return own.xPagecount(of(cache).pages); }
void shrink(sqlite3_pcache* cache) { own.xShrink(of(cache).pages); }
void unpin(sqlite3_pcache* cache, sqlite3_pcache_page* page, int discard) { own.xUnpin(of(cache).pages, page, discard); }

sqlite3_pcache_page* fetch(sqlite3_pcache* cache, unsigned number, int create_it) {
  Cache& c = of(cache);
  if (create_it != 0) c.highest = std::max(c.highest, number);
  return own.xFetch(c.pages, number, create_it);
}

void renumber(sqlite3_pcache* cache, sqlite3_pcache_page* page, unsigned before, unsigned after) {
  Cache& c = of(cache);
  if (before == c.lock_page) c.lock_page_taken = false;
  if (after == c.lock_page) c.lock_page_taken = true;
  else c.highest = std::max(c.highest, after);
  own.xRekey(c.pages, page, before, after);
}

void truncate(sqlite3_pcache* cache, unsigned from) {
  Cache& c = of(cache);
  if (c.highest < from && !c.lock_page_taken) return;
  own.xTruncate(c.pages, from);
  c.highest = std::min(c.highest, from == 0 ? 0 : from - 1);
  c.lock_page_taken = c.lock_page_taken && c.lock_page < from;
}

}  // namespace

void spare_page_cache() {
  static std::once_flag once;
  std::call_once(once, [] {
    // Statistics of its memory, under a lock at each allocation.
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    if (sqlite3_config(SQLITE_CONFIG_GETPCACHE2, &own) != SQLITE_OK || own.xCreate == nullptr) return;
    sqlite3_pcache_methods2 ours = own;
    ours.xCreate = create;
    ours.xDestroy = destroy;
    ours.xCachesize = resize;
    ours.xPagecount = count;
    ours.xShrink = shrink;
    ours.xUnpin = unpin;
    ours.xFetch = fetch;
    ours.xRekey = renumber;
    ours.xTruncate = truncate;
    sqlite3_config(SQLITE_CONFIG_PCACHE2, &ours);
  });
}

}  // namespace postern::store
