internal import CKVM

/// Where sevdbg's own pages lie: in the 64 MiB above the guest's RAM, in the order of this type.
///
/// | pages | content | mapped |
/// |---|---|---|
/// | `stub` | the code of CKVM/guest/stub.S | private, executable |
/// | `idt` | the IDT of all vCPUs, and that of a vCPU that stands still in the debug stub | private |
/// | `pool` | header of the GHCB pool; none in the other setups | private, writable |
/// | `ghcbs` | one GHCB for each vCPU | shared, writable |
/// | `mailboxes` | three pages for each vCPU, stub.h | shared, writable |
/// | `vcpus` | for each vCPU three stacks and the block of stub.h, see `VCPU` | private, writable |
/// | page tables | up to the end of RAM | private, writable |
///
/// All are the supervisor's only.
struct StubLayout {
    /// Bytes above the guest's RAM that the pages may take.
    static let limit: UInt64 = 64 << 20
    /// The page in which a serial port is, mapped although no RAM is there (DESIGN 3).
    static let mmio: Range<UInt64> = 0xfe00_0000..<0xfe00_1000

    let stub, idt, pool, ghcbs, mailboxes: Range<UInt64>
    /// Where the page tables start: behind all others, since the layout decides on their number.
    let tables: UInt64
    private let vcpus: UInt64
    private let stackSize: UInt64

    init(memory: UInt64, vcpus count: Int, stubSize: Int, hasPool: Bool) {
        let pages = UInt64(count) * pageSize
        stub = memory..<memory + UInt64(stubSize).roundedUpToPage
        idt = stub.upperBound..<stub.upperBound + 2 * pageSize
        let poolSize = hasPool ? Self.poolSize(entries: count).roundedUpToPage : 0
        pool = idt.upperBound..<idt.upperBound + poolSize
        ghcbs = pool.upperBound..<pool.upperBound + pages
        mailboxes = ghcbs.upperBound..<ghcbs.upperBound + pages * UInt64(MAILBOX_PAGES)
        vcpus = mailboxes.upperBound
        stackSize = count <= 128 ? 256 << 10 : 64 << 10
        tables = vcpus + UInt64(count) * (stackSize + VCPU.fixedSize)
    }

    func ghcb(_ vcpu: Int) -> UInt64 { ghcbs.lowerBound + UInt64(vcpu) * pageSize }
    func mailbox(_ vcpu: Int) -> UInt64 {
        mailboxes.lowerBound + UInt64(vcpu) * UInt64(MAILBOX_PAGES) * pageSize
    }
    /// The IDT of a vCPU that stands still in the debug stub.
    var stopIDT: UInt64 { idt.lowerBound + pageSize }
    func vcpu(_ number: Int) -> VCPU {
        VCPU(base: vcpus + UInt64(number) * (stackSize + VCPU.fixedSize), stackSize: stackSize)
    }

    private static func poolSize(entries: Int) -> UInt64 {
        UInt64(POOL_ENTRIES) + UInt64(entries) << UInt64(POOL_ENTRY_SHIFT)
    }

    /// The pages of one vCPU: below each stack is one that is not mapped.
    struct VCPU {
        /// The guest's: 256 KiB, or 64 KiB where there are more than 128 vCPUs.
        let stack: Range<UInt64>
        /// RSP0, for a guest that leaves CPL 0.
        let interruptStack: Range<UInt64>
        /// IST1, for #VC; the block lies right above it, and its handler finds it there.
        let vcStack: Range<UInt64>
        /// GDT, TSS and what the stub knows of the vCPU (stub.h, BLOCK_), with IST2 at its end.
        let block: Range<UInt64>

        /// Three guards, two stacks and the block.
        static let fixedSize = 3 * pageSize + 2 * smallStackSize + pageSize
        private static let smallStackSize: UInt64 = 8 << 10

        fileprivate init(base: UInt64, stackSize: UInt64) {
            stack = Self.behindGuard(base, stackSize)
            interruptStack = Self.behindGuard(stack.upperBound, Self.smallStackSize)
            vcStack = Self.behindGuard(interruptStack.upperBound, Self.smallStackSize)
            block = vcStack.upperBound..<vcStack.upperBound + pageSize
        }

        private static func behindGuard(_ base: UInt64, _ size: UInt64) -> Range<UInt64> {
            base + pageSize..<base + pageSize + size
        }

        /// RSP at the guest's entry: 8 mod 16, as behind a call.
        var launchStackPointer: UInt64 { stack.upperBound - UInt64(LAUNCH_SIZE) }
        var taskState: UInt64 { block.lowerBound + UInt64(BLOCK_TSS) }
    }

    /// The mappings of all pages but the page tables.
    func mappings(vcpus count: Int) -> [Mapping] {
        let data: PageAccess = [.write, .noExecute]
        let shared: PageAccess = [.write, .noExecute, .shared]
        let fixed = [
            Mapping(range: stub, access: []), Mapping(range: idt, access: .noExecute),
            Mapping(range: pool, access: data), Mapping(range: ghcbs, access: shared),
            Mapping(range: mailboxes, access: shared),
            Mapping(range: Self.mmio, access: shared.union(.user)),
        ]
        return (0..<count).map(vcpu).reduce(into: fixed) { mappings, vcpu in
            for range in [vcpu.stack, vcpu.interruptStack, vcpu.vcStack, vcpu.block] {
                mappings.append(Mapping(range: range, access: data))
            }
        }
    }
}
