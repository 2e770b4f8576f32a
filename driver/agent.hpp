/// Asking the guest agent: JSON lines over the channel "org.qemu.guest_agent.0". The agent is the guest's own
/// program: whatever it says is bounded and may be a lie; a silent one costs a deadline, never a monitor.
#pragma once

#include "conf/base/result.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace cloister {

struct Domain;
struct Guest;

/// How long an answer may take. Numbers below zero are virDomainQemuAgentCommand's: -2 as long as the guest
/// runs, -1 five seconds; 0: only what is there at once.
struct AgentPatience {
    int seconds = -2;
};

bool has_agent_channel(const Domain& domain);
/// Errors: argument_unsupported "QEMU guest agent is not configured" without a channel; agent_unresponsive
/// "QEMU guest agent is not connected" while nobody in the guest has it open. The guest must run.
Result<> need_agent(const Guest& guest);

/// What the agent returns. One call at a time per guest: others wait for their turn within their patience.
/// Errors: as need_agent; agent_unresponsive when it does not answer; internal with its words when it
/// refuses; operation_failed when the guest ended.
boost::asio::awaitable<Result<boost::json::value>> ask_agent(std::shared_ptr<Guest> guest,
                                                             std::string command,
                                                             boost::json::object arguments = {},
                                                             std::optional<AgentPatience> patience = {});
/// The same with the whole command as JSON text, and the whole answer.
boost::asio::awaitable<Result<std::string>> ask_agent_raw(std::shared_ptr<Guest> guest, std::string text,
                                                          AgentPatience patience);

} // namespace cloister
