/// An INT3 in the guest's code.
struct PlantedBreakpoint {
    /// What it replaces.
    var byte: UInt8
    /// The byte in RAM.
    let physical: UInt64
    /// The form in which the host wrote it; `nil` where the stub did, as the guest maps it.
    let view: MemoryView?
}

// Breakpoints: INT3 in the guest's code, at any time where the firmware lets the host write it; else
// the guest itself does, while a vCPU stands in the stub.
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
        let number = anyStopped()
        // The stub removes what is left over when a vCPU comes to it.
        if !decrypts, number == nil, new.isSubset(of: planted.keys) { return }
        do throws(MachineError) {
            try placeBreakpoints(number)
        } catch {
            breakpoints = before
            throw error
        }
    }

    /// Makes the INT3s in memory those that are wanted, by a vCPU in the stub where it takes one.
    func placeBreakpoints(_ number: Int?) throws(MachineError) {
        let landings = Set(vcpus.compactMap { $0.step?.landing })
        // The instruction of a step under way may still have to be decoded.
        let starts = vcpus.indices.filter(isStepping).compactMap { vcpus[$0].step?.start }
        let wanted = breakpoints.subtracting(abandoned).subtracting(starts)
        for place in planted.keys where !wanted.contains(place) && !landings.contains(place) {
            try lift(at: place, number)
        }
        for place in wanted { try plant(at: place, number) }
    }

    func plant(at place: UInt64, _ number: Int?) throws(MachineError) {
        guard planted[place] == nil else { return }
        planted[place] =
            decrypts ? try plantOutside(place) : try plantByStub(place, try writer(number))
    }

    /// Puts the guest's byte back.
    func lift(at place: UInt64, _ number: Int?) throws(MachineError) {
        guard let breakpoint = planted[place] else { return }
        if let view = breakpoint.view { return try liftOutside(breakpoint, view) }
        let write = StubCommand.write(GuestVirtualAddress(place), [breakpoint.byte])
        _ = try ask(write, of: try writer(number))
        planted[place] = nil
    }

    /// Takes a vCPU that stands behind an INT3 back to what the INT3 replaces.
    ///
    /// - Returns: its place; `nil` where the INT3 is the guest's own.
    func takeBack(_ number: Int) throws(MachineError) -> UInt64? {
        guard let report = vcpus[number].report else { return nil }
        let place = report.registers[.rip] &- 1
        guard let byte = try byteBelow(place, number) else { return nil }
        vcpus[number].report?.code = [byte] + report.code
        vcpus[number].report?.registers[.rip] = place
        return place
    }

    /// What an INT3 replaces that a vCPU has met; one that was removed while the vCPU was on its way
    /// to the stub is not there any more.
    private func byteBelow(_ place: UInt64, _ number: Int) throws(MachineError) -> UInt8? {
        if let breakpoint = planted[place] { return breakpoint.byte }
        let byte = try fetch(GuestVirtualAddress(place), count: 1, number)?.first
        return byte == Self.breakpointOpcode ? nil : byte
    }
}

// From outside.
extension StubbedMachine {
    private func plantOutside(_ place: UInt64) throws(MachineError) -> PlantedBreakpoint {
        // The guest may have changed its tables since they were read.
        cache = PrivateMemoryCache()
        guard let translation = lastTranslation(of: place) else {
            throw .refused(
                "no breakpoint can be at \(place.hex): the guest's page tables do not map it")
        }
        let (address, view) = (translation.address, translation.view)
        guard let byte = base.read(address, count: 1, as: view).value?.first else {
            throw .refused(
                "no breakpoint can be at \(place.hex): the guest maps it to \(address.rawValue.hex),"
                    + " where there is no RAM")
        }
        let other = planted.values.first { $0.physical == address.rawValue && $0.view == view }
        try base.write([Self.breakpointOpcode], to: address, as: view)
        return PlantedBreakpoint(
            byte: other?.byte ?? byte, physical: address.rawValue, view: view)
    }

    /// Removes an INT3, for all addresses that it is planted at.
    ///
    /// What the guest has written over it since stays as it is.
    private func liftOutside(
        _ breakpoint: PlantedBreakpoint, _ view: MemoryView
    ) throws(MachineError) {
        let address = GuestPhysicalAddress(breakpoint.physical)
        if base.read(address, count: 1, as: view).value == [Self.breakpointOpcode] {
            try base.write([breakpoint.byte], to: address, as: view)
        }
        cache = PrivateMemoryCache()
        planted = planted.filter {
            $0.value.physical != breakpoint.physical || $0.value.view != view
        }
    }
}

extension Translation {
    /// The form in which the guest uses the page.
    fileprivate var view: MemoryView { isPrivate ? .private : .shared }
}

// Through the stub.
extension StubbedMachine {
    private func plantByStub(
        _ place: UInt64, _ number: Int
    ) throws(MachineError) -> PlantedBreakpoint {
        let address = GuestVirtualAddress(place)
        guard let byte = try fetch(address, count: 1, number)?.first,
            try ask(.write(address, [Self.breakpointOpcode]), of: number)
        else {
            throw .refused(
                "no breakpoint can be at \(place.hex): the debug stub cannot reach the address")
        }
        let physical = translate(address, on: number).value??.address.rawValue ?? place
        return PlantedBreakpoint(byte: byte, physical: physical, view: nil)
    }

    private func writer(_ number: Int?) throws(MachineError) -> Int {
        if let number { return number }
        throw .refused(
            "a breakpoint cannot be set now: it is the debug stub that writes it, and no vCPU is"
                + " in it")
    }
}

// What hides them.
extension StubbedMachine {
    /// Bytes of the guest as they are without the debugger.
    func overlaid(_ bytes: [UInt8], at start: UInt64) -> [UInt8] {
        overlaid(bytes, planted.map { ($0.key &- start, $0.value.byte) })
    }

    /// The same for an address in RAM, whose page is looked at in one of its forms.
    func overlaid(
        _ bytes: [UInt8], atPhysical start: UInt64, as view: MemoryView
    ) -> [UInt8] {
        let there = planted.values.filter { $0.view ?? .private == view }
        return overlaid(bytes, there.map { ($0.physical &- start, $0.byte) })
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
