// What the host sees of a guest and changes in it, and what is kept from it.
extension ConformanceCheck {
    static let state = [
        ConformanceCheck(
            "set-register",
            "a register that is set, RIP and flags included, is what the guest goes on with",
            setRegister),
        ConformanceCheck(
            "set-memory",
            "the guest reads the private memory that is set, and what it writes is read",
            setMemory),
        ConformanceCheck(
            "shared-memory", "a shared page is read and written as it is", sharedMemory),
        ConformanceCheck(
            "private-memory", "a host that takes a private page for shared does not see its text",
            privateMemory),
        ConformanceCheck(
            "visible", "at the launch the state is the plan's, by the machine's own word",
            need: .visibleState, visible),
        ConformanceCheck(
            "hidden",
            "state that is protected is hidden with the reason, and setting it is refused",
            need: .hiddenState, hidden),
        ConformanceCheck(
            "bounds", "there is no memory and no vCPU beyond the last", bounds),
    ]

    private static func setRegister(_ bench: ConformanceBench) throws(ConformanceFailure) {
        let guest = try bench.enter([0x48, 0x01, 0xc8, 0xc3])  // add %rcx, %rax; ret
        try guest.run("set $rax = 5")
        try guest.run("set $rcx = 0xffffffffffffffff")
        try guest.run("stepi")
        try expect("5 - 1", try guest.value("$rax"), is: 4)
        try expect("its carry", try guest.value("$rflags") & 1, is: 1)
        try guest.run("set $rip = \(GuestImage.flatAddress.hex)")
        try guest.run("set $rflags = 2")
        try guest.run("stepi")
        try expect("5 - 1 - 1", try guest.value("$rax"), is: 3)
        try guest.end(.returned)
    }

    private static let scratch = GuestImage.flatAddress + 0x1000
    private static let text: [UInt8] = Array("attest!?".utf8)

    private static func setMemory(_ bench: ConformanceBench) throws(ConformanceFailure) {
        let guest = try bench.enter([
            0x48, 0x8b, 0x05, 0xf9, 0x0f, 0x00, 0x00,  // mov 0x101000, %rax
            0x48, 0x89, 0x05, 0xfa, 0x0f, 0x00, 0x00,  // mov %rax, 0x101008
            0xc3,  // ret
        ])
        let value = UInt64(littleEndian: text)
        try guest.run("set {u64} \(scratch.hex) = \(value.hex)")
        try guest.run("stepi 2")
        try expect("what was loaded", try guest.value("$rax"), is: value)
        let stored = guest.machine.read(.init(scratch + 8), count: 8, as: .private).value
        try expect("what was stored", stored, is: text)
    }

    private static func sharedMemory(_ bench: ConformanceBench) throws(ConformanceFailure) {
        let guest = try bench.enter([0xc3])
        let page = GuestPhysicalAddress(guest.session.plan?.setupPages.ghcbs.lowerBound ?? 0)
        do throws(MachineError) {
            try guest.machine.write(text, to: page, as: .shared)
        } catch { throw ConformanceFailure("a shared page is not written: \(error.message)") }
        let bytes = guest.machine.read(page, count: text.count, as: .shared)
        try expect("the page", bytes, is: .known(text, from: .direct))
    }

    private static func privateMemory(_ bench: ConformanceBench) throws(ConformanceFailure) {
        let guest = try bench.enter([0xc3])
        let value = UInt64(littleEndian: text)
        try guest.run("set {u64} \(scratch.hex) = \(value.hex)")
        let bytes = guest.machine.read(.init(scratch), count: text.count, as: .shared)
        switch bytes {
        case .hidden(let reason): try expect("the reason", reason, is: .protected)
        case .known(let bytes, _): try expect(bytes != text, "the text is in the shared view")
        }
    }

    private static func visible(_ bench: ConformanceBench) throws(ConformanceFailure) {
        let code: [UInt8] = [0x90, 0xc3]
        let guest = try bench.launch(ConformanceBench.image(code)) { $0.vcpus = 2 }
        let (machine, vcpus) = (guest.machine, guest.session.plan?.vcpus ?? [])
        try expect("the number of vCPUs", machine.vcpuCount, is: vcpus.count)
        for (number, vcpu) in vcpus.enumerated() {
            let registers = machine.registers(of: number)
            try expect(
                registers == .known(vcpu.registers, from: .direct),
                "vCPU \(number) does not start with the registers of the plan")
            let control = machine.systemRegisters(of: number).map {
                [$0.cr0, $0.cr3, $0.cr4, $0.efer]
            }
            let planned = [vcpu.system.cr0, vcpu.system.cr3, vcpu.system.cr4, vcpu.system.efer]
            try expect("cr0, cr3, cr4, efer", control, is: .known(planned, from: .direct))
        }
        let entry = GuestPhysicalAddress(GuestImage.flatAddress)
        let bytes = machine.read(entry, count: code.count, as: .private)
        try expect("the code", bytes, is: .known(code, from: .direct))
        try expect("its page", machine.isPrivate(entry), is: .known(true, from: .direct))
    }

    /// Looks where the guest itself, and not the debug stub, is in the middle of something.
    private static func hidden(_ bench: ConformanceBench) throws(ConformanceFailure) {
        let machine = try atAccess(bench).machine
        let entry = GuestPhysicalAddress(GuestImage.flatAddress)
        try expect("the registers", machine.registers(of: 0), is: .hidden(.running))
        try refused("a register is set") { () throws(MachineError) in
            try machine.setRegister(.rax, of: 0, to: 1)
        }
        switch machine.read(entry, count: 1, as: .private) {
        case .known(_, let source): try expect("the word for the code", source, is: .decrypted)
        case .hidden(let reason): try expect("the reason to hide the code", reason, is: .running)
        }
        guard let base = (machine as? StubbedMachine)?.base else { return }
        try expect("the registers without the stub", base.registers(of: 0), is: .hidden(.protected))
        try expect("the form of the page", base.isPrivate(entry), is: .hidden(.protected))
    }

    private static func bounds(_ bench: ConformanceBench) throws(ConformanceFailure) {
        let guest = try bench.enter([0xc3])
        let (machine, end) = (guest.machine, guest.session.plan?.ramSize ?? 0)
        for view in [MemoryView.private, .shared, .asUsed] {
            let last = machine.read(.init(end - 1), count: 2, as: view)
            try expect("memory across the end of RAM", last, is: .hidden(.unmapped))
            let beyond = GuestPhysicalAddress(end)
            try refused("memory behind RAM is written", with: .noMemory(beyond, count: 1)) {
                () throws(MachineError) in try machine.write([1], to: beyond, as: view)
            }
        }
        let number = machine.vcpuCount
        try expect("registers of no vCPU", machine.registers(of: number), is: .hidden(.unmapped))
        try refused("no vCPU is run", with: .noSuchVCPU(number)) { () throws(MachineError) in
            _ = try machine.run(.one(number), limit: 1)
        }
        try refused("a register of no vCPU is set", with: .noSuchVCPU(number)) {
            () throws(MachineError) in try machine.setRegister(.rax, of: number, to: 1)
        }
    }
}
