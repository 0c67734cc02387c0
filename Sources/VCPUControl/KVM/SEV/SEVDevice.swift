internal import CKVM
internal import SystemPackage

/// `/dev/sev`: the way to the SEV firmware, which every command of a launch needs.
struct SEVDevice: ~Copyable {
    static let path = "/dev/sev"

    private let descriptor: KVMDescriptor

    /// What `KVM_MEMORY_ENCRYPT_OP` is given.
    var number: Int32 { descriptor.number }

    /// Opens the device.
    init(_ syscalls: any KVMSyscalls) throws(KVMError) {
        let number: Int32
        do throws(Errno) {
            number = try syscalls.open(Self.path)
        } catch { throw .failed(call: "open", on: Self.path, error) }
        descriptor = KVMDescriptor(number: number, subject: Self.path, syscalls: syscalls)
    }

    /// The platform as the firmware sees it; `SEV_PLATFORM_STATUS` of `SEV_ISSUE_CMD`.
    ///
    /// Unsafe: both structs are packed, with fields that no register would like: they are bytes here.
    func status() throws(KVMError) -> SEVPlatformStatus {
        let empty = [UInt8](repeating: 0, count: SEVPlatformStatus.size)
        let status = try unsafe LentBytes.lend(empty) { place throws(KVMError) in
            let address = UInt64(UInt(bitPattern: place))
            let command =
                UInt32(SEV_PLATFORM_STATUS).littleEndianBytes + address.littleEndianBytes
                + UInt32(0).littleEndianBytes
            _ = try unsafe LentBytes.lend(command) { command throws(KVMError) in
                let start = unsafe command.assumingMemoryBound(to: sev_issue_cmd.self)
                try unsafe descriptor.perform(ckvm_sev_issue_cmd(start))
            }
        }
        return SEVPlatformStatus(status)
    }
}

/// What the firmware says of itself: `struct sev_user_data_status`.
struct SEVPlatformStatus: Sendable, Equatable {
    static let size = 12

    var major, minor, build: UInt8
    /// 0 uninitialized, 1 initialized, 2 working.
    var state: UInt8
    /// Whether the platform is set up for SEV-ES.
    var allowsSEVES: Bool
    /// Guests that the firmware has keys for.
    var guests: UInt64

    /// Takes the bytes that the firmware filled in, `size` of them.
    init(_ bytes: [UInt8]) {
        let bytes = bytes + [UInt8](repeating: 0, count: max(Self.size - bytes.count, 0))
        (major, minor, state, build) = (bytes[0], bytes[1], bytes[2], bytes[7])
        allowsSEVES = UInt64(littleEndian: bytes[3..<7]) & UInt64(SEV_STATUS_FLAGS_CONFIG_ES) != 0
        guests = UInt64(littleEndian: bytes[8..<12])
    }

    /// `1.55 build 21, working, 2 guests`.
    var text: String {
        let states = ["not initialized", "initialized", "working"]
        let word = Int(state) < states.count ? states[Int(state)] : "in state \(state)"
        return "\(major).\(minor) build \(build), \(word), \(guests) guest\(guests == 1 ? "" : "s")"
    }
}
