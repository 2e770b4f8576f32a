#include "driver/op/input.hpp"

#include "conf/base/tr.hpp"
#include "conf/domain/devices.hpp"
#include "driver/caps/qemu_caps.hpp"
#include "driver/offload.hpp"
#include "driver/op/find.hpp"
#include "driver/op/keycodes.hpp"
#include "driver/qmp/client.hpp"
#include "security/kernel/fd.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cloister {

namespace {

namespace json = boost::json;

/// Which device shows screen `number`, and which of its heads it is.
struct Screen {
    std::string device{};
    std::uint32_t head = 0;
};
std::optional<Screen> screen_of(const Domain& domain, std::uint32_t number) {
    for (const auto* video : devices_of<Video>(domain)) {
        const auto heads = video->model ? video->model->heads.value_or(1) : 1;
        if (number < heads)
            return Screen{.device = video->info.alias ? video->info.alias->name : "", .head = number};
        number -= heads;
    }
    return std::nullopt;
}

/// Memory that QEMU may write once: `ours` is read from, `theirs` goes to QEMU.
struct Paper {
    Fd ours{}, theirs{};
};
Result<Paper> paper() {
    Paper out;
    out.ours = Fd{::memfd_create("screenshot", MFD_CLOEXEC)};
    if (!out.ours) return std::unexpected(system_error(errno, tr("cannot make memory for a picture")));
    // QEMU compares the access mode: it opens for writing only
    out.theirs = Fd{::open(("/proc/self/fd/" + std::to_string(out.ours.n())).c_str(), O_WRONLY | O_CLOEXEC)};
    if (!out.theirs) return std::unexpected(system_error(errno, tr("cannot make memory for a picture")));
    return out;
}

Task<void> send_picture(std::shared_ptr<Pipe> client, std::shared_ptr<Fd> picture) {
    constexpr std::size_t piece = 65536;
    off_t at = 0;
    for (;;) {
        std::vector<std::byte> bytes(piece);
        const auto count = ::pread(picture->n(), bytes.data(), bytes.size(), at);
        if (count <= 0) break;
        bytes.resize(static_cast<std::size_t>(count));
        at += count;
        auto sent = co_await client->to_client(std::move(bytes));
        if (!sent) break;
    }
    client->finish({});
}

} // namespace

Task<Result<DomainSendKey::Out>> DomainSendKey::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "qemuDomainSendKey"));
    CO_TRY(guest, find(call, in.dom));
    if (in.codeset > static_cast<std::uint32_t>(Codeset::qnum))
        co_return refuse(Code::invalid_arg, tr("unknown keycode set {0}", in.codeset));
    json::array keys;
    for (const auto code : in.keycodes.items) {
        const auto number = qemu_key_number(static_cast<Codeset>(in.codeset), code);
        if (!number)
            co_return refuse(
                Code::internal,
                tr("cannot translate keycode {0} of codeset {1} to a QEMU keycode", code, in.codeset));
        keys.push_back(json::object{{"type", "number"}, {"data", *number}});
    }
    CO_TRY(turn, co_await change(guest, "virDomainSendKey"));
    CO_TRY(monitor, need_monitor(*guest));
    json::object arguments{{"keys", std::move(keys)}};
    if (in.holdtime) arguments["hold-time"] = in.holdtime;
    CO_TRY(done, co_await monitor->execute("send-key", std::move(arguments)));
    co_return Out{};
}

Task<Result<DomainInjectNmi::Out>> DomainInjectNmi::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "qemuDomainInjectNMI"));
    CO_TRY(guest, find(call, in.dom));
    CO_TRY(turn, co_await change(guest, "virDomainInjectNMI"));
    CO_TRY(monitor, need_monitor(*guest));
    CO_TRY(done, co_await monitor->execute("inject-nmi"));
    co_return Out{};
}

Task<Result<DomainScreenshot::Out>> DomainScreenshot::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 0, "qemuDomainScreenshot"));
    CO_TRY(guest, find(call, in.dom));
    if (!call.stream) co_return refuse(Code::invalid_stream, tr("invalid stream"), ErrorDomain::streams);
    CO_TRY(turn, co_await change(guest, "virDomainScreenshot"));
    CO_TRY(monitor, need_monitor(*guest));
    const auto screen = screen_of(*guest->live, in.screen);
    if (!screen) co_return refuse(Code::invalid_arg, tr("no such screen ({0})", in.screen));
    CO_TRY(sheet, paper());
    std::vector<int> fds{sheet.theirs.n()};
    json::object label{{"opaque", "screenshot"}};
    CO_TRY(added, co_await monitor->execute("add-fd", std::move(label), Monitor::patience, std::move(fds)));
    const auto* members = added.if_object();
    const auto* set = members ? members->if_contains("fdset-id") : nullptr;
    if (!set || !set->is_int64())
        co_return refuse(Code::internal, tr("QEMU took no descriptor for the picture"));
    const auto number = set->get_int64();
    json::object arguments{{"filename", "/dev/fdset/" + std::to_string(number)}};
    if (!screen->device.empty()) {
        arguments["device"] = screen->device;
        arguments["head"] = screen->head;
    }
    const bool png = guest->running && guest->running->caps &&
                     guest->running->caps->schema.contains("screendump/arg-type/format");
    if (png) arguments["format"] = "png";
    auto drawn = co_await monitor->execute("screendump", std::move(arguments));
    json::object done{{"fdset-id", number}};
    auto closed = co_await monitor->execute("remove-fd", std::move(done));
    if (!drawn) co_return std::unexpected(std::move(drawn).error());
    auto picture = std::make_shared<Fd>(std::move(sheet.ours));
    spawn(call.driver->executor(), send_picture(call.stream, std::move(picture)));
    Out out;
    out.mime.emplace();
    out.mime->value = png ? "image/png" : "image/x-portable-pixmap";
    co_return out;
}

Task<Result<DomainOpenGraphicsFd::Out>> DomainOpenGraphicsFd::run(Call call, In in) {
    CO_CHECK(check_flags(in.flags, 1, "qemuDomainOpenGraphicsFD"));
    CO_TRY(guest, find(call, in.dom));
    CO_TRY(turn, co_await change(guest, "virDomainOpenGraphicsFD"));
    CO_TRY(monitor, need_monitor(*guest));
    const auto displays = devices_of<Graphics>(*guest->live);
    if (in.idx >= displays.size())
        co_return refuse(Code::internal, tr("No graphics backend with index {0}", in.idx));
    const auto& kind = displays[in.idx]->kind;
    const char* protocol = std::holds_alternative<Vnc>(kind)     ? "vnc"
                           : std::holds_alternative<Spice>(kind) ? "spice"
                                                                 : nullptr;
    if (!protocol)
        co_return refuse(Code::config_unsupported, tr("only VNC and SPICE displays can be opened"));
    int ends[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        co_return std::unexpected(system_error(errno, tr("cannot make a socket pair")));
    Fd ours(ends[0]);
    const Fd theirs(ends[1]);
    std::vector<int> fds{theirs.n()};
    json::object name{{"fdname", "graphicsfd"}};
    CO_TRY(given, co_await monitor->execute("getfd", std::move(name), Monitor::patience, std::move(fds)));
    json::object arguments{
        {"protocol", protocol}, {"fdname", "graphicsfd"}, {"skipauth", (in.flags & 1U) != 0}};
    auto added = co_await monitor->execute("add_client", std::move(arguments));
    if (!added) {
        json::object again{{"fdname", "graphicsfd"}};
        auto closed =
            co_await monitor->execute("closefd", std::move(again)); // QEMU may have closed it already
        co_return std::unexpected(std::move(added).error());
    }
    if (call.files_out) call.files_out->push_back(std::move(ours));
    co_return Out{};
}

} // namespace cloister
