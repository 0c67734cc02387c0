// Events that userspace answers: ports and MMIO, and the scratch area (REFERENCE 3a, 3b, 3c).

extension HypervisorModel {
    /// IN, OUT and their string forms; a size of 0 is resumed without a word.
    mutating func portAccess(_ exchange: PageExchange, memory: inout some HostMemory) -> Step {
        let info = IOIOInfo(rawValue: exchange.info1)
        guard info.size > 0 else { return exchange.resumed() }
        guard !info.isString else { return stringAccess(exchange, info, memory: &memory) }
        let data = info.isInput ? [] : exchange.registers[.rax].littleEndianBytes(info.size)
        let access = PortAccess(
            port: info.port, size: info.size, count: 1, data: data, isInput: info.isInput)
        var waiting = exchange
        waiting.pending = info.isInput ? .portInput(size: info.size) : .portOutput
        open[exchange.request.vcpu] = .page(waiting)
        return .io(access, page: exchange.response)
    }

    /// INS and OUTS: SW_EXITINFO2 units through the scratch area; none is resumed without a word.
    private mutating func stringAccess(
        _ exchange: PageExchange, _ info: IOIOInfo, memory: inout some HostMemory
    ) -> Step {
        let (length, overflow) = exchange.info2.multipliedReportingOverflow(by: UInt64(info.size))
        let isBounded = behaviour.specifies(.stringLength)
        let limit = isBounded ? .max : UInt64(Int32.max)
        guard !overflow, exchange.info2 <= limit, length <= limit else {
            guard !isBounded else { return exchange.malformed(.invalidScratchArea) }
            return exchange.ended(
                .runFailed(
                    errno: Self.invalidArgument,
                    "string port access with SW_EXITINFO2 \(exchange.info2.hex): more than INT_MAX"
                        + " bytes, KVM_RUN fails with EINVAL"))
        }
        guard length > 0 else { return exchange.resumed() }
        return transfer(exchange, .port(info), length: length, memory: &memory)
    }

    /// MMIO at SW_EXITINFO1, SW_EXITINFO2 bytes; none is resumed without a word.
    ///
    /// KVM asks userspace whatever the address, RAM or not.
    mutating func mmioAccess(_ exchange: PageExchange, memory: inout some HostMemory) -> Step {
        guard exchange.info2 > 0 else { return exchange.resumed() }
        guard ghcbVersion < 2 || exchange.info2 <= 8 else {
            return exchange.malformed(.invalidInput)
        }
        let target = ScratchTransfer.Target.mmio(
            GuestPhysicalAddress(exchange.info1), isRead: exchange.code == .mmioRead)
        return transfer(exchange, target, length: exchange.info2, memory: &memory)
    }

    private mutating func transfer(
        _ exchange: PageExchange, _ target: ScratchTransfer.Target, length: UInt64,
        memory: inout some HostMemory
    ) -> Step {
        switch scratchArea(of: exchange, length: length, memory: memory) {
        case .success(let area):
            var waiting = exchange
            let transfer = ScratchTransfer(target: target, area: area, length: Int(length))
            waiting.pending = .transfer(transfer)
            open[exchange.request.vcpu] = .page(waiting)
            return transfer.step(page: exchange.response)
        case .failure(.invalid): return exchange.malformed(.invalidScratchArea)
        case .failure(.notReadable):
            guard !behaviour.specifies(.scratchNoRAM) else {
                return exchange.malformed(.invalidScratchArea)
            }
            return exchange.ended(
                .runFailed(
                    errno: Self.badAddress,
                    "no RAM behind the \(length.hex) bytes of scratch area at"
                        + " \(exchange.input(.swScratch).hex): KVM_RUN fails with EFAULT"))
        }
    }
}

// MARK: - Scratch area

extension HypervisorModel {
    private enum ScratchError: Error { case invalid, notReadable }

    /// The longest scratch area outside the page, 64 KiB.
    static let scratchLimit: UInt64 = 0x10000

    /// Where the scratch area is; its length is above 0.
    ///
    /// An area that begins in the page must lie in the shared buffer as a whole. One elsewhere is
    /// for version 1 only: KVM copies it.
    private func scratchArea(
        of exchange: PageExchange, length: UInt64, memory: some HostMemory
    ) -> Result<ScratchArea, ScratchError> {
        let start = exchange.input(.swScratch)
        let (end, overflow) = start.addingReportingOverflow(length)
        guard start != 0, !overflow else { return .failure(.invalid) }
        guard start & ~0xfff == exchange.request.msr else {
            let isUnlimited = behaviour.specifies(.scratchLimit)
            guard ghcbVersion < 2, isUnlimited || length <= Self.scratchLimit else {
                return .failure(.invalid)
            }
            let place = GuestPhysicalAddress(start)
            let bytes = Int(exactly: length).flatMap { memory.read(place, count: $0) }
            return bytes.map { .success(.copy(of: place, bytes: $0)) } ?? .failure(.notReadable)
        }
        let buffer = GHCBPage.sharedBufferRange
        let offset = Int(start & 0xfff)
        guard offset >= buffer.lowerBound, end <= exchange.request.msr + UInt64(buffer.upperBound)
        else { return .failure(.invalid) }
        return .success(.sharedBuffer(offset: offset))
    }
}

// MARK: - Going on

extension HypervisorModel {
    /// Goes on with what waited for userspace.
    mutating func proceed(
        with waiting: consuming PageExchange, data: [UInt8], memory: inout some HostMemory
    ) -> Step {
        var exchange = waiting
        let pending = exchange.pending
        // A copy of the scratch area has one owner, or each part of it would copy it anew.
        exchange.pending = nil
        switch consume pending {
        case .portInput(let size):
            let rax = exchange.registers[.rax]
            exchange.registers[.rax] = Self.merge(data, size, into: rax)
        case .transfer(var transfer):
            transfer.take(data, page: &exchange.response)
            guard transfer.isDone else {
                exchange.pending = .transfer(transfer)
                open[exchange.request.vcpu] = .page(exchange)
                return transfer.step(page: exchange.response)
            }
            Self.writeBack(transfer, &exchange, memory: &memory)
        case .portOutput, .resetHold, nil: break
        }
        return exchange.resumed()
    }

    /// KVM puts up to three bytes into the RAX that it has; more replace all of it.
    private static func merge(_ data: [UInt8], _ size: Int, into rax: UInt64) -> UInt64 {
        let kept = size < 4 ? rax.littleEndianBytes(8).dropFirst(size) : []
        return UInt64(littleEndian: data.padded(to: size) + kept)
    }

    /// Input that belongs outside the page is written just before the guest runs on.
    private static func writeBack(
        _ transfer: ScratchTransfer, _ exchange: inout PageExchange, memory: inout some HostMemory
    ) {
        guard transfer.isInput, case .copy(let address, let bytes) = transfer.area else { return }
        // As in KVM, nobody hears of a failure: the bytes were there when they were read.
        _ = memory.write(bytes, to: address)
        // The area may reach into the page.
        exchange.refresh(from: memory)
    }
}
