/// An exit of a vCPU that its own VMM answers, seen in passing.
package struct PassedExit: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        /// `KVM_EXIT_IO`; the data of an input is not there yet.
        case port(PortAccess)
        /// `KVM_EXIT_MMIO`; the data of a read is not there yet.
        case memory(MMIOAccess)
        /// `KVM_EXIT_X86_RDMSR`.
        case readMSR(UInt32)
        /// `KVM_EXIT_X86_WRMSR`.
        case writeMSR(UInt32, UInt64)
        /// Any other exit reason of `KVM_RUN`.
        case other(UInt32)
    }

    package var vcpu: Int
    /// As KVM shows it at the exit: on the instruction, or behind it.
    package var rip: Reading<GuestVirtualAddress>
    package var kind: Kind

    package init(vcpu: Int, rip: Reading<GuestVirtualAddress>, kind: Kind) {
        (self.vcpu, self.rip, self.kind) = (vcpu, rip, kind)
    }
}

extension PassedExit {
    /// One line for people.
    package var line: String { "vCPU \(vcpu): \(kind.text), at \(rip.text)" }
}

extension PassedExit.Kind {
    /// The name that linux/kvm.h gives the reason, without `KVM_EXIT_`.
    package var name: String {
        switch self {
        case .port: "IO"
        case .memory: "MMIO"
        case .readMSR: "X86_RDMSR"
        case .writeMSR: "X86_WRMSR"
        case .other(let reason): Self.names[reason] ?? "\(reason)"
        }
    }

    private static let names: [UInt32: String] = [
        0: "UNKNOWN", 1: "EXCEPTION", 2: "IO", 3: "HYPERCALL", 4: "DEBUG", 5: "HLT", 6: "MMIO",
        7: "IRQ_WINDOW_OPEN", 8: "SHUTDOWN", 9: "FAIL_ENTRY", 10: "INTR", 11: "SET_TPR",
        12: "TPR_ACCESS", 16: "NMI", 17: "INTERNAL_ERROR", 24: "SYSTEM_EVENT", 26: "IOAPIC_EOI",
        27: "HYPERV", 31: "DIRTY_RING_FULL", 32: "AP_RESET_HOLD", 33: "X86_BUS_LOCK", 34: "XEN",
        37: "NOTIFY", 39: "MEMORY_FAULT",
    ]

    /// What passed, for people.
    package var text: String {
        switch self {
        case .port(let access):
            "\(access.isInput ? "IN" : "OUT") port \(access.port.hex)\(size(access))"
                + bytes(access.data)
        case .memory(let access):
            "MMIO \(access.isRead ? "read" : "write") \(access.address.rawValue.hex),"
                + " \(access.length) bytes" + bytes(access.data)
        case .readMSR(let number): "RDMSR \(number.hex)"
        case .writeMSR(let number, let value): "WRMSR \(number.hex) = \(value.hex)"
        case .other: name
        }
    }

    private func size(_ access: PortAccess) -> String {
        ", \(access.count == 1 ? "" : "\(access.count) × ")\(access.size) bytes"
    }

    private func bytes(_ data: [UInt8]) -> String {
        guard !data.isEmpty else { return "" }
        let shown = data.prefix(16).map { $0.hexDigits(2) }.joined(separator: " ")
        return ": " + shown + (data.count > 16 ? " …" : "")
    }
}
