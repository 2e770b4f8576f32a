#include "driver/last_words.hpp"

#include "conf/base/escaped.hpp"
#include "conf/base/tr.hpp"
#include "driver/about.hpp"
#include "driver/domain_log.hpp"
#include "driver/driver.hpp"
#include "driver/guest.hpp"
#include "driver/guest_logs.hpp"
#include "driver/launched.hpp"
#include "driver/log.hpp"
#include "driver/offload.hpp"
#include "driver/parts.hpp"
#include "driver/store/files.hpp"
#include "security/denial.hpp"
#include "security/kernel/autopsy.hpp"
#include "security/report.hpp"

#include <algorithm>

namespace cloister {

using namespace std::chrono_literals;

namespace {

struct Question {
    Dead dead{};
    std::shared_ptr<Launched> process{};
    std::shared_ptr<GuestLogs> logs{};
    std::string name{}, log{};
};
struct Reason {
    std::string words{};
    std::vector<Denial> denials{};
};

/// On a worker.
Reason reason(const Question& question) {
    if (question.logs)
        if (auto done = question.logs->drain(question.name); !done)
            log(LogLevel::warning, full_text(done.error())); // then with what is there
    Reason out{.words = qemu_lines(store::tail(question.log, question.process->log_start, 16384))};
    auto dead = question.dead;
    dead.words = out.words;
    out.denials = denials(death_facts(dead, question.process->mount_namespace));
    const auto now = std::chrono::system_clock::now();
    for (const auto& denial : out.denials)
        (void)store::append_file(question.log, // a full disk: the client and the messages still have it
                                 log_line(now, "denied: " + denial.sentence));
    return out;
}

/// The domain's messages hold what was refused, whoever listens hears of it.
void tell(Driver& driver, Guest& guest, const std::vector<Denial>& denials) {
    guest.denials.clear();
    for (const auto& denial : denials) {
        guest.denials.push_back(denial.sentence);
        const auto layer = denial.layer == Layer::none ? "none" : layer_name(denial.layer);
        driver.events().emit(event::Denied{
            .domain = guest.ref(), .layer = std::string(layer), .what = denial.what, .why = denial.sentence});
    }
}

Question question_about(Driver& driver, const Guest& guest) {
    const auto& running = *guest.running;
    return {.dead = {.plan = running.plan,
                     .lowered = running.process->lowered,
                     .process = running.process->process,
                     .ended = running.process->ended,
                     .helper = driver.parts().launch.helper},
            .process = running.process,
            .logs = driver.parts().guest_logs,
            .name = guest.name,
            .log = running.plan.paths.log};
}

} // namespace

std::string qemu_lines(std::string_view log) {
    std::string out;
    while (!log.empty()) {
        const auto end = std::min(log.find('\n'), log.size());
        const auto line = log.substr(0, end);
        log.remove_prefix(std::min(end + 1, log.size()));
        const bool note = line.find("char device redirected") != line.npos;
        const bool ours = has_log_stamp(line);
        if (!note && !ours && !line.empty()) out += (out.empty() ? "" : "\n") + escaped(line);
    }
    return out;
}

Task<Error> died_early(Driver* driver, std::shared_ptr<Guest> guest, Error error) {
    const auto dead = co_await guest->wait_until([&] { return guest->running->exited; }, 2s);
    if (!dead) co_return error;
    auto ask = [question = question_about(*driver, *guest)] { return reason(question); };
    const auto why = co_await offload(driver->workers(), std::move(ask));
    auto words = why.words;
    Error out{.code = Code::internal};
    tell(*driver, *guest, why.denials);
    for (const auto& denial : why.denials) {
        if (out.layer == Layer::none) out.layer = denial.layer;
        words += (words.empty() ? "" : "\n") + denial.sentence;
    }
    const auto& how = guest->running->process->ended;
    if (words.empty() && how && how->known) words = tr("QEMU exited with status {0}", how->code);
    out.message = tr("process exited while connecting to monitor: {0}", words);
    co_return out;
}

Task<void> note_death(Driver* driver, std::shared_ptr<Guest> guest) {
    const auto& running = *guest->running;
    const auto& how = running.process->ended;
    const bool asked_for = running.destroying || running.shutdown_seen;
    if (asked_for || !how || !how->known || (how->signal == 0 && how->code == 0)) co_return;
    auto ask = [question = question_about(*driver, *guest)] { return reason(question); };
    const auto why = co_await offload(driver->workers(), std::move(ask));
    tell(*driver, *guest, why.denials);
    for (const auto& denial : why.denials)
        log(LogLevel::warning, about(*guest, denial.layer), guest->name + ": " + denial.sentence);
}

} // namespace cloister
