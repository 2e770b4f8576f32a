#include "driver/op/thread_times.hpp"

#include <fstream>
#include <sstream>
#include <string>
#include <unistd.h>

namespace cloister {

std::optional<ThreadTimes> thread_times(pid_t pid, pid_t tid) {
    const auto folder = "/proc/" + std::to_string(pid) + (tid ? "/task/" + std::to_string(tid) : "");
    std::ifstream stat(folder + "/stat");
    std::string text;
    if (!std::getline(stat, text)) return std::nullopt;
    const auto name_end = text.rfind(')'); // the name may hold blanks and parentheses
    if (name_end == std::string::npos) return std::nullopt;
    std::istringstream fields(text.substr(name_end + 1));
    std::string skipped;
    for (int i = 3; i < 14; ++i) fields >> skipped;
    std::uint64_t user = 0, system = 0;
    fields >> user >> system;
    for (int i = 16; i < 39; ++i) fields >> skipped;
    ThreadTimes out;
    fields >> out.cpu;
    const auto tick = 1'000'000'000u / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
    out.user_ns = user * tick;
    out.system_ns = system * tick;
    std::ifstream sched(folder + "/schedstat");
    std::uint64_t ran = 0;
    sched >> ran >> out.delay_ns;
    return out;
}

std::uint64_t resident_kib(pid_t pid) {
    std::ifstream statm("/proc/" + std::to_string(pid) + "/statm");
    std::uint64_t total = 0, resident = 0;
    if (!(statm >> total >> resident)) return 0;
    return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) / 1024;
}

} // namespace cloister
