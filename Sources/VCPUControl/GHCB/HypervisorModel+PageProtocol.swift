// KVM's side of the page protocol: validation, and the events that need no data from outside
// (REFERENCE 3a, 3c).

extension HypervisorModel {
    mutating func pageProtocol(
        _ request: PageExchange, memory: inout some HostMemory
    ) -> Step {
        if let reason = refusal(of: request.page) { return request.malformed(reason) }
        var exchange = request
        exchange.respond(info1: 0, info2: 0)
        switch exchange.code {
        case .ioio: return portAccess(exchange, memory: &memory)
        case .mmioRead, .mmioWrite: return mmioAccess(exchange, memory: &memory)
        default: return event(exchange)
        }
    }

    /// The order of KVM's checks: usage, the three words of every event, the event's own inputs.
    private func refusal(of page: GHCBPage) -> MalformedReason? {
        guard page.usage == 0 else { return .invalidUsage }
        guard NAEEvent.alwaysRequired.allSatisfy(page.isValid) else { return .missingInput }
        let code = ExitCode(page.raw(.swExitCode))
        guard let event = NAEEvent.event(code), event.isInKVM, offers(event) else {
            return .invalidEvent
        }
        // KVM calls SEV-SNP's events a missing input in other guests.
        guard !event.isSNPOnly else {
            return behaviour.specifies(.snpEvents) ? .invalidEvent : .missingInput
        }
        let isComplete = NAEEvent.requiredFields(of: page).allSatisfy(page.isValid)
        guard isComplete, !lacksState(page) else { return .missingInput }
        return hasInvalidValue(page) ? .invalidInput : nil
    }

    private func offers(_ event: NAEEvent) -> Bool {
        guard behaviour.specifies(.version2Events), let version = event.version else { return true }
        return version <= ghcbVersion
    }

    /// What the specification wants with CPUID leaf 0xd: by EAX, whatever is above it, and XSS too.
    private func lacksState(_ page: GHCBPage) -> Bool {
        guard ExitCode(page.raw(.swExitCode)) == .cpuid,
            UInt32(truncatingIfNeeded: page.raw(.rax)) == 0xd
        else { return false }
        let needsXSS = behaviour.specifies(.cpuidXSS) && supportsXSS && ghcbVersion >= 2
        return behaviour.specifies(.cpuidLeafWidth) && !page.isValid(.xcr0)
            || needsXSS && !page.isValid(.xss)
    }

    /// Operations and sizes that the specification does not define.
    private func hasInvalidValue(_ page: GHCBPage) -> Bool {
        let (info1, info2) = (page.raw(.swExitInfo1), page.raw(.swExitInfo2))
        switch ExitCode(page.raw(.swExitCode)) {
        case .msr: return behaviour.specifies(.msrOperation) && info1 > 1
        case .ioio:
            let size = IOIOInfo(rawValue: info1).size
            return behaviour.specifies(.transferSize) && ![1, 2, 4].contains(size)
        case .mmioRead, .mmioWrite: return behaviour.specifies(.transferSize) && info2 == 0
        default: return false
        }
    }

    private mutating func event(_ exchange: PageExchange) -> Step {
        switch exchange.code {
        case .cpuid: return cpuid(exchange)
        case .msr: return msr(exchange)
        case .vmmcall: return vmmcall(exchange)
        case .rdpmc: return rdpmc(exchange)
        case .apResetHold: return hold(exchange)
        case .apJumpTable: return jumpTable(exchange)
        case .hvFeatures: return exchange.resumed(info2: features.rawValue)
        case .rdtsc where behaviour.specifies(.rdtsc): return timeStamp(exchange)
        case .rdtscp where behaviour.specifies(.rdtscp): return timeStamp(exchange)
        case .unsupported where behaviour.specifies(.unsupportedEvent): return exchange.resumed()
        case .readDR7, .writeDR7: return debugControl(exchange)
        // KVM answers with a real #UD, without a word in the page.
        case .rdtscp: return exchange.injected(.invalidOpcode)
        case .rdtsc, .termination, .unsupported: return exchange.ended(Self.termination(exchange))
        // INVD, WBINVD, MONITOR and MWAIT are no-ops, and NMI complete unmasks what nothing raises
        // here.
        default: return exchange.resumed()
        }
    }

    private static func termination(_ exchange: PageExchange) -> Termination {
        switch exchange.code {
        case .rdtsc:
            return .internalError(
                suberror: 4,
                "KVM lets VMGEXIT \(exchange.code.rawValue.hex) (RDTSC) in and has no"
                    + " handler for it; RDTSC needs no VMGEXIT")
        case .termination:
            let reason = TerminationReason(exitInfo1: exchange.info1)
            return .requested(set: reason.set, code: reason.code)
        default:
            return .runFailed(
                errno: HypervisorModel.invalidArgument,
                "the guest says that it does not support #VC \(exchange.info1.hex)"
                    + " (SW_EXITINFO2 \(exchange.info2.hex)): KVM_RUN fails with EINVAL")
        }
    }

    /// `EINVAL`.
    static let invalidArgument: Int32 = 22
    /// `EFAULT`.
    static let badAddress: Int32 = 14
}

// MARK: - Events

extension HypervisorModel {
    /// The low halves of RAX and RCX in, four registers of 32 bits out.
    private func cpuid(_ request: PageExchange) -> Step {
        var exchange = request
        let result = cpuid.result(
            leaf: UInt32(truncatingIfNeeded: exchange.registers[.rax]),
            subleaf: UInt32(truncatingIfNeeded: exchange.registers[.rcx]),
            vcpu: exchange.request.vcpu)
        exchange.registers[.rax] = UInt64(result.eax)
        exchange.registers[.rbx] = UInt64(result.ebx)
        exchange.registers[.rcx] = UInt64(result.ecx)
        exchange.registers[.rdx] = UInt64(result.edx)
        return exchange.resumed()
    }

    /// The MSR is ECX, its value EDX:EAX; SW_EXITINFO1 other than 0 is a write.
    private mutating func msr(_ request: PageExchange) -> Step {
        var exchange = request
        let vcpu = exchange.request.vcpu
        let number = UInt32(truncatingIfNeeded: exchange.registers[.rcx])
        var table = msrs[vcpu] ?? MSRTable(isBootstrapProcessor: vcpu == 0)
        guard exchange.info1 == 0 else {
            let value = exchange.registers[.rdx] << 32 | exchange.registers[.rax] & 0xffff_ffff
            guard table.write(value, to: number, tsc: exchange.request.tsc) else {
                return exchange.asked(toRaise: .refusedMSR)
            }
            msrs[vcpu] = table
            return exchange.resumed()
        }
        guard let value = table.read(number, tsc: exchange.request.tsc) else {
            return exchange.asked(toRaise: .refusedMSR)
        }
        exchange.registers[.rax] = value & 0xffff_ffff
        exchange.registers[.rdx] = value >> 32
        return exchange.resumed()
    }

    /// KVM's hypercalls, of which a VM without paravirtual features has but one: it does nothing.
    private func vmmcall(_ request: PageExchange) -> Step {
        var exchange = request
        let pollInterrupt: UInt64 = 1
        let (notPermitted, noSuchCall) = (-1, -1000)
        let result =
            if exchange.input(.cpl) != 0 {
                notPermitted
            } else if exchange.registers[.rax] == pollInterrupt {
                0
            } else {
                noSuchCall
            }
        exchange.registers[.rax] = UInt64(bitPattern: Int64(result))
        return exchange.resumed()
    }

    /// The four counters of every AMD processor stand still at 0 in a VM that counts no events.
    ///
    /// Others, and every counter at CPL > 0, where CR4.PCE is taken as clear, get KVM's own #GP.
    private func rdpmc(_ request: PageExchange) -> Step {
        var exchange = request
        // Bits 31:30 choose how the counter is read.
        let counter = exchange.registers[.rcx] & 0x3fff_ffff
        guard counter < 4, exchange.input(.cpl) == 0 else {
            return behaviour.specifies(.rdpmcFault)
                ? exchange.asked(toRaise: .generalProtection)
                : exchange.injected(.generalProtection)
        }
        exchange.registers[.rax] = 0
        exchange.registers[.rdx] = 0
        return exchange.resumed()
    }

    /// RDTSC and RDTSCP by the specification.
    private func timeStamp(_ request: PageExchange) -> Step {
        var exchange = request
        let (vcpu, tsc) = (exchange.request.vcpu, exchange.request.tsc)
        let table = msrs[vcpu] ?? MSRTable(isBootstrapProcessor: vcpu == 0)
        let value = table.read(MSRTable.tsc, tsc: tsc) ?? tsc
        exchange.registers[.rax] = value & 0xffff_ffff
        exchange.registers[.rdx] = value >> 32
        exchange.registers[.rcx] = UInt64(exchange.request.tscAux)
        return exchange.resumed()
    }

    /// DR7, of which KVM has none: it returns nothing and drops what is written.
    private mutating func debugControl(_ request: PageExchange) -> Step {
        guard behaviour.specifies(.dr7) else { return request.resumed() }
        var exchange = request
        let vcpu = exchange.request.vcpu
        if exchange.code == .writeDR7 {
            dr7[vcpu] = exchange.registers[.rax] & Self.dr7Writable | Self.dr7Ones
        } else {
            exchange.registers[.rax] = dr7[vcpu] ?? Self.dr7Ones
        }
        return exchange.resumed()
    }

    /// The bits of DR7 that a write changes, and the one that is always set; APM volume 2, 13.1.1.4.
    private static let dr7Writable: UInt64 = 0xffff_23ff
    private static let dr7Ones: UInt64 = 0x400

    private mutating func jumpTable(_ exchange: PageExchange) -> Step {
        switch exchange.info1 {
        case 0:
            apJumpTable = exchange.info2
            return exchange.resumed()
        case 1: return exchange.resumed(info2: apJumpTable)
        default: return exchange.malformed(.invalidInput)
        }
    }
}

// MARK: - AP reset hold

extension HypervisorModel {
    private mutating func hold(_ request: PageExchange) -> Step {
        var exchange = request
        exchange.pending = .resetHold
        open[exchange.request.vcpu] = .page(exchange)
        return .apResetHold
    }

    /// Sends a vCPU a SIPI: one that is in an AP reset hold runs on.
    ///
    /// With KVM the first SIPI of a vCPU leaves no trace in the result, as it starts the vCPU with
    /// the state of its launch; later ones set SW_EXITINFO2, or the data of the MSR, to 1.
    /// - Returns: `nil` where the vCPU is in no hold.
    package mutating func deliverSIPI(to vcpu: Int) -> Step? {
        let isFirst = startedVCPUs.insert(vcpu).inserted
        let hasTrace = !isFirst || behaviour.specifies(.firstSIPI)
        switch open[vcpu] {
        case .msrHold(let request):
            open[vcpu] = nil
            return endHold(request, sipi: hasTrace)
        case .page(let exchange):
            guard case .resetHold = exchange.pending else { return nil }
            open[vcpu] = nil
            return spoiled(hasTrace ? exchange.resumed(info2: 1) : exchange.resumed())
        case nil: return nil
        }
    }
}
