/// <smartcard>: a smart card reader of the guest.
/// Source: https://libvirt.org/formatdomain.html#smartcard-devices
#pragma once

#include "conf/part/chardev.hpp"
#include "conf/part/device_info.hpp"

namespace cloister {

struct SmartcardHost { ///< the host's own reader
    bool operator==(const SmartcardHost&) const = default;
};
template <> inline constexpr auto fields<SmartcardHost> = xml::table();

struct SmartcardCertificates {               ///< an emulated card
    std::vector<std::string> certificates{}; ///< three names in the NSS database
    std::optional<std::string> database{};   ///< /etc/pki/nssdb when absent
    bool operator==(const SmartcardCertificates&) const = default;
};
template <> inline constexpr auto fields<SmartcardCertificates> =
    xml::table(xml::leaf("certificate", &SmartcardCertificates::certificates),
               xml::leaf("database", &SmartcardCertificates::database));

struct SmartcardPassthrough { ///< a client's reader
    Chardev chardev{};
    bool operator==(const SmartcardPassthrough&) const = default;
};
template <> inline constexpr auto fields<SmartcardPassthrough> =
    xml::table(xml::embed(&SmartcardPassthrough::chardev));

struct Smartcard {
    std::variant<SmartcardHost, SmartcardCertificates, SmartcardPassthrough> mode{};
    DeviceInfo info{};
    xml::Rest rest{};
    bool operator==(const Smartcard&) const = default;
};
template <> inline constexpr auto fields<Smartcard> =
    xml::table(xml::by_attr("mode", &Smartcard::mode, xml::alt<SmartcardHost>("host"),
                            xml::alt<SmartcardCertificates>("host-certificates"),
                            xml::alt<SmartcardPassthrough>("passthrough")),
               xml::embed(&Smartcard::info));
template <> inline constexpr const char* element<Smartcard> = "smartcard";

} // namespace cloister
