// The KVM selftests' ucall: SEV-ES guests send its pointer by a string OUT, others by an IN.

extension Linter {
    /// The IN of the plain ucall right behind the string OUT that has done all that was to do.
    mutating func ucallBreaches(_ exchange: Exchange) -> [Breach] {
        let access = Self.ucallAccess(exchange)
        let isBehindUcall = vcpus[exchange.vcpu]?.hasSentUcall ?? false
        let isUcall = access.map { $0.isString && !$0.isInput } ?? false
        vcpus[exchange.vcpu, default: .init()].hasSentUcall = isUcall && exchange.outcome == .ok
        guard isBehindUcall, let access, access.isInput, !access.isString else { return [] }
        let fact =
            "IN from port \(UInt64(access.port).hex) right after the string OUT of a ucall: the"
            + " plain ucall passes its pointer in RDI, which the host of an SEV-ES guest cannot see"
        return [Breach(.ucallFallsThrough, fact, key: "")]
    }

    /// The port access, if it is one and to the ucall's port.
    private static func ucallAccess(_ exchange: Exchange) -> IOIOInfo? {
        guard let page = exchange.requestPage, exchange.exitCode == .ioio else { return nil }
        let info = IOIOInfo(rawValue: page.raw(.swExitInfo1))
        return info.port == Devices.ucallPort ? info : nil
    }
}
