// SPDX-License-Identifier: Apache-2.0
// Old copies of what the gateway keeps, put back in whole and in part: each is refused at the start, and only two persons' consent to
// exactly what was found lets it go on.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "admin/audit/verify.hpp"
#include "tests/support/house.hpp"

namespace postern::vault {
namespace {

namespace fs = std::filesystem;

constexpr std::array kParts{"postern.db", "postern.db-wal", "audit", "ring", "epoch", "postern.db-redo"};
constexpr std::size_t kKeyring = kParts.size();   // the last part
constexpr unsigned kJournals = 1U << 1 | 1U << 5;

using Tree = std::map<std::string, std::string>;   // relative path -> content

Tree read_part(const fs::path& root, const std::string& part) {
  Tree files;
  const auto add = [&](const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    files[path.lexically_relative(root).string()] = std::string(std::istreambuf_iterator<char>(in), {});
  };
  if (fs::is_regular_file(root / part)) add(root / part);
  if (fs::is_directory(root / part))
    for (const auto& entry : fs::recursive_directory_iterator(root / part))
      if (entry.is_regular_file()) add(entry.path());
  return files;
}

void write_part(const fs::path& root, const std::string& part, const Tree& files) {
  fs::remove_all(root / part);
  for (const auto& [path, content] : files) {
    fs::create_directories((root / path).parent_path());
    std::ofstream(root / path, std::ios::binary) << content;
  }
}

struct Dice {
  explicit Dice(unsigned seed) : source(seed) {}
  unsigned operator()() { return static_cast<unsigned>(source()); }
  std::mt19937 source;
};

struct Snapshot {
  std::array<Tree, kParts.size()> parts;
  Keyring keyring;
};

class Rollback : public testing::Test {
 protected:
  Rollback() {
    Keyring ring = house.ring().clone();
    EXPECT_TRUE(ring.add_slot(SlotKind::key_file, "file", Secret::random(32), kMorning).has_value());
    house.put_ring(std::move(ring));
    change_keys();
  }
  House house;

  Snapshot snapshot() const {
    Snapshot taken{{}, house.ring().clone()};
    for (std::size_t i = 0; i < kParts.size(); ++i) taken.parts[i] = read_part(house.state(), kParts[i]);
    return taken;
  }
  // Puts back the parts of the mask, and gives those that were not the same already.
  unsigned put_back(const Snapshot& then, unsigned mask) {
    unsigned differs = 0;
    for (std::size_t i = 0; i < kParts.size(); ++i) {
      if ((mask >> i & 1) == 0) continue;
      if (read_part(house.state(), kParts[i]) != then.parts[i]) differs |= 1U << i;
      write_part(house.state(), kParts[i], then.parts[i]);
    }
    if ((mask >> kKeyring & 1) != 0) {
      if (house.ring().generation() != then.keyring.generation()) differs |= 1U << kKeyring;
      house.put_ring(then.keyring.clone());
    }
    return differs;
  }
  void change_keys() {
    Keyring ring = house.ring().clone();
    EXPECT_TRUE(ring.rotate(Purpose::content, house.now).has_value());
    const std::string path = house.state() + "/keyring";
    const Status saved = ring.save(path, fs::exists(path) ? Keyring::Replace::yes : Keyring::Replace::no);
    EXPECT_TRUE(saved.has_value()) << saved.what();
    house.put_ring(std::move(ring));
    house.vault().renew(house.ring());
  }
  void publish() {
    const Status published = house.vault().publish();
    ASSERT_TRUE(published.has_value()) << published.what();
  }
  // Some of what a day brings, in a few turns, and then the second is over.
  void live(Dice& dice) {
    house.now += 1000;
    const PeerId api = house.join("api", 1), sms = house.join("sms", dice() | 1);
    house.send(api, House::submit("sms", "38067" + std::to_string(1'000'000 + dice() % 1000), dice() % 2 ? wire::OTP : wire::TRANSACTION));
    const std::vector<wire::Deliver> deliveries = house.deliveries(sms);
    for (const wire::Deliver& delivery : deliveries) house.result(sms, delivery.attempt(), wire::Result::SENT, {delivery.id()});
    if (dice() % 8 == 0) house.now += 16 * 60'000;   // another epoch
    if (dice() % 8 == 0) house.now += 25 * 3'600'000;  // another wrapping key
    if (dice() % 8 == 0) change_keys();
    if (dice() % 5 == 0) {
      ASSERT_TRUE(house.vault().context().store.fold().has_value());
    }
    house.turn();
    publish();
  }
  std::string audited() {
    publish();
    const Result<auditor::Trust> trust = auditor::read_trust({house.state() + "/audit/vkey"}, {});
    if (!trust) return trust.what();
    const Result<auditor::Verdict> seen = auditor::verify({house.state() + "/audit", *trust, {}, {}});
    if (!seen) return seen.what();
    return seen->bad ? std::to_string(seen->bad->leaf) + ": " + seen->bad->what : "";
  }
};

// Ten lives, of each a hundred old copies put back.
constexpr int kRounds = 100;
class Subsets : public Rollback, public testing::WithParamInterface<unsigned> {};
INSTANTIATE_TEST_SUITE_P(Lives, Subsets, testing::Range(0U, 10U));

TEST_P(Subsets, OfAnyOldCopyAreRefused) {
  Dice dice(GetParam());
  std::vector<Snapshot> taken;
  int refused = 0, tried = 0;
  std::map<std::string, int> by;
  while (refused < kRounds) {
    house.reopen();
    live(dice);
    taken.push_back(snapshot());
    live(dice);
    if (taken.size() > 6) taken.erase(taken.begin() + dice() % 6);
    const store::State state = house.vault().context().store.state();
    house.close();   // as a crash does
    const Snapshot now = snapshot();
    const unsigned whole = (1U << (kParts.size() + 1)) - 1;
    for (int i = 0; i < 5 && refused < kRounds; ++i) {
      const unsigned mask = i == 0 ? whole : 1 + dice() % whole;
      const unsigned older = put_back(taken[dice() % taken.size()], mask);
      const Status opened = house.try_open(Vault::Opening::existing);
      // Old journals of which all stands in the file already is no roll-back: it says the same.
      const bool same = older == 0 || ((older & ~kJournals) == 0 && opened && house.vault().context().store.state().generation == state.generation &&
                                       house.vault().context().store.state().sum == state.sum);
      tried += !same;
      refused += !same && !opened;
      if (!same && !opened) ++by[opened.what().substr(0, opened.what().find_first_of("0123456789/"))];
      EXPECT_TRUE(same != !opened) << "parts " << older << " of an old copy: " << (opened ? "opened" : opened.what());
      house.close();
      put_back(now, whole);
    }
    if (HasFailure()) return;
  }
  house.reopen();
  EXPECT_EQ(audited(), "");
  std::printf("  %d old copies put back, %d refused\n", tried, refused);
  for (const auto& [how, count] : by) std::printf("  %5d  %s\n", count, how.c_str());
  EXPECT_EQ(refused, tried);
}

TEST_F(Rollback, WithoutItsAnchorNothingIsOpened) {
  fs::remove(house.state() + "/anchor");
  const Status opened = house.try_open(Vault::Opening::existing);
  ASSERT_FALSE(opened.has_value());
  EXPECT_NE(opened.what().find("rolled back: there is no anchor"), std::string::npos) << opened.what();
}

TEST_F(Rollback, AnAnchorOfAnotherGatewayIsNone) {
  House other;
  fs::copy_file(other.state() + "/anchor", house.state() + "/anchor", fs::copy_options::overwrite_existing);
  const Status opened = house.try_open(Vault::Opening::existing);
  ASSERT_FALSE(opened.has_value());
  EXPECT_NE(opened.what().find("damaged, or of another gateway"), std::string::npos) << opened.what();
}

TEST_F(Rollback, TheAuditFolderOfAnotherGatewayIsRefusedByItsName) {
  House other;
  house.close();
  write_part(house.state(), "audit", read_part(other.state(), "audit"));
  const Status opened = house.try_open(Vault::Opening::existing);
  ASSERT_FALSE(opened.has_value());
  EXPECT_NE(opened.what().find("audit folder " + house.state() + "/audit: its checkpoint is damaged or of another log"), std::string::npos) << opened.what();
}

TEST_F(Rollback, EveryFlippedBitOfTheAnchorIsFoundOut) {
  house.close();
  Tree anchor = read_part(house.state(), "anchor");
  const Keys keys(house.ring());
  std::string& bytes = anchor["anchor"];
  ASSERT_GT(bytes.size(), 100U);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    write_part(house.state(), "anchor", anchor);
    EXPECT_FALSE(load_anchor(house.state() + "/anchor", keys).has_value()) << bit;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
  }
}

class Accepted : public Rollback {
 protected:
  // Two messages wait when the copy is made; both are sent in the life that is lost.
  Accepted() {
    // As after a restore, where nothing of the lost life is left.
    api = house.join("api");
    payment = house.send(api, House::submit("sms", "380671111111", wire::TRANSACTION)).id();
    code = house.send(api, House::submit("sms", "380672222222", wire::OTP)).id();
    publish();
    then = snapshot();
    const PeerId sms = house.join("sms");
    for (const wire::Deliver& delivery : house.deliveries(sms)) house.result(sms, delivery.attempt(), wire::Result::SENT, {delivery.id()});
    publish();
    house.close();
  }
  std::string findings() {
    const Status opened = house.try_open(Vault::Opening::existing);
    EXPECT_FALSE(opened.has_value());
    const std::string what = opened ? "" : opened.what();
    EXPECT_TRUE(what.starts_with(store::kRolledBack)) << what;
    return what.substr(store::kRolledBack.size());
  }
  void goes_on(const Consent& consent) {
    const Status opened = house.try_open(Vault::Opening::existing, &consent);
    ASSERT_TRUE(opened.has_value()) << opened.what();
    api = house.join("api");
    const std::vector<audit::Leaf> leaves = house.leaves();
    const auto told = std::ranges::find(leaves, EventType::rollback_accepted, &audit::Leaf::type);
    ASSERT_NE(told, leaves.end());
    EXPECT_EQ(house.vault().context().log.open(*told)->front().second, "anna, boris");
    // Both were sent in the life that is lost: who must not be told twice is not.
    const PeerId sms = house.join("sms", 77);
    const std::vector<wire::Deliver> deliveries = house.deliveries(sms);
    ASSERT_EQ(deliveries.size(), 1U);
    EXPECT_EQ(deliveries.front().id(), code);
    EXPECT_EQ(house.view(api, payment).attempt(0).progress(), wire::UNKNOWN);
    EXPECT_EQ(house.view(api, payment).attempt(0).reason(), "put-back");
    EXPECT_EQ(audited(), "");
    house.reopen();
    EXPECT_EQ(audited(), "");
  }
  PeerId api = 0;
  std::string payment, code;
  Snapshot then{{}, Keyring::create(0)};
};

TEST_F(Accepted, ByTwoPersonsItGoesOnAndSendsNothingTwice) {
  put_back(then, 0x3f);
  goes_on({"anna, boris", findings()});
}

TEST_F(Accepted, WhereTheAuditFolderIsNewerItIsKeptAsEvidence) {
  put_back(then, 0x3b);
  goes_on({"anna, boris", findings()});
  int aside = 0;
  for (const auto& entry : fs::directory_iterator(house.state())) aside += entry.path().filename().string().starts_with("audit.before-");
  EXPECT_EQ(aside, 1);
}

TEST_F(Accepted, OnlyWhatTheyWereShown) {
  put_back(then, 0x3f);
  const Consent other{"anna, boris", "something else"};
  const Status opened = house.try_open(Vault::Opening::existing, &other);
  ASSERT_FALSE(opened.has_value());
  EXPECT_TRUE(opened.what().starts_with(store::kRolledBack)) << opened.what();
}

TEST_F(Accepted, OnceMoreIfTheProcessEndsInTheMidst) {
  put_back(then, 0x3f);
  const Consent consent{"anna, boris", findings()};
  const Tree anchor = read_part(house.state(), "anchor");
  ASSERT_TRUE(house.try_open(Vault::Opening::existing, &consent).has_value());
  house.close();
  // The anchor is what is written last.
  write_part(house.state(), "anchor", anchor);
  const Consent again{"anna, boris", findings()};
  goes_on(again);
}

}  // namespace
}  // namespace postern::vault
