/// All that a screen shows of a guest that stands still, as one value.
package struct Snapshot: Sendable, Equatable {
    package struct VCPU: Sendable, Equatable {
        package enum State: String, Sendable {
            case ready, outside, halted, held, returned, ended
        }

        package var number: Int
        package var state: State
        package var rip: Reading<GuestVirtualAddress>
        /// `name+offset`, where a symbol covers RIP.
        package var symbol: String?
        package var instructions: InstructionCount
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

    /// Memory as one vCPU sees it.
    package struct Memory: Sendable, Equatable {
        /// How the page tables, or the machine, take a page.
        package enum PageUse: String, Sendable {
            case `private`, shared, unknown
            case unmapped = "not mapped"
        }

        package struct Row: Sendable, Equatable {
            package var address: GuestVirtualAddress
            package var bytes: Reading<[UInt8]>
            package var use: PageUse
        }

        /// Where the request's expression leads, or why it leads nowhere.
        package var target: Result<GuestVirtualAddress, CommandFailure>
        /// In the order of their addresses; none where it is not known where to begin.
        package var rows: [Row]
    }

    /// What this snapshot was asked to look at.
    package var request: SnapshotRequest
    /// `nil` where sevdbg has attached to the guest.
    package var setup: GHCBSetup?
    package var machine: String
    package var guest: String
    package var vcpus: [VCPU]
    /// The number of the vCPU that the registers, code and GHCB belong to.
    package var current: Int
    package var registers: Reading<RegisterFile>
    package var system: Reading<SystemRegisters>
    /// Instructions from a little before RIP on, or around the address that was asked for.
    package var code: Reading<[Line]>
    /// `nil` where none was asked for.
    package var memory: Memory?
    package var ghcbMSR: Reading<UInt64>
    /// The page that the GHCB MSR names, as the host sees it now.
    package var ghcbPage: Reading<GHCBPage>
    /// The vCPU's last VMGEXIT.
    package var lastExchange: Exchange?
    package var instructions: InstructionCount
    package var vmgexits: Int
    /// The numbers of the breakpoints, in order.
    package var breakpoints: [Int] = []
    /// The setups that this machine can launch the guest under.
    package var setups = GHCBSetup.allCases
}
