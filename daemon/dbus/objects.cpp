#include "daemon/dbus/objects.hpp"

#include "conf/base/tr.hpp"
#include "conf/call/connect.hpp"
#include "daemon/dbus/introspect.hpp"
#include "driver/log.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <systemd/sd-bus.h>

namespace cloister::dbus {
namespace {

/// Calls in progress at once, of one sender and of all.
constexpr unsigned most_of_one = 64, most = 1024;

constexpr std::string_view standard = "org.freedesktop.DBus.";
constexpr const char *unknown_method = "org.freedesktop.DBus.Error.UnknownMethod",
                     *invalid_arguments = "org.freedesktop.DBus.Error.InvalidArgs",
                     *limits_exceeded = "org.freedesktop.DBus.Error.LimitsExceeded",
                     *access_denied = "org.freedesktop.DBus.Error.AccessDenied";

/// An error that is about the message and not about what it asks for: it has a D-Bus name of its own, which
/// stands in `context`.
std::unexpected<Error> wrong(const char* name, std::string text) {
    return std::unexpected(Error{.code = Code::dbus_service, .message = std::move(text), .context = {name}});
}

void refuse(Bus& bus, const Message& call, const char* name, const std::string& text) {
    if (::sd_bus_message_get_expect_reply(call.raw()) <= 0) return;
    sd_bus_message* raw = nullptr;
    const sd_bus_error error = SD_BUS_ERROR_MAKE_CONST(name, text.c_str());
    if (::sd_bus_message_new_method_error(call.raw(), &raw, &error) < 0) return; // out of memory
    const Message reply(raw);
    (void)bus.send(reply); // whoever has left the bus misses nothing
}

/// What a client sees of an operation's error: libvirt's sentence under the interface's own name.
void refuse(Bus& bus, const Message& call, const Interface* interface, const Error& error) {
    if (const auto name = error_name(error); !name.empty())
        return refuse(bus, call, std::string(name).c_str(), error.message);
    const bool policy = error.domain == ErrorDomain::polkit;
    const bool ours = interface && interface->name.starts_with("org.cloister1");
    refuse(bus, call,
           policy ? access_denied
           : ours ? "org.cloister1.Error"
                  : "org.libvirt.Error",
           full_text(error));
}

Message answer_to(const Message& call) {
    sd_bus_message* raw = nullptr;
    if (::sd_bus_message_new_method_return(call.raw(), &raw) < 0) return {};
    return Message(raw);
}

const char* or_empty(const char* text) { return text ? text : ""; }

template <Interface made()> const Interface* kept() {
    static const Interface one = made();
    return &one;
}

/// The interfaces of an object of that kind, made when somebody calls such an object: on a host without a bus
/// nobody does.
std::vector<const Interface*> interfaces(Place::Kind kind) {
    switch (kind) {
    case Place::Kind::none:
    case Place::Kind::domains:
    case Place::Kind::snapshots: return {};
    case Place::Kind::connect: return {kept<connect_interface>()};
    case Place::Kind::domain: return {kept<domain_interface>()};
    case Place::Kind::snapshot: return {kept<snapshot_interface>()};
    case Place::Kind::cloister: return {kept<cloister_interface>()};
    }
    return {};
}

int on_call(sd_bus_message* call, void* objects, sd_bus_error*) {
    return static_cast<Objects*>(objects)->called(Message::shared(call)) ? 1 : 0;
}

} // namespace

Objects::Objects(const Front& front) : front_(front) {
    living_ = front.bus->move_in({.made = [this](sd_bus& bus) {
        for (const char* path : {"/org/libvirt/QEMU", "/org/cloister1"})
            if (::sd_bus_add_fallback(&bus, nullptr, path, &on_call, this) < 0)
                log(LogLevel::error, "cannot serve objects on the message bus");
    }});
}

bool Objects::called(Message call) {
    Target target{.place = place_of(or_empty(::sd_bus_message_get_path(call.raw())))};
    if (target.place.kind == Place::Kind::none) return false;
    const std::string interface = or_empty(::sd_bus_message_get_interface(call.raw()));
    const std::string member = or_empty(::sd_bus_message_get_member(call.raw()));
    const std::string sender = or_empty(::sd_bus_message_get_sender(call.raw()));
    for (const auto* one : interfaces(target.place.kind)) {
        if (!interface.empty() && one->name != interface) continue;
        const auto found = std::ranges::find(one->methods, member, &Method::name);
        if (found == one->methods.end()) continue;
        target.interface = one;
        target.method = &*found;
        break;
    }
    if (!target.method && !interface.starts_with(standard)) {
        refuse(*front_.bus, call, unknown_method,
               tr("there is no method '{0}' in the interface '{1}'", member, interface));
        return true;
    }
    if (target.method && ::sd_bus_message_has_signature(call.raw(), target.method->in.c_str()) <= 0) {
        refuse(*front_.bus, call, invalid_arguments,
               tr("the method '{0}' takes '{1}', not '{2}'", member, target.method->in,
                  or_empty(::sd_bus_message_get_signature(call.raw(), 1))));
        return true;
    }
    if (!enter(sender)) {
        refuse(*front_.bus, call, limits_exceeded, tr("too many calls are in progress"));
        return true;
    }
    front_.used();
    boost::asio::co_spawn(front_.bus->executor(), answer(std::move(call), std::move(target)),
                          boost::asio::detached);
    return true;
}

bool Objects::enter(const std::string& sender) {
    auto& of_this_one = inside_[sender];
    if (of_this_one >= most_of_one || all_inside_ >= most) return false;
    ++of_this_one;
    ++all_inside_;
    return true;
}

void Objects::leave(const std::string& sender) {
    --all_inside_;
    if (--inside_[sender] == 0) inside_.erase(sender);
}

Task<void> Objects::answer(Message call, Target target) {
    const auto bus = front_.bus;
    const std::string sender = or_empty(::sd_bus_message_get_sender(call.raw()));
    const std::string member = or_empty(::sd_bus_message_get_member(call.raw()));
    const std::string standard_interface =
        target.method ? "" : or_empty(::sd_bus_message_get_interface(call.raw()));
    const auto reply = answer_to(call);
    Result<> done;
    try {
        const auto caller = co_await caller_of(bus, sender);
        if (!caller) {
            done = std::unexpected(caller.error());
        } else {
            Request who{.front = &front_, .caller = *caller, .sender = sender, .place = target.place};
            who.interactive = ::sd_bus_message_get_allow_interactive_authorization(call.raw()) > 0;
            const bool of_a_domain =
                target.place.kind == Place::Kind::domain || target.place.kind == Place::Kind::snapshot;
            if (of_a_domain && !target.place.uuid &&
                (target.method || standard_interface.ends_with("Properties")))
                done = std::unexpected(invalid_uuid());
            else if (target.method)
                done = co_await target.method->serve(std::move(who), target.method, call, reply);
            else if (standard_interface == "org.freedesktop.DBus.Introspectable" && member == "Introspect")
                done = co_await introspect(std::move(who), reply);
            else if (standard_interface == "org.freedesktop.DBus.Properties")
                done = co_await properties(std::move(who), member, call, reply);
            else
                done = wrong(unknown_method, tr("there is no method '{0}' in the interface '{1}'", member,
                                                standard_interface));
        }
    } catch (const std::exception& bug) {
        done = fail(Code::internal, bug.what());
    }
    leave(sender);
    if (!done) {
        log(LogLevel::info, "D-Bus " + member + ": " + full_text(done.error()));
        refuse(*bus, call, target.interface, done.error());
    } else if (::sd_bus_message_get_expect_reply(call.raw()) > 0) {
        (void)bus->send(reply); // whoever has left the bus misses nothing
    }
}

Task<Result<>> Objects::introspect(Request who, Message reply) const {
    std::vector<std::string> children;
    if (who.place.kind == Place::Kind::connect) children = {"domain", "domainsnapshot"};
    if (who.place.kind == Place::Kind::domains) {
        constexpr int list_all = 273;
        const call::ConnectListAllDomainsIn all{.need_results = 1};
        // Who may not list them sees an empty folder.
        const auto found = co_await ask<call::ConnectListAllDomainsOut>(who, list_all, all);
        if (found)
            for (const auto& domain : found->domains.items)
                children.push_back(domain_path(Uuid{domain.uuid}).substr(domain_folder.size() + 1));
    }
    Writer to(reply);
    write(to, described(interfaces(who.place.kind), children));
    co_return to.done();
}

Task<Result<>> Objects::properties(Request who, std::string member, Message call, Message reply) const {
    const std::string expected = member == "GetAll" ? "s"
                                 : member == "Get"  ? "ss"
                                 : member == "Set"  ? "ssv"
                                                    : "";
    if (expected.empty())
        co_return wrong(unknown_method, tr("there is no method '{0}' in the interface '{1}'", member,
                                           "org.freedesktop.DBus.Properties"));
    if (::sd_bus_message_has_signature(call.raw(), expected.c_str()) <= 0)
        co_return wrong(invalid_arguments, tr("the method '{0}' takes '{1}', not '{2}'", member, expected,
                                              or_empty(::sd_bus_message_get_signature(call.raw(), 1))));
    Reader from(call);
    const auto interface = from.text('s');
    const auto name = member == "GetAll" ? std::string() : from.text('s');
    const auto all = interfaces(who.place.kind);
    const auto found = std::ranges::find(all, interface, &Interface::name);
    if (found == all.end()) co_return wrong(invalid_arguments, tr("there is no interface '{0}'", interface));
    if (member == "GetAll") co_return co_await all_properties(std::move(who), *found, call, reply);

    const auto property = std::ranges::find((*found)->properties, name, &Property::name);
    if (property == (*found)->properties.end())
        co_return wrong(invalid_arguments, tr("there is no property '{0}'", name));
    if (member == "Get") {
        Writer to(reply);
        to.open('v', property->get.out);
        CO_CHECK(co_await property->get.serve(std::move(who), &property->get, call, reply));
        to.close();
        co_return to.done();
    }
    if (!property->set) co_return wrong(invalid_arguments, tr("the property '{0}' is read-only", name));
    if (const auto given = from.variant(); given != property->set->in)
        co_return wrong(invalid_arguments, tr("the property '{0}' is of the type '{1}', not '{2}'", name,
                                              property->set->in, given));
    (void)from.enter('v', property->set->in);
    co_return co_await property->set->serve(std::move(who), &*property->set, call, reply);
}

/// What cannot be told is left out, as libvirt-dbus does: a domain that is gone has no properties. That the
/// caller may not ask is an error.
Task<Result<>> Objects::all_properties(Request who, const Interface* interface, Message call,
                                       Message reply) const {
    Writer to(reply);
    to.open('a', "{sv}");
    for (const auto& property : interface->properties) {
        // In a message of its own: a failure would leave half an entry.
        const auto value = answer_to(call);
        const auto told = co_await property.get.serve(who, &property.get, call, value);
        if (!told) {
            if (told.error().domain == ErrorDomain::polkit || told.error().code == Code::access_denied)
                co_return std::unexpected(told.error());
            continue;
        }
        to.open('e', "sv");
        to.text('s', property.name);
        to.open('v', property.get.out);
        if (::sd_bus_message_seal(value.raw(), 1, 0) < 0 || ::sd_bus_message_rewind(value.raw(), 1) < 0 ||
            ::sd_bus_message_copy(reply.raw(), value.raw(), 1) < 0)
            co_return fail(Code::internal,
                           tr("the answer cannot be written as a D-Bus message: {0}", property.name));
        to.close();
        to.close();
    }
    to.close();
    co_return to.done();
}

} // namespace cloister::dbus
