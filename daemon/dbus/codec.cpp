#include "daemon/dbus/codec.hpp"

#include "conf/base/overload.hpp"
#include "conf/base/tr.hpp"

#include <cstring>
#include <systemd/sd-bus.h>

namespace cloister::dbus {

void Reader::spoil(std::string why) {
    if (complaint_.empty()) complaint_ = std::move(why);
}

void Reader::basic(char type, void* out) {
    if (complaint_.empty() && ::sd_bus_message_read_basic(message_.raw(), type, out) <= 0)
        spoil(tr("the arguments are not of the announced types"));
}

std::string Reader::text(char type) {
    const char* out = nullptr;
    basic(type, &out);
    return complaint_.empty() && out ? out : "";
}

bool Reader::enter(char type, const std::string& contents) {
    if (complaint_.empty() && ::sd_bus_message_enter_container(message_.raw(), type, contents.c_str()) <= 0)
        spoil(tr("the arguments are not of the announced types"));
    return complaint_.empty();
}

void Reader::leave() {
    if (complaint_.empty() && ::sd_bus_message_exit_container(message_.raw()) < 0)
        spoil(tr("the arguments are not of the announced types"));
}

bool Reader::more() { return complaint_.empty() && ::sd_bus_message_at_end(message_.raw(), 0) == 0; }

std::string Reader::variant() {
    char type = 0;
    const char* contents = nullptr;
    if (!complaint_.empty()) return {};
    if (::sd_bus_message_peek_type(message_.raw(), &type, &contents) <= 0 || type != 'v' || !contents) {
        spoil(tr("the arguments are not of the announced types"));
        return {};
    }
    return contents;
}

void Writer::basic(char type, const void* value) {
    if (failed_ >= 0) failed_ = ::sd_bus_message_append_basic(message_.raw(), type, value);
}

void Writer::text(char type, const std::string& value) { basic(type, value.c_str()); }

void Writer::open(char type, const std::string& contents) {
    if (failed_ >= 0) failed_ = ::sd_bus_message_open_container(message_.raw(), type, contents.c_str());
}

void Writer::close() {
    if (failed_ >= 0) failed_ = ::sd_bus_message_close_container(message_.raw());
}

Result<> Writer::done() const {
    if (failed_ >= 0) return {};
    return fail(Code::internal,
                tr("the answer cannot be written as a D-Bus message: {0}", std::strerror(-failed_)));
}

void Codec<call::ParamValue>::read(Reader& from, call::ParamValue& out) {
    const auto type = from.variant();
    const auto take = [&]<class T>(T value) {
        if (!from.enter('v', type)) return;
        Codec<T>::read(from, value);
        from.leave();
        out = std::move(value);
    };
    if (type == "i") return take(std::int32_t{});
    if (type == "u") return take(std::uint32_t{});
    if (type == "x") return take(std::int64_t{});
    if (type == "t") return take(std::uint64_t{});
    if (type == "d") return take(double{});
    if (type == "b") return take(false);
    if (type == "s") return take(std::string{});
    from.spoil(tr("Invalid typed parameter '{0}'.", type));
}

void Codec<call::ParamValue>::write(Writer& to, const call::ParamValue& in) {
    std::visit(
        [&]<class T>(const T& value) {
            to.open('v', Codec<T>::signature());
            Codec<T>::write(to, value);
            to.close();
        },
        in);
}

} // namespace cloister::dbus
