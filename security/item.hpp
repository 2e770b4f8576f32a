/// The QEMU command line as values, each with the reason why it is there.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace cloister {

/// One option of the command line. `json` values serve QMP hot-plug unchanged: an -object's is object-add's
/// argument, a -device's device_add's, a -netdev's netdev_add's, a -blockdev's blockdev-add's.
struct QemuItem {
    std::string option{}; ///< without the dash: "device"; empty: a bare word
    std::variant<std::monostate, std::string, boost::json::object> value{}; ///< none, text, JSON
    std::string why{}; ///< "disk vda", "features acpi", "qemu:arg 2"
    bool operator==(const QemuItem&) const = default;
};

/// A descriptor that exists only at launch, named where its number will stand. The marker is a character that
/// no XML document can contain, so nothing a user writes can be mistaken for one.
std::string fd_symbol(std::string_view name); ///< "\x01NAME\x01"
/// `text` with every symbol NAME replaced by what `number(NAME)` gives.
std::string with_symbols(std::string_view text,
                         const std::vector<std::pair<std::string, std::string>>& numbers);

/// "k=v,k2=v2" for the options that QEMU 7.2 does not take as JSON; commas in values are doubled.
class KeyValues {
public:
    explicit KeyValues(std::string head = {}) : text_(std::move(head)) {}
    KeyValues& add(std::string_view key, std::string_view value);
    KeyValues& word(std::string_view bare);
    const std::string& text() const { return text_; }

private:
    std::string text_;
};

/// The words of one item as execve gets them: {"-device", "{…}"}. JSON is compact, keys in the order of
/// insertion.
std::vector<std::string> words(const QemuItem& item);

} // namespace cloister
