/// Everything a launch puts into a VM before its first instruction: a value, made by no machine.
///
/// Each machine carries it out in its own way: the emulator by filling its memory, KVM by the order
/// of REFERENCE 5b.
package struct LaunchPlan: Sendable, Equatable {
    /// A run of guest physical memory with its first contents.
    package struct Region: Sendable, Equatable {
        package var address: GuestPhysicalAddress
        package var bytes: [UInt8]
        /// Private regions pass through LAUNCH_UPDATE_DATA; shared ones stay plaintext.
        package var isPrivate: Bool

        package init(address: GuestPhysicalAddress, bytes: [UInt8], isPrivate: Bool) {
            self.address = address
            self.bytes = bytes
            self.isPrivate = isPrivate
        }
    }

    /// The state of one vCPU at its first instruction.
    package struct VCPU: Sendable, Equatable {
        package var registers: RegisterFile
        package var system: SystemRegisters
        /// What the host presets in the GHCB MSR; `nil` leaves the reset value of REFERENCE 4c.
        package var ghcbMSR: UInt64?
        /// Where the vCPU stops when its guest returns from the entry: the HLT of the stub.
        package var returnedAt: GuestVirtualAddress
        /// The shared page in which the stub tells of the vCPU; `nil` where there is no stub.
        package var mailbox: GuestPhysicalAddress?

        package init(
            registers: RegisterFile, system: SystemRegisters, ghcbMSR: UInt64?,
            returnedAt: GuestVirtualAddress, mailbox: GuestPhysicalAddress? = nil
        ) {
            self.registers = registers
            self.system = system
            self.ghcbMSR = ghcbMSR
            self.returnedAt = returnedAt
            self.mailbox = mailbox
        }
    }

    /// Pages that lie elsewhere under each GHCB setup, by guest physical address.
    package struct SetupPages: Sendable, Equatable {
        /// One GHCB for each vCPU.
        package var ghcbs: Range<UInt64>
        /// The header of the pool, with its bitmap; empty in the other setups.
        package var pool: Range<UInt64>
        /// The guest's stacks, one for each vCPU.
        package var stacks: [Range<UInt64>]

        package init(
            ghcbs: Range<UInt64> = 0..<0, pool: Range<UInt64> = 0..<0, stacks: [Range<UInt64>] = []
        ) {
            self.ghcbs = ghcbs
            self.pool = pool
            self.stacks = stacks
        }
    }

    /// Size of RAM from GPA 0, sevdbg's own pages above the guest's included; a multiple of 4096.
    package var ramSize: UInt64
    /// All memory that is not zero at the start, and every page that is shared.
    ///
    /// Memory is private where no region says otherwise.
    package var regions: [Region]
    package var vcpus: [VCPU]
    /// The position of the C-bit in page-table entries.
    package var cBit: Int
    /// The version of the GHCB protocol that the VM offers at most, 1 or 2.
    package var ghcbVersion: Int
    /// How the hypervisor answers, where there is a choice.
    package var hypervisor: HypervisorBehaviour
    /// What is wrong with the hypervisor; nothing but for guests that show it.
    package var hypervisorFaults: HypervisorFault
    /// The guest's entry, whatever runs before it.
    package var entry: GuestVirtualAddress
    package var setupPages: SetupPages
    /// Where the debug stub lies; `nil` where the host does not debug through it.
    package var debugStub: DebugStub?
    /// The guest's symbols and those of sevdbg's stub, which start with `sevdbg_`.
    package var symbols: SymbolTable

    package init(
        ramSize: UInt64, regions: [Region], vcpus: [VCPU], cBit: Int = 51, ghcbVersion: Int = 2,
        hypervisor: HypervisorBehaviour = .kvm, hypervisorFaults: HypervisorFault = [],
        entry: GuestVirtualAddress = .init(0), setupPages: SetupPages = SetupPages(),
        debugStub: DebugStub? = nil, symbols: SymbolTable = SymbolTable()
    ) {
        self.ramSize = ramSize
        self.regions = regions
        self.vcpus = vcpus
        self.cBit = cBit
        self.ghcbVersion = ghcbVersion
        self.hypervisor = hypervisor
        self.hypervisorFaults = hypervisorFaults
        self.entry = entry
        self.setupPages = setupPages
        self.debugStub = debugStub
        self.symbols = symbols
    }
}
