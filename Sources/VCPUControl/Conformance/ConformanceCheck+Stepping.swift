// How a guest begins, and goes on instruction by instruction.
extension ConformanceCheck {
    static let launching = [
        ConformanceCheck(
            "entry",
            "the entry finds its arguments in registers, and its stack as a call leaves it",
            entry),
        ConformanceCheck(
            "provenance", "a register says whose word it is: the machine's, or the stub's",
            provenance
        ),
    ]

    static let stepping = [
        ConformanceCheck(
            "step", "stepi executes one instruction, whatever that does to TF, and TF is not seen",
            step),
        ConformanceCheck(
            "step-count", "stepi N executes N instructions and stops once", stepCount),
        ConformanceCheck(
            "step-alone", "a vCPU that is stepped leaves the others where they are", stepAlone),
        ConformanceCheck(
            "breakpoint",
            "a breakpoint stops before its instruction, each time, and memory does not show it",
            breakpoint),
        ConformanceCheck(
            "breakpoint-count", "continue N goes on at the first N - 1 breakpoints", breakpointCount
        ),
        ConformanceCheck(
            "watch",
            "a watchpoint stops behind the instruction that changes its bytes, and behind no other",
            watch),
    ]

    private static func entry(_ bench: ConformanceBench) throws(ConformanceFailure) {
        for setup in [GHCBSetup.pool, .trampoline] {
            let guest = try bench.enter([0xc3]) {  // ret
                ($0.setup, $0.arguments) = (setup, (11...16).map { .value($0) })
            }
            for (register, value) in zip(Register.arguments, 11...16 as ClosedRange<UInt64>) {
                let found = try guest.value("$\(register.name)")
                try expect("\(register.name), setup \(setup.rawValue),", found, is: value)
            }
            try expect("rsp % 16", try guest.value("$rsp") & 15, is: 8)
            try guest.end(.returned)
        }
    }

    private static func provenance(_ bench: ConformanceBench) throws(ConformanceFailure) {
        let guest = try bench.enter([0x90, 0xc3])  // nop; ret
        let wanted = bench.traits.debugging == .direct ? Provenance.direct : .selfReport
        guard case .known(_, let source) = try guest.stop("stepi").registers else {
            throw ConformanceFailure("registers are hidden at a stop")
        }
        try expect("the word for the registers", source, is: wanted)
    }

    /// What some KVM or CPU steps badly: behind ENDBR64 and MOV SS, over what moves TF, out of IRET.
    private static let stepped: [UInt8] = [
        0xf3, 0x0f, 0x1e, 0xfa,  // 00 endbr64
        0x90,  // 04 nop
        0x31, 0xc9,  // 05 xor %ecx, %ecx
        0xff, 0xc1,  // 07 inc %ecx
        0x48, 0x8d, 0x49, 0x01,  // 09 lea 1(%rcx), %rcx
        0x9c,  // 0d pushfq
        0x41, 0x58,  // 0e pop %r8
        0x41, 0x50,  // 10 push %r8
        0x9d,  // 12 popfq
        0x8c, 0xd2,  // 13 mov %ss, %edx
        0x8e, 0xd2,  // 15 mov %edx, %ss
        0xeb, 0x01,  // 17 jmp 1a
        0xcc,  // 19 int3, which nobody comes to
        0xe8, 0x01, 0x00, 0x00, 0x00,  // 1a call 20
        0xc3,  // 1f ret
        0x48, 0x89, 0xe2,  // 20 mov %rsp, %rdx
        0x8c, 0xd0,  // 23 mov %ss, %eax
        0x50, 0x52, 0x9c,  // 25 push %rax; push %rdx; pushfq
        0x8c, 0xc8,  // 28 mov %cs, %eax
        0x50,  // 2a push %rax
        0x48, 0x8d, 0x05, 0x03, 0x00, 0x00, 0x00,  // 2b lea 35(%rip), %rax
        0x50,  // 32 push %rax
        0x48, 0xcf,  // 33 iretq
        0x48, 0x8d, 0x35, 0x00, 0x00, 0x00, 0x00,  // 35 lea (%rip), %rsi
        0x48, 0x8d, 0x3d, 0x00, 0x10, 0x00, 0x00,  // 3c lea 0x1000(%rip), %rdi
        0xf3, 0xa4,  // 43 rep movsb, twice
        0xc3,  // 45 ret, to 1f
    ]

    private static let places: [UInt64] = [
        0x04, 0x05, 0x07, 0x09, 0x0d, 0x0e, 0x10, 0x12, 0x13, 0x15, 0x17, 0x1a, 0x20, 0x23, 0x25,
        0x26, 0x27, 0x28, 0x2a, 0x2b, 0x32, 0x33, 0x35, 0x3c, 0x43, 0x43, 0x45, 0x1f,
    ]

    private static func step(_ bench: ConformanceBench) throws(ConformanceFailure) {
        let guest = try bench.enter(stepped)
        for (number, wanted) in places.enumerated() {
            let place = try guest.place("stepi")
            try expect(
                place == wanted,
                "step \(number + 1) leads to offset \(place.hex), not to \(wanted.hex)")
        }
        try expect("TF in what PUSHFQ pushed", try guest.value("$r8") & FlagBits.trap, is: 0)
        try expect("TF", try guest.value("$rflags") & FlagBits.trap, is: 0)
        try guest.end(.returned)
    }

    private static func stepCount(_ bench: ConformanceBench) throws(ConformanceFailure) {
        let guest = try bench.enter(stepped)
        let before = guest.machine.instructions(of: 0)
        let events = try guest.run("stepi 12")
        let stops = events.count { if case .stop = $0 { true } else { false } }
        try expect("the count of stops", stops, is: 1)
        let offset = try guest.value("$rip") &- GuestImage.flatAddress
        try expect("the offset behind 12 instructions", offset, is: places[11])
        try expect("the count", guest.machine.instructions(of: 0) &- before, is: 12)
    }

    private static func stepAlone(_ bench: ConformanceBench) throws(ConformanceFailure) {
        let guest = try bench.enter([0x90, 0xeb, 0xfd]) { $0.vcpus = 2 }  // nop; jmp, to the nop
        let first = guest.session.current
        let before = guest.machine.registers(of: first)
        try guest.run("vcpu \(1 - first)")
        try guest.run("stepi 3")
        try expect("the current vCPU", guest.session.current, is: 1 - first)
        try expect(
            guest.machine.registers(of: first) == before, "vCPU \(first) has moved with the other")
    }

    private static let loop: [UInt8] = [0x90, 0x90, 0xeb, 0xfc]  // 00 nop; 01 nop; 02 jmp 00

    private static func breakpoint(_ bench: ConformanceBench) throws(ConformanceFailure) {
        let guest = try bench.enter(loop)
        let address = GuestImage.flatAddress
        try guest.run("break *\((address + 1).hex)")
        for round in 1...3 {
            try expect(
                "the offset of stop \(round)", try guest.place("continue", .breakpoint), is: 1)
        }
        let bytes = guest.machine.read(.init(address), count: loop.count, as: .private).value
        try expect("the code in memory", bytes, is: loop)
        try expect("the offset a step on", try guest.place("stepi"), is: 2)
        try expect("the offset a round on", try guest.place("stepi 2", .breakpoint), is: 1)
    }

    private static func watch(_ bench: ConformanceBench) throws(ConformanceFailure) {
        let guest = try bench.enter([
            0xff, 0xc1,  // 00 inc %ecx
            0x89, 0x0d, 0x38, 0x10, 0x00, 0x00,  // 02 mov %ecx, 1040
            0x89, 0x0d, 0x32, 0x10, 0x00, 0x00,  // 08 mov %ecx, 1040
            0x89, 0x0d, 0x30, 0x10, 0x00, 0x00,  // 0e mov %ecx, 1044
            0xfe, 0x05, 0x2b, 0x10, 0x00, 0x00,  // 14 incb 1045
            0xeb, 0xe4,  // 1a jmp 00
        ])
        let data = GuestImage.flatAddress + 0x1040
        try guest.run("set $rcx = 0")
        try guest.run("set {u64} \(data.hex) = 0")
        try guest.run("watch {u32} \(data.hex)")
        for round in 1...3 as ClosedRange<UInt64> {
            let stop = try guest.stop("continue")
            try expect("the reason of stop \(round)", stop.reason, is: .watchpoint)
            let change = "u32 at \(data.hex) \((round - 1).hex) -> \(round.hex)"
            let text = stop.detail ?? "nothing"
            try expect(text.hasSuffix(change), "stop \(round) says `\(text)`, not `\(change)`")
            try expect("the offset", try guest.value("$rip") &- GuestImage.flatAddress, is: 0x08)
        }
        try expect("the offset a step on", try guest.place("stepi"), is: 0x0e)
        try expect(
            "the offset, of steps that end there", try guest.place("stepi 10", .watchpoint),
            is: 0x08)
        try guest.run("delete")
        try guest.run("watch \((data + 5).hex) 1 if {u32} \(data.hex) == 6")
        try expect("the offset", try guest.place("continue", .watchpoint), is: 0x14)
        try expect("the rounds", try guest.value("$rcx"), is: 6)
    }

    private static func breakpointCount(_ bench: ConformanceBench) throws(ConformanceFailure) {
        // 00 inc %ecx; 02 nop; 03 jmp 00
        let guest = try bench.enter([0xff, 0xc1, 0x90, 0xeb, 0xfb])
        try guest.run("set $rcx = 0")
        try guest.run("break *\((GuestImage.flatAddress + 2).hex)")
        try expect("the offset", try guest.place("continue 5", .breakpoint), is: 2)
        try expect("the rounds", try guest.value("$rcx"), is: 5)
    }
}
