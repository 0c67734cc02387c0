internal import CKVM

/// A way to have KVM stop a plain vCPU before a certain instruction.
enum StopWay: CaseIterable, Sendable {
    /// TF, by `KVM_GUESTDBG_SINGLESTEP`: behind each instruction.
    case singleStep
    /// DR0 to DR3, by `KVM_GUESTDBG_USE_HW_BP`.
    case hardwareBreakpoint
    /// INT3 in the guest's code, by `KVM_GUESTDBG_USE_SW_BP`.
    case softwareBreakpoint
    /// HLT in the guest's code: an exit, where the VM has no interrupt controller.
    case halt

    var name: String {
        switch self {
        case .singleStep: "single step"
        case .hardwareBreakpoint: "hardware breakpoint"
        case .softwareBreakpoint: "INT3"
        case .halt: "HLT"
        }
    }

    /// The flags for `KVM_SET_GUEST_DEBUG`.
    var debugFlags: UInt32 {
        switch self {
        case .singleStep: UInt32(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP)
        case .hardwareBreakpoint: UInt32(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP)
        case .softwareBreakpoint: UInt32(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP)
        case .halt: 0
        }
    }

    /// What stands in the guest's code instead of the first byte of the instruction.
    var patch: UInt8? {
        switch self {
        case .singleStep, .hardwareBreakpoint: nil
        case .softwareBreakpoint: 0xcc
        case .halt: 0xf4
        }
    }
}

/// Which ways a KVM has.
struct StopWays: Equatable, Sendable {
    /// What comes instead, of each way that does not work.
    var failures: [StopWay: String] = [:]

    func work(_ way: StopWay) -> Bool { failures[way] == nil }

    /// The way in which several instructions are executed at once: the cheaper one by measurement;
    /// `nil`: they have to be stepped.
    var ofStretches: StopWay? { [.halt, .hardwareBreakpoint].first(where: work) }

    /// The same where other vCPUs execute the same code meanwhile: no patch.
    var ofThreads: StopWay? { work(.hardwareBreakpoint) ? .hardwareBreakpoint : nil }

    /// For people: what works, and what comes instead of the rest.
    var text: String {
        let (good, bad) = (
            StopWay.allCases.filter(work), StopWay.allCases.filter { !work($0) }
        )
        let works = good.isEmpty ? "none" : good.map(\.name).joined(separator: ", ")
        let fails = bad.map { "; not \($0.name): \(failures[$0] ?? "")" }.joined()
        return works + fails
    }
}
