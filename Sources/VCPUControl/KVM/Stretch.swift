/// Instructions in a row that KVM may execute at once: plain ones, and no branch.
///
/// All are known before the first is executed: a memory operand is one only where no instruction
/// before it changes its address.
struct Stretch {
    let start: UInt64
    /// The address behind the last, in the page of the first: where KVM has to stop.
    private(set) var end: UInt64
    private(set) var count: UInt64 = 0
    private(set) var hasVectors = false
    /// The general registers that have other values than at the start.
    private var changed: RegisterSet = []
    /// The first address behind the instructions that one of them reads: a patch must not lie there.
    private var ceiling = UInt64.max

    init(at start: UInt64) { (self.start, end) = (start, start) }

    /// Appends the next instruction, if KVM may execute it together with the others.
    ///
    /// `data` is where it reads or writes in the page that the code is in, by the code's address.
    mutating func append(_ next: Instruction, data: UInt64?) -> Bool {
        let newEnd = end + UInt64(next.length)
        if let data, data + Self.accessSize > newEnd { ceiling = min(ceiling, data) }
        guard (start ^ newEnd) >> 12 == 0, newEnd < ceiling,
            changed.isDisjoint(with: next.addressing)
        else { return false }
        changed.formUnion(next.changed)
        hasVectors = hasVectors || next.operation == .vector
        (end, count) = (newEnd, count + 1)
        return true
    }

    /// Bytes that a plain instruction reads or writes at most.
    private static let accessSize: UInt64 = 16
}

extension EmulatedVCPU {
    /// As many instructions from RIP on as KVM may execute at once, the first of them a plain one.
    ///
    /// Ends before a breakpoint, before what is not decoded yet, and short of the page's end. Nothing is executed: RIP and RSP, by
    /// which instructions are judged, are moved for that alone. Nor does it go over one that is
    /// refused: KVM does not know it.
    ///
    /// - Returns: `nil` where it has to be stepped.
    mutating func stretch(
        from first: Instruction, limit: UInt64, _ isRefused: (Instruction) -> Bool
    ) -> Stretch? {
        let (start, stack) = (rip, gpr[4])
        defer { (rip, gpr[4]) = (start, stack) }
        var stretch = Stretch(at: start)
        var next = first
        while stretch.append(next, data: dataInCode(next)) {
            rip = stretch.end
            gpr[4] &+= next.stackMovement
            guard stretch.count < limit, rip & 0xfff <= Self.lastWhole,
                !memory.guest.code.hasBreakpoint(at: rip),
                let following = decodedInstruction(), !following.isBranch, !isRefused(following),
                isPlain(following)
            else { break }
            next = following
        }
        return stretch.count > 0 ? stretch : nil
    }

    /// The last page offset whose instruction, whatever it is, lies in the page.
    private static let lastWhole: UInt64 = 0xff1

    /// How many instructions of a stretch, which starts at RIP, lie before an address; `nil` where
    /// none of them starts or ends there.
    func instructions(of stretch: Stretch, to place: UInt64) -> UInt64? {
        guard let slots = unsafe window.slots, stretch.start...stretch.end ~= place else {
            return nil
        }
        var (next, count) = (stretch.start, UInt64(0))
        while next < place {
            next += UInt64(unsafe slots[Int(next & 0xfff)].length)
            count += 1
        }
        return next == place ? count : nil
    }

    /// Puts a byte into the code of RIP's page while the body runs.
    ///
    /// Nobody sees it: the instructions that KVM executes then do not read it, and no other vCPU
    /// runs.
    func patching<Result>(_ patch: UInt8?, at address: UInt64, _ body: () -> Result) -> Result {
        guard let patch else { return body() }
        let place = unsafe memory.guest.base + (window.page << 12 | Int(address & 0xfff))
        let original = unsafe place.load(as: UInt8.self)
        unsafe place.storeBytes(of: patch, as: UInt8.self)
        defer { unsafe place.storeBytes(of: original, as: UInt8.self) }
        return body()
    }

    /// Where a plain instruction reads or writes, by the address of the code in the same page.
    private mutating func dataInCode(_ i: Instruction) -> UInt64? {
        guard let address = accessed(i) else { return nil }
        let host = unsafe memory.entry(for: address).pointee.addend &+ address
        let page = unsafe UInt64(UInt(bitPattern: memory.guest.base)) + UInt64(window.page) << 12
        return host & ~0xfff == page ? rip & ~0xfff | host & 0xfff : nil
    }

    private mutating func accessed(_ i: Instruction) -> UInt64? {
        switch i.operation {
        case .lea, .lea32, .lea64: nil
        case .push, .push64r: gpr[4] &- 8
        case .pop, .pop64r: gpr[4]
        case .leave: gpr[5]
        default: i.hasMemory ? effectiveAddress(i) : nil
        }
    }
}

/// General registers by their numbers.
struct RegisterSet: OptionSet {
    let rawValue: UInt32

    static let (rax, rcx, rdx) = (Self(rawValue: 1), Self(rawValue: 2), Self(rawValue: 4))
    static let (rsp, rbp) = (Self(rawValue: 0x10), Self(rawValue: 0x20))

    /// Base or index of a memory operand.
    static func address(_ number: UInt8) -> Self {
        number == Instruction.noRegister ? [] : Self(rawValue: 1 << number)
    }

    /// An operand; AH to BH have the numbers from 16 on.
    static func operand(_ number: UInt8) -> Self { Self(rawValue: 1 << (number & 15)) }
}

extension Instruction {
    /// The registers that the address of a plain instruction's memory operand is made of.
    fileprivate var addressing: RegisterSet {
        switch operation {
        case .push, .push64r, .pop, .pop64r: .rsp
        case .leave: .rbp
        case .lea, .lea32, .lea64: []
        default: [.address(base), .address(index)]
        }
    }

    /// How a plain instruction moves RSP, where that is known.
    var stackMovement: UInt64 {
        let size: UInt64 = width == 2 ? 2 : 8
        return switch operation {
        case .push, .push64r: 0 &- size
        case .pop, .pop64r: size
        default: 0
        }
    }

    /// The registers that a plain instruction changes, or more; without the known movement of RSP.
    var changed: RegisterSet {
        let first: RegisterSet = hasMemoryDestination ? [] : .operand(destination)
        return switch operation {
        case .cmp, .test, .clc, .stc, .cmc, .cld, .std, .sahf, .push, .push64r: []
        case .mul, .multiply: [.rax, .rdx]
        case .extendAccumulator, .lahf: .rax
        case .extendIntoData: .rdx
        case .leave: [.rsp, .rbp]
        case .xchg, .xadd: [first, .operand(source)]
        case .cmpxchg: [first, .rax]
        default: first
        }
    }
}
