/// One device as a guest's plan sees it, for tests: planned("<serial …/>") in a world whose values a test may
/// change first.
#pragma once

#include "conf/domain/device_codec.hpp"
#include "driver/device/device.hpp"

#include <gtest/gtest.h>

namespace cloister::test {

struct World {
    Domain domain{};
    QemuCaps caps{};
    QemuConf conf{};
    HostFacts facts{};
    LaunchPaths paths{.state_dir = "/state", .channel_dir = "/channel"};
    Reserved reserved{};
    unsigned index = 0;

    World() {
        domain.name = "vm";
        facts.identities["tss:tss"] = Ids{.uid = 102, .gid = 110};
        facts.emulator_ids = Ids{.uid = 64055, .gid = 64055};
        reserved.random.assign(64, 7);
    }
    /// This QEMU has these devices and objects.
    World& has(std::initializer_list<const char*> types) {
        for (const auto* type : types) caps.types.emplace(type);
        return *this;
    }

    template <class D> D read(std::string_view text) const {
        auto device = std::get<D>(device_from_node(xml::read(text).value(), xml::Flavour::inactive).value());
        complete(device, CompleteContext{domain, &caps, conf, index});
        return device;
    }
    template <class D> std::string text(std::string_view in) const {
        return xml::print(node_of_device(read<D>(in), {}));
    }
    template <class D> Result<> checked(std::string_view in) const {
        return check(read<D>(in), CompleteContext{domain, &caps, conf, index});
    }
    template <class D> Result<DevicePlan> plan_of(std::string_view in) const {
        return plan(read<D>(in), PlanContext{domain, caps, conf, facts, paths, reserved, index});
    }
    template <class D> DevicePlan planned(std::string_view in) const {
        auto made = plan_of<D>(in);
        EXPECT_TRUE(made) << made.error().message;
        return made ? *made : DevicePlan{};
    }
    /// QEMU's words; a descriptor stands as {name}.
    template <class D> std::vector<std::string> argv(std::string_view in) const {
        return words_of(planned<D>(in));
    }
    static std::vector<std::string> words_of(const DevicePlan& made) {
        std::vector<std::pair<std::string, std::string>> symbols;
        for (const auto& d : made.descriptors) symbols.emplace_back(d.symbol, "{" + d.symbol + "}");
        std::vector<std::string> out;
        for (const auto& item : made.items)
            for (const auto& word : words(item)) out.push_back(with_symbols(word, symbols));
        return out;
    }
};

using Words = std::vector<std::string>;

} // namespace cloister::test
