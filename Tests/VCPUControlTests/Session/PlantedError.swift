@testable import VCPUControl

/// Steps that a correct guest makes, and mistakes that one can make: what `PlantedErrorTests` mixes.
///
/// Each step leaves the guest in order, with its page in the MSR and the answer looked at.
struct ProgramStep: Sendable {
    typealias Body = @Sendable (inout GuestProgram, inout FuzzRandom) -> Void

    let body: Body
    /// The rule that has to find it; `nil` for a correct step.
    let rule: LintRule?
    /// Whether the VM ends with it.
    let isLast: Bool

    private init(_ rule: LintRule? = nil, isLast: Bool = false, _ body: @escaping Body) {
        self.body = body
        self.rule = rule
        self.isLast = isLast
    }

    /// A request on a clean page, and a look at its answer.
    private static func request(
        _ program: inout GuestProgram, _ code: ExitCode, _ info1: UInt64 = 0, _ info2: UInt64 = 0,
        _ fields: [GHCBField: UInt64] = [:], version: UInt64 = 1
    ) {
        program.begin(version: version)
        for (field, value) in fields.sorted(by: { $0.key.offset < $1.key.offset }) {
            program.set(field, value)
        }
        program.send(code, info1, info2)
        program.readInfo1()
    }

    private static func msrRequest(_ program: inout GuestProgram, _ value: UInt64) {
        program.writeMSR(value)
        program.vmgexit()
        program.restoreMSR()
    }

    private static func serial(_ size: UInt64, _ more: UInt64 = 0) -> UInt64 {
        0x3f8 << 16 | size << 4 | 0x200 | more
    }
}

// MARK: - Correct steps

extension ProgramStep {
    static let correct: [ProgramStep] = [
        .init { program, _ in request(&program, .wbinvd) },
        .init { program, _ in request(&program, .invd) },
        .init { program, _ in request(&program, .readDR7) },
        .init { program, random in request(&program, .writeDR7, 0, 0, [.rax: random.value()]) },
        .init { program, random in
            let leaf = random.pick([0, 1, 7, 0x8000_0000, 0x8000_001f] as [UInt64])
            request(&program, .cpuid, 0, 0, [.rax: leaf, .rcx: 0, .xcr0: 1])
        },
        .init { program, _ in
            request(&program, .cpuid, 0, 0, [.rax: 0xd, .rcx: 0, .xcr0: 3, .xss: 0])
        },
        .init { program, _ in request(&program, .msr, 0, 0, [.rcx: 0x10]) },
        .init { program, _ in request(&program, .msr, 0, 0, [.rcx: 0x1234_5678]) },
        .init { program, _ in request(&program, .msr, 1, 0, [.rcx: 0xc000_0103, .rax: 1, .rdx: 0])
        },
        .init { program, random in
            request(&program, .ioio, serial(1), 0, [.rax: UInt64(random.byte())])
        },
        .init { program, _ in request(&program, .ioio, serial(1, 1)) },
        .init { program, _ in request(&program, .ioio, serial(4, 1), 0, [.rax: 0]) },
        .init { program, random in
            let count = UInt64(random.below(64) + 1)
            let info1 = serial(1, 0xc0c)
            program.setScratch(program: { $0.send(.ioio, info1, count) })
        },
        .init { program, random in
            let length = UInt64(1 << random.below(4))
            program.setScratch(program: { $0.send(.mmioRead, 0xfe00_0100, length) })
        },
        .init { program, random in
            let length = UInt64(1 << random.below(4))
            program.setScratch(program: { $0.send(.mmioWrite, 0xfe00_0100, length) })
        },
        .init { program, _ in request(&program, .apJumpTable, 1) },
        .init { program, _ in request(&program, .hvFeatures, version: 2) },
        .init { program, _ in request(&program, .nmiComplete) },
        .init { program, _ in
            request(&program, .monitor, 0, 0, [.rax: 0x20_0000, .rcx: 0, .rdx: 0])
        },
        .init { program, _ in request(&program, .mwait, 0, 0, [.rax: 0, .rcx: 0]) },
        .init { program, _ in request(&program, .vmmcall, 0, 0, [.rax: 1, .cpl: 0]) },
        .init { program, _ in msrRequest(&program, 0x002) },
        .init { program, _ in msrRequest(&program, 0x080) },
        .init { program, random in
            msrRequest(&program, 1 << 32 | UInt64(random.below(4)) << 30 | 0x004)
        },
    ]
}

// MARK: - Mistakes

extension ProgramStep {
    static let mistakes: [ProgramStep] = [
        .init(.missingInput) { program, random in
            program.begin()
            let (code, needs) = random.pick(inputs)
            let missing = random.pick(needs)
            for field in needs where field != missing { program.set(field, 0) }
            program.send(code)
            program.readInfo1()
        },
        .init(.missingInput) { program, random in
            program.begin()
            let words: [GHCBField] = [.swExitCode, .swExitInfo1, .swExitInfo2]
            let missing = random.pick(words)
            program.write(.swExitCode, ExitCode.wbinvd.rawValue)
            for field in words where field != missing { program.mark(field.offset / 8) }
            program.vmgexit()
            program.readInfo1()
        },
        .init(.cpuidNeedsXCR0) { program, _ in
            request(&program, .cpuid, 0, 0, [.rax: 0xd, .rcx: 1, .xss: 0])
        },
        .init(.cpuidNeedsXSS) { program, random in
            request(
                &program, .cpuid, 0, 0, [.rax: 0xd, .rcx: UInt64(random.below(2)), .xcr0: 1])
        },
        .init(.usageNonzero) { program, random in
            program.begin()
            program.write(.ghcbUsage, UInt64(random.below(9) + 1))
            program.send(.wbinvd)
            program.readInfo1()
        },
        .init(.unknownEvent) { program, random in
            let codes: [UInt64] = [0x73, 0x7a, 0x8e, 0x65, 0x8000_0099, 0x1234_5678_9abc_def0]
            request(&program, ExitCode(random.pick(codes)))
        },
        .init(.unknownEvent) { program, random in
            msrRequest(&program, random.pick([0x003, 0xf00, 0xf02]))
        },
        .init(.snpOnlyEvent) { program, random in
            request(&program, ExitCode(0x8000_0010 + UInt64(random.below(9))))
        },
        .init(.snpOnlyEvent) { program, random in
            msrRequest(&program, UInt64(random.below(4)) << 32 | 0x016)
        },
        .init(.invalidInput) { program, random in
            request(
                &program, .msr, UInt64(random.below(9) + 2), 0, [.rcx: 0x10, .rax: 0, .rdx: 0])
        },
        .init(.invalidInput) { program, random in
            let size = random.pick([0, 3, 5, 6, 7] as [UInt64])
            request(&program, .ioio, serial(size), 0, [.rax: 0])
        },
        .init(.invalidInput) { program, random in
            request(&program, .apJumpTable, UInt64(random.below(9) + 2))
        },
        .init(.invalidInput) { program, _ in
            program.setScratch(program: { $0.send(.mmioRead, 0xfe00_0100, 0) })
        },
        .init(.unhandledByKVM, isLast: true) { program, random in
            request(&program, random.pick([.rdtsc, .rdtscp, .unsupported]))
        },
        .init(.ghcbUnset) { program, random in
            msrRequest(&program, random.pick([0, 1 << 40, 0xffff_f000]))
        },
        .init(.misalignedGHCB) { program, random in
            program.writeMSR(pageOffset: random.pick([0x20, 0x30, 0x550, 0xff8, 0x002, 0x080]))
            program.vmgexit()
            program.restoreMSR()
        },
        .init(.ghcbNotShared) { program, _ in
            program.usePage(at: 0x20_0000) { $0.send(.wbinvd) }
        },
        .init(.staleMSR) { program, random in
            program.writeMSR(random.pick([0x002, 0x080]))
            program.vmgexit()
            program.begin()
            program.send(.wbinvd)
            program.restoreMSR()
        },
        .init(.msrRequestKillsES, isLast: true) { program, random in
            msrRequest(&program, random.pick([0x010, 0x1234_5012, 0x1234_5014]))
        },
        .init(.msrCPUIDLeaf) { program, random in
            msrRequest(&program, 0xd << 32 | UInt64(random.below(4)) << 30 | 0x004)
        },
        .init(.scratchOutsideBuffer) { program, random in
            let offset = Int32(random.pick([0x400, 0x7ff, 0xff0, -0x100, 0xfef]))
            program.setScratch(offset) { $0.send(.mmioWrite, 0xfe00_0100, 8) }
        },
        .init(.scratchOutsideBuffer) { program, _ in
            program.setScratch(0x900) { $0.send(.ioio, serial(1, 0xc0c), 0x700) }
        },
        .init(.mmioTooLong) { program, random in
            let length = UInt64(random.below(64) + 9)
            program.setScratch { $0.send(.mmioRead, 0xfe00_0100, length) }
        },
        .init(.versionUnsupported) { program, random in
            request(&program, .wbinvd, version: random.pick([0, 3, 4, 0xffff]))
        },
        .init(.responseIgnored) { program, _ in
            program.begin()
            program.set(.rcx, 0x1234_5678)
            program.send(.msr)
        },
        .init(.staleRequest) { program, _ in
            request(&program, .cpuid, 0, 0, [.rax: 0, .rcx: 0])
            program.send(.wbinvd)
            program.readInfo1()
        },
        .init(.unexpectedValid) { program, random in
            let field = random.pick([.r8, .r15, .rbp, .rdi, .rsi, .rbx, .rsp] as [GHCBField])
            request(&program, .wbinvd, 0, 0, [field: random.next() | 1])
        },
        .init(.terminateWithoutVMGEXIT) { program, random in
            program.writeMSR(UInt64(random.below(256)) << 16 | 0x100)
            program.restoreMSR()
        },
        .init(.ucallFallsThrough) { program, random in
            let port: UInt64 = 0x1000 << 16 | 0x210
            program.setScratch { $0.send(.ioio, port | 0xc0c, 8) }
            request(&program, .ioio, port | 1, 0, random.below(2) == 0 ? [.rax: 0] : [:])
        },
    ]

    /// Events with what each needs, besides the three words of every event.
    private static let inputs: [(ExitCode, [GHCBField])] = [
        (.cpuid, [.rax, .rcx]), (.msr, [.rcx]), (.writeDR7, [.rax]), (.rdpmc, [.rcx]),
        (.vmmcall, [.rax, .cpl]), (.monitor, [.rax, .rcx, .rdx]), (.mwait, [.rax, .rcx]),
    ]
}

extension GuestProgram {
    /// A request with a scratch area at an offset from the page, and a look at its answer.
    fileprivate mutating func setScratch(
        _ offset: Int32 = 0x800, program body: (inout GuestProgram) -> Void
    ) {
        begin()
        loadRAX(pageOffset: offset)
        storeRAX(.swScratch)
        mark(GHCBField.swScratch.offset / 8)
        body(&self)
        readInfo1()
    }

    /// A request in another page, which the MSR names while it is made.
    fileprivate mutating func usePage(
        at address: UInt64, _ body: (inout GuestProgram) -> Void
    ) {
        append(0x49, 0x89, 0xdb)  // mov %rbx, %r11
        loadRAX(address)
        append(0x48, 0x89, 0xc3)  // mov %rax, %rbx
        restoreMSR()
        begin()
        body(&self)
        append(0x4c, 0x89, 0xdb)  // mov %r11, %rbx
        restoreMSR()
    }
}
