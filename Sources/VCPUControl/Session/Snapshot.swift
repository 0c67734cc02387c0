/// All that a screen shows of a guest that stands still, as one value.
package struct Snapshot: Sendable, Equatable {
    package struct VCPU: Sendable, Equatable {
        package enum State: String, Sendable { case ready, halted, held, returned, ended }

        package var number: Int
        package var state: State
        package var rip: Reading<GuestVirtualAddress>
        package var instructions: UInt64
    }

    package struct Line: Sendable, Equatable {
        package var address: GuestVirtualAddress
        package var bytes: [UInt8]
        /// The disassembled instruction; `(bad)` for bytes that are none.
        package var text: String
        /// The symbol that starts or covers the address, as `name` or `name+0x12`.
        package var symbol: String?
        package var hasBreakpoint: Bool
    }

    package var setup: GHCBSetup
    package var machine: String
    package var guest: String
    package var vcpus: [VCPU]
    /// The number of the vCPU that the registers, code and GHCB belong to.
    package var current: Int
    package var registers: Reading<RegisterFile>
    package var system: Reading<SystemRegisters>
    /// Instructions from a little before RIP on.
    package var code: Reading<[Line]>
    package var ghcbMSR: Reading<UInt64>
    /// The page that the GHCB MSR names, as the host sees it now.
    package var ghcbPage: Reading<GHCBPage>
    /// The vCPU's last VMGEXIT.
    package var lastExchange: Exchange?
    package var instructions: UInt64
    package var vmgexits: Int
    /// The numbers of the breakpoints, in order.
    package var breakpoints: [Int] = []
    /// The setups that this machine can launch the guest under.
    package var setups = GHCBSetup.allCases
}
