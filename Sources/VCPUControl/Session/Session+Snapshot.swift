// All that a screen shows, as one value.
extension Session {
    /// The guest as it stands, seen from the current vCPU.
    package func snapshot(_ request: SnapshotRequest = SnapshotRequest()) -> Snapshot {
        Snapshot(
            request: request, setup: attached == nil ? options.setup : nil,
            machine: machine.traits.name,
            guest: configuration.image.name, vcpus: (0..<machine.vcpuCount).map(vcpu),
            current: current, registers: machine.registers(of: current),
            system: machine.systemRegisters(of: current),
            code: request.code.map(code(around:)) ?? codeAtRIP,
            memory: request.memory.map(window), ghcbMSR: ghcbMSR(of: current),
            ghcbPage: ghcbPage(of: current), lastExchange: exchanges.last(of: current),
            instructions: instructionCount, vmgexits: exchanges.count,
            breakpoints: breakpoints.all.map(\.number), setups: GHCBSetup.allCases.filter(canHave))
    }

    func vcpu(_ number: Int) -> Snapshot.VCPU {
        let rip = machine.registers(of: number).map { GuestVirtualAddress($0[.rip]) }
        let isOutside = states[number] == .ready && machine.isOutside(number)
        return Snapshot.VCPU(
            number: number, state: isOutside ? .outside : states[number], rip: rip,
            symbol: rip.value.flatMap(symbols.describe),
            instructions: count(machine.instructions(of: number)))
    }

    /// The address that an expression means on the current vCPU, as `x` takes it.
    package func locate(_ text: String) -> Result<GuestVirtualAddress, CommandFailure> {
        do throws(CommandFailure) {
            return .success(try address(CommandParser.place(text)))
        } catch { return .failure(error) }
    }
}
