// Operations, sizes and the scratch area of a request page (REFERENCE 3a, 3b, 3c).

extension PageRules {
    /// What is wrong with SW_EXITINFO1 and 2, and with SW_SCRATCH.
    var valueBreaches: [Breach] {
        switch code {
        case .ioio: portBreach + scratchBreach
        case .mmioRead, .mmioWrite: lengthBreach + scratchBreach
        case .msr: operationBreach("0 (read) nor 1 (write)") + forgottenWriteBreach
        case .apJumpTable: operationBreach("0 (set) nor 1 (get)")
        default: []
        }
    }

    private var info1: UInt64 { page.raw(.swExitInfo1) }
    private var info2: UInt64 { page.raw(.swExitInfo2) }
    private var port: IOIOInfo { IOIOInfo(rawValue: info1) }

    private var portBreach: [Breach] {
        guard page.isValid(.swExitInfo1), ![1, 2, 4].contains(port.size) else { return [] }
        return [
            Breach(
                .invalidInput,
                "\(name): SW_EXITINFO1 is \(info1.hex), operand size (bits 6:4) \(port.size)"
                    + " is not 1, 2 or 4", key: name)
        ]
    }

    private func operationBreach(_ operations: String) -> [Breach] {
        guard page.isValid(.swExitInfo1), info1 > 1 else { return [] }
        return [
            Breach(
                .invalidInput, "\(name): SW_EXITINFO1 is \(info1.hex), neither \(operations)",
                key: name)
        ]
    }

    /// A read that carries the value of a write.
    private var forgottenWriteBreach: [Breach] {
        guard isForgottenWrite else { return [] }
        let value = page.raw(.rdx) << 32 | page.raw(.rax) & 0xffff_ffff
        return [
            Breach(
                .invalidInput,
                "MSR (0x7c): SW_EXITINFO1 is 0x0, a read, with \(value.hex) in RDX:RAX valid as for"
                    + " a write (1)", key: "write")
        ]
    }

    /// What was left by another event has RBX, too.
    var isForgottenWrite: Bool {
        guard code == .msr, page.isValid(.swExitInfo1), info1 == 0 else { return false }
        return page.validBitmap.intersection(ValidBitmap([.rax, .rbx, .rdx]))
            == ValidBitmap([.rax, .rdx])
    }

    private var lengthBreach: [Breach] {
        guard page.isValid(.swExitInfo2) else { return [] }
        if info2 == 0 {
            return [
                Breach(
                    .invalidInput, "\(name): SW_EXITINFO2 is 0x0, an access of no bytes", key: name)
            ]
        }
        guard vm.ghcbVersion >= 2, info2 > 8 else { return [] }
        return [
            Breach(
                .mmioTooLong, "\(name): SW_EXITINFO2 is \(info2.hex) bytes at \(info1.hex)",
                key: name)
        ]
    }
}

// MARK: - Scratch area

extension PageRules {
    private var scratchBreach: [Breach] {
        guard let ghcb, let start = page.value(.swScratch), page.isValid(.swExitInfo1),
            page.isValid(.swExitInfo2), scratchLength > 0
        else { return [] }
        let area = "\(name): SW_SCRATCH is \(start.hex), \(scratchLength.hex) bytes"
        return scratchError(start, ghcb).map {
            [Breach(.scratchOutsideBuffer, area + $0, key: name)]
        } ?? []
    }

    /// Bytes that go through the area; an access that is too long has a rule of its own.
    private var scratchLength: UInt64 {
        guard code == .ioio else { return vm.ghcbVersion >= 2 ? min(info2, 8) : info2 }
        guard port.isString else { return 0 }
        let (length, overflow) = info2.multipliedReportingOverflow(by: UInt64(port.size))
        return overflow ? .max : length
    }

    private func scratchError(_ start: UInt64, _ ghcb: UInt64) -> String? {
        guard start != 0 else { return ": no area" }
        let (end, overflow) = start.addingReportingOverflow(scratchLength)
        guard !overflow else { return ", wrapping around" }
        let buffer = GHCBPage.sharedBufferRange
        let first = ghcb &+ UInt64(buffer.lowerBound)
        let limit = ghcb &+ UInt64(buffer.upperBound)
        guard start & ~0xfff == ghcb || vm.ghcbVersion >= 2 else { return outsideError }
        guard start >= first, end <= limit, start & ~0xfff == ghcb else {
            return ", outside the shared buffer \(first.hex)-\((limit &- 1).hex)"
        }
        return nil
    }

    /// Outside the page, which only version 1 has.
    private var outsideError: String? {
        guard !vm.behaviour.specifies(.scratchLimit),
            scratchLength > HypervisorModel.scratchLimit
        else { return nil }
        return ", outside the GHCB, where KVM takes at most 64 KiB"
    }
}
