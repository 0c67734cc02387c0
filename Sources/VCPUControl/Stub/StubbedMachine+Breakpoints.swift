/// An INT3 in the guest's code.
struct PlantedBreakpoint {
    /// What it replaces.
    var byte: UInt8
    /// The byte in RAM.
    let physical: UInt64
}

// Breakpoints: INT3, written into the guest's code by the guest itself.
extension StubbedMachine {
    static let breakpointOpcode: UInt8 = 0xcc

    package func setBreakpoints(_ addresses: Set<GuestVirtualAddress>) throws(MachineError) {
        let new = Set(addresses.map(\.rawValue))
        if let place = new.first(where: stub.handlers.contains) {
            throw .refused(
                "no breakpoint can be at \(place.hex): it is inside the debug stub, which cannot"
                    + " stop itself")
        }
        let before = breakpoints
        breakpoints = new
        abandoned.formIntersection(new)
        // The stub removes what is left over when a vCPU comes to it.
        guard let number = anyStopped() else {
            if new.isSubset(of: planted.keys) { return }
            breakpoints = before
            throw .refused(
                "a breakpoint cannot be set now: it is the debug stub that writes it, and no vCPU"
                    + " is in it")
        }
        do throws(MachineError) {
            try placeBreakpoints(number)
        } catch {
            breakpoints = before
            throw error
        }
    }

    /// Makes the INT3s in memory those that are wanted.
    func placeBreakpoints(_ number: Int) throws(MachineError) {
        let landings = Set(vcpus.compactMap { $0.step?.landing })
        let wanted = breakpoints.subtracting(abandoned)
        for place in planted.keys where !wanted.contains(place) && !landings.contains(place) {
            try lift(at: place, number)
        }
        for place in wanted where planted[place] == nil { try plant(at: place, number) }
    }

    func plant(at place: UInt64, _ number: Int) throws(MachineError) {
        guard planted[place] == nil else { return }
        let address = GuestVirtualAddress(place)
        guard let byte = try fetch(address, count: 1, number)?.first,
            try ask(.write(address, [Self.breakpointOpcode]), of: number)
        else {
            throw .refused(
                "no breakpoint can be at \(place.hex): the debug stub cannot reach the address")
        }
        let physical = translate(address, on: number).value??.address.rawValue ?? place
        planted[place] = PlantedBreakpoint(byte: byte, physical: physical)
    }

    /// Puts the guest's byte back.
    func lift(at place: UInt64, _ number: Int) throws(MachineError) {
        guard let byte = planted.removeValue(forKey: place)?.byte else { return }
        _ = try ask(.write(GuestVirtualAddress(place), [byte]), of: number)
    }

    /// A vCPU that stands behind an INT3 stands on what the INT3 replaces.
    func moveBack(_ number: Int, to place: UInt64) {
        guard let code = vcpus[number].report?.code else { return }
        vcpus[number].report?.code = [planted[place]?.byte ?? Self.breakpointOpcode] + code
        vcpus[number].report?.registers[.rip] = place
    }

    /// Bytes of the guest as they are without the debugger.
    func overlaid(_ bytes: [UInt8], at start: UInt64) -> [UInt8] {
        overlaid(bytes, planted.map { ($0.key &- start, $0.value.byte) })
    }

    /// The same for an address in RAM.
    func overlaid(_ bytes: [UInt8], atPhysical start: UInt64) -> [UInt8] {
        overlaid(bytes, planted.values.map { ($0.physical &- start, $0.byte) })
    }

    private func overlaid(
        _ bytes: [UInt8], _ originals: [(offset: UInt64, byte: UInt8)]
    ) -> [UInt8] {
        var bytes = bytes
        for (offset, byte) in originals where offset < UInt64(bytes.count) {
            bytes[Int(offset)] = byte
        }
        return bytes
    }
}
