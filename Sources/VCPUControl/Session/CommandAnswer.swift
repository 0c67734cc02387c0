/// What a command that succeeded returns: a value that text and JSON render in their own way.
package enum CommandAnswer: Sendable, Equatable {
    case done
    case text([String])
    case registers(RegisterListing)
    case breakpoint(Breakpoint)
    case breakpoints([Breakpoint])
    case memory(MemoryListing)
    case code(CodeListing)
    case value(PrintedValue)
    case vcpu(VCPUListing)
    case vcpus([VCPUListing])
    case exits([ExchangeRecord])
    case findings([Finding])
    case ghcb(GHCBListing)
    case msr([MSRListing])
    case pages([PageRange])
    case setup(SetupListing)
    case comparison(SetupComparison)
    case relaunched(Relaunch)
}

/// Registers of one vCPU.
package struct RegisterListing: Sendable, Equatable {
    package var vcpu: Int
    package var general: Reading<RegisterFile>
    package var system: Reading<SystemRegisters>
    /// Which of them to show.
    package var names: [Register]
    package var systemNames: [SystemRegisterName]
    /// The symbol that covers RIP.
    package var symbol: String?
}

/// Guest memory in units, strings or characters.
package struct MemoryListing: Sendable, Equatable {
    package struct Item: Sendable, Equatable {
        package var address: GuestVirtualAddress
        /// `name+offset` where a symbol covers the address.
        package var symbol: String?
        /// As many as the unit has; a string without its NUL.
        package var bytes: Reading<[UInt8]>
        /// The symbol that covers the value, for the format `a`.
        package var valueSymbol: String?
    }

    package var letter: ExamineFormat.Letter
    package var unit: MemoryUnit
    package var items: [Item]
}

/// Instructions in the order of their addresses.
package struct CodeListing: Sendable, Equatable {
    /// The function, where the listing is all of one.
    package var function: String?
    package var lines: [Snapshot.Line]
    /// Where the current vCPU stands.
    package var rip: GuestVirtualAddress?
    /// Why the next instruction cannot be shown.
    package var hidden: Hidden?
}

package struct PrintedValue: Sendable, Equatable {
    /// The value's place in the history: `$1`, `$2`, ….
    package var number: Int
    package var value: Expression.Value
    package var letter: ExamineFormat.Letter?
    package var symbol: String?
}

package struct VCPUListing: Sendable, Equatable {
    package var vcpu: Snapshot.VCPU
    package var isCurrent: Bool
}

/// The GHCB of one vCPU.
package struct GHCBListing: Sendable, Equatable {
    package var vcpu: Int
    package var msr: Reading<UInt64>
    /// The page now, as an exchange that has no answer yet.
    package var page: Reading<Exchange>
    package var last: ExchangeRecord?
    /// What KVM did to the page in the last exchange; empty for another hypervisor.
    package var steps: [ExchangeStep]
}

package struct MSRListing: Sendable, Equatable {
    package var vcpu: Int
    package var value: Reading<UInt64>

    /// The value in words.
    package var meaning: String? {
        guard let value = value.value else { return nil }
        if value == 0 { return "no GHCB" }
        return value & 0xfff == 0 ? "GHCB at \(value.hex)" : GHCBMSR(rawValue: value).summary
    }
}

/// Neighbouring pages that were last used in the same way.
package struct PageRange: Sendable, Equatable {
    package var start: GuestPhysicalAddress
    /// Behind the last byte.
    package var end: GuestPhysicalAddress
    package var isPrivate: Reading<Bool>
}

package struct SetupListing: Sendable, Equatable {
    package var machine: MachineTraits
    package var guest: String
    package var entry: GuestVirtualAddress
    package var options: LaunchOptions
    /// Whether the lint rules go by the specification alone, whatever the hypervisor does.
    package var isStrict: Bool
    package var cBit: Int
}
