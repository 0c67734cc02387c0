/// Where the data of a string port access or an MMIO access lies.
enum ScratchArea: Sendable {
    /// In the shared buffer; the offset counts from the start of the page.
    case sharedBuffer(offset: Int)
    /// Elsewhere in guest memory, which version 1 allows: KVM works on a copy.
    case copy(of: GuestPhysicalAddress, bytes: [UInt8])
}

/// Data on its way between the scratch area and userspace, in one access or in several.
struct ScratchTransfer: Sendable {
    enum Target: Sendable {
        case port(IOIOInfo)
        case mmio(GuestPhysicalAddress, isRead: Bool)
    }

    let target: Target
    var area: ScratchArea
    /// Bytes in all; above 0.
    let length: Int
    var transferred = 0

    /// Whether data goes from userspace to the guest.
    var isInput: Bool {
        switch target {
        case .port(let info): info.isInput
        case .mmio(_, let isRead): isRead
        }
    }

    var isDone: Bool { transferred >= length }

    /// Bytes of the next access: KVM hands out MMIO by eight, ports by a page of whole units.
    private var chunk: Int {
        let limit =
            switch target {
            case .port(let info): 4096 / max(info.size, 1) * info.size
            case .mmio: 8
            }
        return min(limit, length - transferred)
    }

    /// The next access, with its data taken from the page or the copy.
    func step(page: GHCBPage) -> HypervisorModel.Step {
        let data = isInput ? [] : output(page)
        switch target {
        case .port(let info):
            let access = PortAccess(
                port: info.port, size: info.size, count: chunk / max(info.size, 1), data: data,
                isInput: isInput)
            return .io(access, page: page)
        case .mmio(let address, let isRead):
            let place = GuestPhysicalAddress(address.rawValue &+ UInt64(transferred))
            let access = MMIOAccess(address: place, length: chunk, data: data, isRead: isRead)
            return .mmio(access, page: page)
        }
    }

    /// Takes the answer to the access: input goes into the page or the copy.
    mutating func take(_ data: [UInt8], page: inout GHCBPage) {
        let count = chunk
        let start = transferred
        transferred += count
        guard isInput else { return }
        let input = data.padded(to: count)
        switch area {
        case .sharedBuffer(let offset): page.setScratch(input, at: offset + start)
        case .copy(let address, var bytes):
            // One owner: the bytes are changed in place.
            area = .copy(of: address, bytes: [])
            bytes.replaceSubrange(start..<start + count, with: input)
            area = .copy(of: address, bytes: bytes)
        }
    }

    private func output(_ page: GHCBPage) -> [UInt8] {
        switch area {
        case .sharedBuffer(let offset):
            Array(page.scratch(at: offset + transferred, count: chunk) ?? [])
        case .copy(_, let bytes): Array(bytes[transferred..<transferred + chunk])
        }
    }
}

extension [UInt8] {
    /// Exactly this many bytes; those that are missing are all ones, as where no device answers.
    func padded(to count: Int) -> [UInt8] {
        prefix(count) + [UInt8](repeating: 0xff, count: Swift.max(0, count - self.count))
    }
}
