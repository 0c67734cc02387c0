internal import CKVM

/// The making of a launch plan, from options that fit the guest.
struct LaunchPlanner {
    let image: GuestImage
    let options: LaunchOptions
    let stub: GuestBlob
    let layout: StubLayout
    let tables: PageTables

    init(image: GuestImage, options: LaunchOptions) {
        self.image = image
        self.options = options
        stub = GuestBlob(ckvm_blob_stub)
        layout = StubLayout(
            memory: options.memory, vcpus: options.vcpus, stubSize: stub.code.count,
            hasPool: options.setup == .pool)
        tables = Self.tables(layout, image, options)
    }

    func plan() throws(GuestError) -> LaunchPlan {
        var memory = LaunchMemory()
        for segment in image.segments {
            memory.write(segment.bytes, at: segment.address.rawValue)
        }
        for range in image.shared + [layout.ghcbs, layout.mailboxes] {
            memory.share(range)
        }
        writeStub(to: &memory)
        for vcpu in 0..<options.vcpus {
            writePages(of: vcpu, to: &memory)
        }
        memory.write(tables.entries.flatMap(\.littleEndianBytes), at: tables.root)
        var vcpus: [LaunchPlan.VCPU] = []
        for number in 0..<options.vcpus {
            vcpus.append(try vcpu(number))
        }
        return LaunchPlan(
            ramSize: tables.range.upperBound, regions: memory.regions, vcpus: vcpus,
            cBit: options.cBit, ghcbVersion: options.ghcbVersion, hypervisor: options.hypervisor,
            hypervisorFaults: image.hypervisorFaults, entry: image.entry,
            setupPages: setupPages, debugStub: options.hasDebugStub ? debugStub : nil,
            symbols: symbols)
    }

    private var setupPages: LaunchPlan.SetupPages {
        .init(
            ghcbs: layout.ghcbs, pool: layout.pool,
            stacks: (0..<options.vcpus).map { layout.vcpu($0).stack })
    }

    func stubAddress(_ symbol: String) -> UInt64 { layout.stub.lowerBound + stub[symbol] }

    /// The guest's symbols, and those of the stub.
    private var symbols: SymbolTable {
        let own = stub.symbols.map {
            SymbolTable.Symbol(name: $0.name, address: .init(layout.stub.lowerBound + $0.offset))
        }
        return SymbolTable(image.symbols.symbols + own)
    }

    // MARK: Memory

    private static func tables(
        _ layout: StubLayout, _ image: GuestImage, _ options: LaunchOptions
    ) -> PageTables {
        var tables = PageTables(root: layout.tables, cBit: options.cBit)
        tables.map(Mapping(range: 0..<options.memory, access: [.write, .user]))
        for range in image.shared {
            tables.map(Mapping(range: range, access: [.write, .user, .shared]))
        }
        for mapping in layout.mappings(vcpus: options.vcpus) {
            tables.map(mapping)
        }
        tables.mapTables([.write, .noExecute])
        return tables
    }

    private func writeStub(to memory: inout LaunchMemory) {
        memory.write(stub.code, at: layout.stub.lowerBound)
        let idt = LaunchDescriptors.idt(gates)
        memory.write(idt.flatMap(\.littleEndianBytes), at: layout.idt.lowerBound)
        let stopIDT = LaunchDescriptors.idt(stopGates)
        memory.write(stopIDT.flatMap(\.littleEndianBytes), at: layout.stopIDT)
        guard options.setup == .pool else { return }
        let pool = layout.pool.lowerBound
        memory.write(UInt32(options.vcpus), at: pool + UInt64(POOL_COUNT))
        for entry in 0..<options.vcpus {
            let address = pool + UInt64(POOL_ENTRIES) + UInt64(entry) << UInt64(POOL_ENTRY_SHIFT)
            memory.write(layout.ghcb(entry), at: address + UInt64(POOL_ENTRY_GPA))
            memory.write(layout.ghcb(entry), at: address + UInt64(POOL_ENTRY_GVA))
        }
    }

    private func writePages(of number: Int, to memory: inout LaunchMemory) {
        let vcpu = layout.vcpu(number)
        let stack = vcpu.launchStackPointer
        memory.write(stubAddress("sevdbg_returned"), at: stack + UInt64(LAUNCH_RETURN))
        memory.write(vcpu.block.lowerBound, at: stack + UInt64(LAUNCH_BLOCK))
        let mailbox = layout.mailbox(number)
        memory.write(UInt32(MAILBOX_MAGIC_VALUE), at: mailbox + UInt64(MAILBOX_MAGIC))
        memory.write(UInt32(MAILBOX_CURRENT), at: mailbox + UInt64(MAILBOX_VERSION))
        memory.write(UInt32(number), at: mailbox + UInt64(MAILBOX_VCPU))
        writeBlock(of: number, to: &memory)
    }

    private func writeBlock(of number: Int, to memory: inout LaunchMemory) {
        let vcpu = layout.vcpu(number)
        let gdt = LaunchDescriptors.gdt(task: vcpu.taskState)
        let tss = LaunchDescriptors.tss(
            interruptStack: vcpu.interruptStack.upperBound, vcStack: vcpu.vcStack.upperBound,
            nmiStack: vcpu.block.lowerBound + UInt64(BLOCK_SIZE))
        let ghcb = options.setup == .pool ? 0 : layout.ghcb(number)
        let pool = options.setup == .pool ? layout.pool.lowerBound : 0
        memory.write(gdt.flatMap(\.littleEndianBytes), at: vcpu.block.lowerBound)
        memory.write(tss.flatMap(\.littleEndianBytes), at: vcpu.taskState)
        for (offset, value) in [
            (BLOCK_GHCB_GPA, ghcb), (BLOCK_GHCB_GVA, ghcb), (BLOCK_POOL, pool),
            (BLOCK_MAILBOX, layout.mailbox(number)), (BLOCK_RAM_END, tables.range.upperBound),
            (BLOCK_DR7, 0x400), (BLOCK_VERSION, UInt64(options.ghcbVersion)),
            (BLOCK_START, start), (BLOCK_STOP_IDTR + 2, layout.stopIDT),
        ] {
            memory.write(value, at: vcpu.block.lowerBound + UInt64(offset))
        }
        let block = vcpu.block.lowerBound
        memory.write(UInt16(0xfff), at: block + UInt64(BLOCK_STOP_IDTR))
        memory.write(UInt8(options.hasDebugStub ? 1 : 0), at: block + UInt64(BLOCK_DEBUGGED))
    }
}
