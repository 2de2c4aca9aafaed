// SPDX-License-Identifier: Apache-2.0
// What somebody would try who has taken a connector over. systemd_test.py starts this program in the place of one,
// under the unit's real settings, and once without any. Each line of output: "probe ACTION possible|refused ERRNO".
// Calls carry arguments that change nothing, so that "possible" shows in another error than the sandbox's.
#include <fcntl.h>
#include <linux/keyctl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

namespace {

void say(const std::string& action, bool possible) {
  const int error = possible ? 0 : errno;
  std::printf("probe %s %s %d\n", action.c_str(), possible ? "possible" : "refused", error);
}

// A system call the kernel would have looked at: it worked, or it complained about the arguments.
void call(const std::string& action, long result) {
  say(action, result >= 0 || (errno != EPERM && errno != EACCES && errno != ENOSYS && errno != EAFNOSUPPORT));
}

void reads(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  say("read:" + path, fd >= 0);
  if (fd >= 0) close(fd);
}

void writes(const std::string& folder) {
  const std::string path = folder + "/probe-" + std::to_string(getpid());
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
  say("write:" + folder, fd >= 0);
  if (fd < 0) return;
  close(fd);
  unlink(path.c_str());
}

void makes_device(const std::string& folder) {
  const std::string path = folder + "/probe-device";
  say("mknod:" + folder, mknod(path.c_str(), S_IFCHR | 0600, makedev(1, 3)) == 0);
  unlink(path.c_str());
}

void executes(const std::string& path) {
  const pid_t child = fork();
  if (child == 0) {
    close(STDERR_FILENO);
    execl(path.c_str(), path.c_str(), "-c", "exit 0", nullptr);
    _exit(99);
  }
  int status = 0;
  const bool ran = child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) != 99;
  errno = ran ? 0 : ENOENT;
  say("execute:" + path, ran);
}

// Code that lives in no file system: written to memory and executed from there.
void executes_memory() {
  const int fd = static_cast<int>(syscall(SYS_memfd_create, "probe", 0U));
  call("memfd_create", fd);
  if (fd >= 0) close(fd);
}

void opens_socket(const std::string& name, int family, int type) {
  const int fd = socket(family, type | SOCK_CLOEXEC, 0);
  const int error = errno;
  if (fd >= 0) close(fd);
  errno = error;
  call("socket:" + name, fd);
}

void connects_tcp(const char* name, std::uint32_t host, std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(host);
  timeval limit{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  say(std::string("connect:") + name, connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  if (fd >= 0) close(fd);
}

void connects_unix(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  const bool connected = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  say("connect:" + path, connected || errno == EPROTOTYPE);
  if (fd >= 0) close(fd);
}

void sees_others() {
  int others = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    const int pid = std::atoi(entry.path().filename().c_str());
    if (pid > 0 && pid != getpid()) ++others;
  }
  errno = others > 0 ? 0 : ENOENT;
  say("see-other-processes", others > 0);
}

void memory_for_code() {
  void* both = mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  say("mmap-write-execute", both != MAP_FAILED);
  void* later = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  say("mprotect-execute", mprotect(later, 4096, PROT_READ | PROT_EXEC) == 0);
}

void system_calls() {
  char text[16] = "";
  call("setns", setns(-1, 0));
  call("mount", mount("none", "/no-such-place", "tmpfs", 0, nullptr));
  call("chroot", chroot("/no-such-place"));
  call("ptrace", syscall(SYS_ptrace, PTRACE_ATTACH, 0, 0, 0));
  call("process_vm_readv", syscall(SYS_process_vm_readv, getpid(), nullptr, 0, nullptr, 0, 1));
  call("kcmp", syscall(SYS_kcmp, getpid(), getpid(), 100, 0, 0));
  call("io_uring", syscall(SYS_io_uring_setup, 0, nullptr));
  call("bpf", syscall(SYS_bpf, 9999, nullptr, 0));
  call("perf_event_open", syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0));
  call("keyctl", syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 0));
  call("userfaultfd", syscall(SYS_userfaultfd, 0xffff));
  call("open_by_handle_at", syscall(SYS_open_by_handle_at, -1, nullptr, 0));
  call("init_module", syscall(SYS_init_module, nullptr, 0, nullptr));
  call("kexec_load", syscall(SYS_kexec_load, 0, 99, nullptr, 0));
  call("reboot", syscall(SYS_reboot, 0, 0, 0, nullptr));
  call("swapon", syscall(SYS_swapon, "/no-such-place", 0));
  call("syslog", syscall(SYS_syslog, 3, text, 0));
  call("quotactl", syscall(SYS_quotactl, 0, nullptr, 0, nullptr));
  call("clock_settime", syscall(SYS_clock_settime, 99, nullptr));
  call("sethostname", syscall(SYS_sethostname, text, 100000));
  makes_device("/tmp");
  makes_device("/run/postern/bus");
  call("setuid-0", syscall(SYS_setresuid, 0, 0, 0));
  call("setgroups", syscall(SYS_setgroups, 0, nullptr));
  call("capset", syscall(SYS_capset, nullptr, nullptr));
  call("sched_fifo", syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, nullptr));
  call("setpriority", setpriority(PRIO_PROCESS, 0, -10));
  call("personality", personality(ADDR_NO_RANDOMIZE));
  call("kill-init", kill(1, 0));
  rlimit core{RLIM_INFINITY, RLIM_INFINITY};
  call("raise-core-limit", setrlimit(RLIMIT_CORE, &core));
  // Last: where they work, they change what this process may do.
  call("unshare-net", unshare(CLONE_NEWNET));
  call("unshare-user", unshare(CLONE_NEWUSER));
}

}  // namespace

int main() {
  for (const char* path :
       {"/etc/shadow", "/etc/credstore", "/etc/postern/posternd.toml", "/etc/postern/connectors/other.toml",
        "/var/lib/postern/keyring", "/var/log", "/home", "/root", "/opt", "/proc/1/environ", "/proc/1/maps",
        "/proc/kcore", "/proc/kallsyms", "/proc/sys/kernel/core_pattern", "/dev/kmsg", "/dev/mem"})
    reads(path);
  for (const char* folder : {"/", "/etc", "/etc/postern", "/usr", "/usr/lib", "/tmp", "/var/tmp", "/run",
                             "/run/postern/bus", "/dev/shm", "/var/lib/postern"})
    writes(folder);
  for (const char* path : {"/bin/sh", "/usr/bin/bash", "/usr/bin/python3", "/usr/bin/perl"}) executes(path);
  executes_memory();
  for (const char* path : {"/run/postern/bus/postern-https", "/run/postern/bus/postern-hook", "/run/postern/bus/postern-sql",
                           "/run/postern/bus/postern-smpp", "/run/postern/bus/postern-push",
                           "/run/postern/bus/postern-messenger", "/run/postern/bus/postern-email",
                           "/run/postern/control/root", "/run/systemd/private",
                           "/run/systemd/notify", "/run/systemd/journal/socket"})
    connects_unix(path);
  opens_socket("inet", AF_INET, SOCK_STREAM);
  opens_socket("inet6", AF_INET6, SOCK_DGRAM);
  opens_socket("netlink", AF_NETLINK, SOCK_RAW);
  opens_socket("packet", AF_PACKET, SOCK_RAW);
  opens_socket("alg", AF_ALG, SOCK_SEQPACKET);
  connects_tcp("listed-peer", 0x7f000002, 4001);
  connects_tcp("this-machine", 0x7f000001, 4001);
  sees_others();
  memory_for_code();
  system_calls();
  return 0;
}
