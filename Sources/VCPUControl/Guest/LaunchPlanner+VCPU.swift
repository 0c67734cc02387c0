extension LaunchPlanner {
    /// The state of one vCPU at its first instruction.
    func vcpu(_ number: Int) throws(GuestError) -> LaunchPlan.VCPU {
        LaunchPlan.VCPU(
            registers: try registers(of: number), system: systemRegisters(of: number),
            ghcbMSR: options.setup == .host ? layout.ghcb(number) : nil,
            returnedAt: .init(stubAddress("sevdbg_returned_halt")),
            mailbox: .init(layout.mailbox(number)))
    }

    private func registers(of number: Int) throws(GuestError) -> RegisterFile {
        var registers = RegisterFile()
        registers[.rflags] = 2
        registers[.rsp] = layout.vcpu(number).launchStackPointer
        let arguments = options.arguments.isEmpty ? image.defaults.arguments : options.arguments
        for (register, argument) in zip(Register.arguments, arguments) {
            registers[register] = try value(of: argument, for: number)
        }
        registers[.rip] = options.hasDebugStub ? stubAddress("sevdbg_debug_start") : start
        switch options.setup {
        case .pool:
            registers[.r14] = image.entry.rawValue
            registers[.r15] = layout.pool.lowerBound
        case .trampoline:
            registers[.r14] = image.entry.rawValue
            registers[.r15] = layout.ghcb(number)
        case .host: break
        }
        return registers
    }

    /// Where a vCPU starts that is not debugged through the stub.
    var start: UInt64 {
        switch options.setup {
        case .pool: stubAddress("sevdbg_pool_entry")
        case .trampoline: image.trampoline?.rawValue ?? stubAddress("sevdbg_trampoline")
        case .host: image.entry.rawValue
        }
    }

    private func value(
        of argument: LaunchOptions.Argument, for vcpu: Int
    ) throws(GuestError) -> UInt64 {
        switch argument {
        case .value(let value): return value
        case .vcpuNumber: return UInt64(vcpu)
        case .symbol(let name):
            guard let address = image.symbols[name] else {
                throw .badOption(
                    "\(image.name) has no symbol `\(name)`: give --args numbers, @vcpu or symbols "
                        + "of the guest")
            }
            return address.rawValue
        }
    }

    /// Long mode with SSE, paging and system calls.
    ///
    /// CR0: PG WP NE ET MP PE. CR4: FSGSBASE OSXMMEXCPT OSFXSR PAE. EFER: NXE LMA LME SCE.
    private func systemRegisters(of number: Int) -> SystemRegisters {
        let vcpu = layout.vcpu(number)
        var system = SystemRegisters()
        system.cs = LaunchDescriptors.code
        (system.ds, system.es, system.ss) =
            (LaunchDescriptors.data, LaunchDescriptors.data, LaunchDescriptors.data)
        (system.fs, system.gs) = (LaunchDescriptors.data, LaunchDescriptors.data)
        system.tr = LaunchDescriptors.task(at: vcpu.taskState)
        system.gdtr = DescriptorTable(base: vcpu.block.lowerBound, limit: 0x3f)
        system.idtr = DescriptorTable(base: layout.idt.lowerBound, limit: 0xfff)
        system.cr0 = 0x8001_0033
        system.cr3 = layout.tables
        system.cr4 = 0x1_0620
        system.efer = 0xd01
        return system
    }
}
