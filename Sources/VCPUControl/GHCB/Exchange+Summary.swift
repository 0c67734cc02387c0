// An exchange in one line of text: what was asked, and after `->` what came back.

extension Exchange {
    /// One line without control characters: `CPUID 0x8000001f/0 -> eax=0x0000000a …`.
    ///
    /// What the guest did not mark valid is shown as `?`. An outcome other than `ok` ends the line.
    package var summary: String {
        let line = ([name] + request + (outcome == .ok ? response : [])).joined(separator: " ")
        switch outcome {
        case .ok: return line
        case .terminated(let termination): return line + " -> the VM ends: " + termination.reason
        case .exception, .malformed, .unanswered, .pending:
            return line + " -> \(outcome.name): " + (reason ?? "")
        }
    }

    private var request: [String] {
        guard let page = requestPage else { return msrRequest }
        switch exitCode {
        case .cpuid: return [low(page, .rax) + "/" + subleaf(page)]
        case .ioio: return portRequest(page)
        case .msr: return msrAccess(page)
        case .mmioRead, .mmioWrite: return mmioRequest(page)
        case .vmmcall: return ["nr \(text(page, .rax)) cpl \(text(page, .cpl))"]
        case .rdpmc: return [low(page, .rcx)]
        case .writeDR7: return [text(page, .rax)]
        case .apJumpTable: return [info1 == 1 ? "get" : "set \(info2.hex)"]
        case .termination: return [TerminationReason(exitInfo1: info1).text]
        case .unsupported: return ["#VC \(info1.hex) info2 \(info2.hex)"]
        default: return plainRequest(page)
        }
    }

    private var response: [String] {
        guard let page = responsePage else { return msrResponse }
        switch exitCode {
        case .cpuid:
            return ["->"]
                + [("eax", .rax), ("ebx", .rbx), ("ecx", .rcx), ("edx", .rdx)].map {
                    "\($0)=" + padded(page, $1)
                }
        case .ioio: return portResponse(page)
        case .msr: return info1 == 0 ? ["->", pair(page)] : []
        case .mmioRead: return scratchText(page).map { ["->", $0] } ?? []
        case .vmmcall: return ["->", signed(page, .rax)]
        case .rdpmc, .rdtsc, .rdtscp: return ["->", pair(page)]
        case .hvFeatures:
            return ["->"] + GHCBMSR.hvFeaturesResponse(features(page)).details
        case .apJumpTable where info1 == 1, .apResetHold: return ["->", text(page, .swExitInfo2)]
        default: return []
        }
    }
}

// MARK: - The MSR protocol

extension Exchange {
    private var msrRequest: [String] {
        if case .noPage = content { [msr.hex] } else { decodedMSR.details }
    }

    private var msrResponse: [String] {
        guard case .msr(let response?) = content else { return [] }
        return ["->"] + GHCBMSR(rawValue: response).details
    }
}

// MARK: - Ports and memory

extension Exchange {
    private var port: IOIOInfo { IOIOInfo(rawValue: info1) }

    private func portRequest(_ page: GHCBPage) -> [String] {
        let head = [port.isInput ? "IN" : "OUT", port.port.hex]
        let width = "\(8 * port.size) bit"
        guard port.isString else {
            return head + [width] + (port.isInput ? [] : [outputValue(page)])
        }
        let data = port.isInput ? [] : scratchBytes(page).map { [Self.quoted($0)] } ?? []
        return head + ["string", width, "x\(info2)"] + data
    }

    private func outputValue(_ page: GHCBPage) -> String {
        page.value(.rax).map { UInt64(littleEndian: $0.littleEndianBytes(port.size)).hex } ?? "?"
    }

    private func portResponse(_ page: GHCBPage) -> [String] {
        guard port.isInput, port.size > 0 else { return [] }
        guard port.isString else { return ["->", outputValue(page)] }
        return scratchBytes(page).map { ["->", Self.quoted($0)] } ?? []
    }

    private func mmioRequest(_ page: GHCBPage) -> [String] {
        let head = [info1.hex, info2 == 1 ? "1 byte" : "\(info2) bytes"]
        return exitCode == .mmioRead ? head : head + (scratchText(page).map { [$0] } ?? [])
    }

    /// The bytes of the scratch area, where it lies in the page.
    func scratchBytes(_ page: GHCBPage) -> ArraySlice<UInt8>? {
        guard let request = requestPage, let scratch = request.value(.swScratch),
            scratch & ~0xfff == msr, let length = Int(exactly: scratchLength), length > 0
        else { return nil }
        return page.scratch(at: Int(scratch & 0xfff), count: length)
    }

    /// The scratch area as a number of up to eight bytes, a longer one as text.
    private func scratchText(_ page: GHCBPage) -> String? {
        scratchBytes(page).map { $0.count > 8 ? Self.quoted($0) : UInt64(littleEndian: $0).hex }
    }

    /// Bytes in quotes, at most 32 of them, with nothing that a terminal could take for a command.
    static func quoted(_ bytes: ArraySlice<UInt8>) -> String {
        let text = bytes.prefix(32).map { (byte: UInt8) -> String in
            switch byte {
            case UInt8(ascii: "\n"): "\\n"
            case UInt8(ascii: "\r"): "\\r"
            case UInt8(ascii: "\t"): "\\t"
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): "\\" + String(UnicodeScalar(byte))
            case 0x20..<0x7f: String(UnicodeScalar(byte))
            default: "\\x" + byte.hexDigits(2)
            }
        }
        return "\"" + text.joined() + (bytes.count > 32 ? "\"..." : "\"")
    }
}

// MARK: - Fields as text

extension Exchange {
    private func msrAccess(_ page: GHCBPage) -> [String] {
        let number = page.value(.rcx).map { UInt32(truncatingIfNeeded: $0) }
        let name = number.flatMap(MSRTable.name(of:)).map { ["(\($0))"] } ?? []
        let head = [info1 == 0 ? "read" : "write", number?.hex ?? "?"] + name
        return info1 == 0 ? head : head + [pair(page)]
    }

    /// EDX:EAX as one number.
    private func pair(_ page: GHCBPage) -> String {
        guard let low = page.value(.rax), let high = page.value(.rdx) else { return "?" }
        return (high << 32 | low & 0xffff_ffff).hex
    }

    private func text(_ page: GHCBPage, _ field: GHCBField) -> String {
        page.value(field)?.hex ?? "?"
    }

    /// A result that is negative when it is an error.
    private func signed(_ page: GHCBPage, _ field: GHCBField) -> String {
        guard let value = page.value(field).map(Int64.init(bitPattern:)) else { return "?" }
        return (-4096..<0).contains(value) ? "\(value)" : UInt64(bitPattern: value).hex
    }

    private func low(_ page: GHCBPage, _ field: GHCBField) -> String {
        page.value(field).map { UInt32(truncatingIfNeeded: $0).hex } ?? "?"
    }

    private func subleaf(_ page: GHCBPage) -> String {
        page.value(.rcx).map { String(UInt32(truncatingIfNeeded: $0)) } ?? "?"
    }

    private func padded(_ page: GHCBPage, _ field: GHCBField) -> String {
        page.value(field).map { "0x" + UInt32(truncatingIfNeeded: $0).hexDigits(8) } ?? "?"
    }

    private func features(_ page: GHCBPage) -> HypervisorFeatures {
        HypervisorFeatures(rawValue: page.raw(.swExitInfo2))
    }

    /// The infos of an event that has no form of its own, unless both are 0; the code of an unknown.
    private func plainRequest(_ page: GHCBPage) -> [String] {
        let code = exitCode?.name == nil ? [codeText] : []
        return info1 == 0 && info2 == 0 ? code : code + ["info1 \(info1.hex) info2 \(info2.hex)"]
    }
}
