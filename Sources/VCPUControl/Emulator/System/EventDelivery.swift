/// Delivery of exceptions and software interrupts through the guest's 64-bit IDT
/// (APM volume 2, 8.9).
extension EmulatedVCPU {
    /// Delivers an exception: the next instruction is the handler's.
    ///
    /// A fault on the way becomes #DF by the table of APM volume 2, 8.2.9, and a third one is a
    /// shutdown.
    /// - Returns: `nil` when delivered, else the shutdown.
    mutating func deliver(_ fault: Fault) -> CoreExit? {
        var current = fault
        var story = DeliveryStory(first: fault, rip: rip)
        while true {
            if current.vector == 14 { system.cr2 = current.address }
            do throws(DeliveryFailure) {
                try enterHandler(Event(current))
                return nil
            } catch {
                story.add(error)
                if error.fault.vector == 14 { system.cr2 = error.fault.address }
                if current.vector == 8, error.fault.isContributory || error.fault.vector == 14 {
                    return .shutdown(story.text)
                }
                current = current.escalates(with: error.fault) ? .doubleFault : error.fault
            }
        }
    }

    /// Delivers INT n, INT3: a fault on the way is the instruction's own.
    mutating func softwareInterrupt(_ vector: UInt8, length: UInt8) throws(Fault) {
        var event = Event(vector: vector)
        event.isSoftware = true
        let start = rip
        rip &+= UInt64(length)
        do throws(DeliveryFailure) {
            try enterHandler(event)
        } catch {
            rip = start
            throw error.fault
        }
        events.suppressesTrap = true
    }

    /// Goes through the IDT; changes nothing when it fails, but for accessed bits.
    private mutating func enterHandler(_ event: Event) throws(DeliveryFailure) {
        let gate = try readGate(event)
        let target = try handlerSegment(gate, event)
        let level = target.isConforming ? system.cpl : target.level
        let top = try handlerStack(gate, level: level, event)
        guard Self.isCanonical(gate.offset) else {
            throw .init(.generalProtection(event.external), .handlerNotCanonical(gate.offset))
        }
        try push(event, to: top, level: level)
        if level != system.cpl {
            system.ss = Self.nullStack(UInt16(level), level: level)
        }
        gpr[4] = top &- (event.errorCode == nil ? 40 : 48)
        system.cs = target.segment(gate.selector & 0xfffc | UInt16(level))
        var cleared = FlagBits.trap | FlagBits.nestedTask | FlagBits.resume | FlagBits.virtual8086
        if gate.isInterrupt { cleared |= FlagBits.interrupt }
        flags.value &= ~cleared
        if event.vector == 29, let code = event.errorCode {
            events.hasDeliveredVC = true
            events.watch(.vcDelivered(errorCode: code, errorCodeAt: gpr[4]))
        }
        rip = gate.offset
        memory.setUser(system.cpl == 3)
    }

    /// Reads the gate of a vector and checks it.
    private mutating func readGate(_ event: Event) throws(DeliveryFailure) -> Gate {
        let offset = UInt64(event.vector) * 16
        let code = event.gateCode
        guard offset + 15 <= UInt64(system.idtr.limit) else {
            throw .init(.generalProtection(code), .outsideIDT(system.idtr.limit))
        }
        let place = system.idtr.base &+ offset
        let gate: Gate
        do throws(Fault) {
            gate = Gate(low: try loadSystem(place), high: try loadSystem(place &+ 8))
        } catch { throw .init(error, .unreadableIDT(place)) }
        guard gate.isValidType else {
            throw .init(.generalProtection(code), .noGate(type: gate.type))
        }
        guard !event.isSoftware || gate.level >= system.cpl else {
            throw .init(.generalProtection(code), .gateLevel(gate.level))
        }
        guard gate.isPresent else { throw .init(.notPresent(code), .gateNotPresent) }
        return gate
    }

    /// Finds the handler's code segment: 64-bit code that is not less privileged.
    private mutating func handlerSegment(
        _ gate: Gate, _ event: Event
    ) throws(DeliveryFailure) -> Descriptor {
        let code = Self.code(gate.selector, external: event.external)
        let bad = DeliveryFailure.Obstacle.badCodeSegment(gate.selector)
        guard !Self.isNull(gate.selector) else {
            throw .init(.generalProtection(event.external), bad)
        }
        do throws(Fault) {
            var found = try descriptor(gate.selector, external: event.external)
            guard found.isCode, found.level <= system.cpl, found.isLong, !found.isDefault32 else {
                throw .generalProtection(code)
            }
            guard found.isPresent else { throw .notPresent(code) }
            try markAccessed(gate.selector, &found)
            return found
        } catch { throw .init(error, bad) }
    }

    /// The aligned stack pointer before the frame: from the IST, from the TSS, or the current one.
    private mutating func handlerStack(
        _ gate: Gate, level: UInt8, _ event: Event
    ) throws(DeliveryFailure) -> UInt64 {
        var stack = gpr[4]
        if let offset = gate.stackOffset(level: level, current: system.cpl) {
            guard offset + 7 <= system.tr.limit, system.tr.attributes & 0x80 != 0 else {
                let code = Self.code(system.tr.selector, external: event.external)
                throw .init(Fault(vector: 10, errorCode: code), .outsideTSS(offset))
            }
            let place = system.tr.base &+ UInt64(offset)
            do throws(Fault) { stack = try loadSystem(place) } catch {
                throw .init(error, .unreadableTSS(place))
            }
        }
        return stack & ~15
    }

    /// Pushes the frame at the handler's privilege; nothing is written when that fails.
    private mutating func push(
        _ event: Event, to top: UInt64, level: UInt8
    ) throws(DeliveryFailure) {
        let old = flags.value & ~FlagBits.resume
        let pushedFlags = event.setsResume ? old | FlagBits.resume : flags.value
        let frame: InlineArray<6, UInt64> = [
            UInt64(system.ss.selector), gpr[4], pushedFlags, UInt64(system.cs.selector), rip,
            event.errorCode ?? 0,
        ]
        let count = event.errorCode == nil ? 5 : 6
        let bottom = top &- UInt64(count * 8)
        let wasUser = memory.isUser
        memory.setUser(level == 3)
        defer { memory.setUser(wasUser) }
        do throws(Fault) {
            try check(bottom, count: count * 8, .write, .ss)
            for index in 0..<count {
                try store(frame[index], at: top &- UInt64((index + 1) * 8), .ss)
            }
        } catch {
            let code = error.vector == 12 ? Fault.stack(event.external) : error
            throw .init(code, .unwritableStack(bottom))
        }
    }
}

/// An event on its way to a handler.
struct Event {
    var vector: UInt8
    /// What is pushed behind the frame; `nil`: nothing.
    var errorCode: UInt64?
    /// INT n and INT3: the gate's privilege level counts.
    var isSoftware = false
    /// Whether RF is set in the pushed flags: faults, but no traps and no interrupts.
    var setsResume = false

    /// The EXT bit of error codes: the event is not the program's own INT.
    var external: UInt64 { isSoftware ? 0 : 1 }
    /// The error code that names the event's gate.
    var gateCode: UInt64 { UInt64(vector) << 3 | 2 | external }

    init(vector: UInt8) { self.vector = vector }

    init(_ fault: Fault) {
        vector = fault.vector
        errorCode = Fault.pushesErrorCode(vector) ? fault.errorCode ?? 0 : nil
        setsResume = !fault.isTrap
    }
}

/// A 16-byte gate of the IDT.
private struct Gate {
    var low: UInt64
    var high: UInt64

    var offset: UInt64 { low & 0xffff | low >> 32 & 0xffff_0000 | high << 32 }
    var selector: UInt16 { UInt16(low >> 16 & 0xffff) }
    var stackTable: UInt32 { UInt32(low >> 32 & 7) }
    /// Type with the S bit, which is 0 for a gate.
    var type: UInt8 { UInt8(low >> 40 & 0x1f) }
    var level: UInt8 { UInt8(low >> 45 & 3) }
    var isPresent: Bool { low >> 47 & 1 != 0 }
    var isInterrupt: Bool { type == Descriptor.SystemType.interruptGate }
    var isValidType: Bool { isInterrupt || type == Descriptor.SystemType.trapGate }

    /// Where in the TSS the handler's stack pointer lies; `nil`: the current stack is used.
    func stackOffset(level: UInt8, current: UInt8) -> UInt32? {
        if stackTable != 0 { return 28 + stackTable * 8 }
        return level == current ? nil : 4 + UInt32(level) * 8
    }
}
