/// The daemon's end of cloister-image: descriptors go there, headers come back.
#pragma once

#include "conf/base/result.hpp"
#include "security/image/answer.hpp"
#include "security/kernel/process.hpp"

#include <chrono>
#include <sched.h>
#include <string>
#include <string_view>

namespace cloister {

/// What the child is born with, when the daemon may give it; the user namespace it makes itself.
inline constexpr std::uint64_t image_namespaces =
    std::uint64_t{CLONE_NEWNS} | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

/// One child that reads any number of images, one after another; it is started by the first of them and ends
/// with this object. Blocking: for a worker thread.
class ImageReader {
public:
    /// `program`: the path of cloister-image. `patience`: for each image.
    explicit ImageReader(std::string program, std::chrono::milliseconds patience = std::chrono::seconds(10))
        : program_(std::move(program)), patience_(patience) {}
    ~ImageReader() { stop(); }
    ImageReader(const ImageReader&) = delete;
    ImageReader& operator=(const ImageReader&) = delete;

    /// The header of the image that is open as `image`, read as `format` ("" for whatever its mark says);
    /// `name` is for messages. Errors: as image_answer; operation_timeout; operation_failed when the child
    /// died, which an image can make it do.
    Result<ImageHeader> read(int image, std::string_view format, const std::string& name);

    const ProcessId& process() const { return spawned_.id; } ///< of the child, once it was needed

private:
    Result<> start();
    Result<> send(std::string_view text, int image);
    Result<std::string> receive(const std::string& name);
    void stop();

    std::string program_;
    std::chrono::milliseconds patience_;
    Spawned spawned_{};
    Fd socket_{};
};

} // namespace cloister
