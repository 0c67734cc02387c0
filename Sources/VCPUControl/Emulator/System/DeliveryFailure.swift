/// An event that did not reach its handler: the fault on the way, and what stood in the way.
struct DeliveryFailure: Error {
    var fault: Fault
    var obstacle: Obstacle

    enum Obstacle {
        case outsideIDT(UInt16)
        case unreadableIDT(UInt64)
        case noGate(type: UInt8)
        case gateLevel(UInt8)
        case gateNotPresent
        case badCodeSegment(UInt16)
        case handlerNotCanonical(UInt64)
        case outsideTSS(UInt32)
        case unreadableTSS(UInt64)
        case unwritableStack(UInt64)
    }

    init(_ fault: Fault, _ obstacle: Obstacle) {
        self.fault = fault
        self.obstacle = obstacle
    }
}

/// The exceptions that led to a shutdown, for the one sentence that users get.
struct DeliveryStory {
    private let first: Fault
    private let rip: UInt64
    private var failures: [DeliveryFailure] = []

    init(first: Fault, rip: UInt64) {
        self.first = first
        self.rip = rip
    }

    mutating func add(_ failure: DeliveryFailure) { failures.append(failure) }

    /// Names the first exception, where it happened, and why no handler was reached.
    var text: String {
        var text = "\(first) at \(hex(rip))"
        guard let reason = failures.first else { return text }
        text += ", not delivered: \(reason.obstacle)"
        if reason.fault.vector == 14 { text += " (\(reason.fault))" }
        if let last = failures.last, failures.count > 1 {
            text += "; nor was the #DF: \(last.obstacle)"
            if last.fault.vector == 14 { text += " (\(last.fault))" }
        }
        return text
    }
}

extension DeliveryFailure.Obstacle: CustomStringConvertible {
    var description: String {
        switch self {
        case .outsideIDT(let limit): "IDT limit \(limit)"
        case .unreadableIDT(let place): "the IDT entry at \(hex(place)) cannot be read"
        case .noGate(let type): "the IDT entry is no interrupt or trap gate (type \(hex(type)))"
        case .gateLevel(let level): "the gate is for CPL <= \(level)"
        case .gateNotPresent: "the gate is not present"
        case .badCodeSegment(let selector):
            "the gate's selector \(hex(selector)) is no present 64-bit code segment"
        case .handlerNotCanonical(let place): "the handler's address \(hex(place)) is not canonical"
        case .outsideTSS(let offset): "no stack pointer in the TSS at offset \(offset)"
        case .unreadableTSS(let place): "the TSS at \(hex(place)) cannot be read"
        case .unwritableStack(let place): "the stack at \(hex(place)) cannot be written"
        }
    }
}

/// A number as guests and debuggers write it.
private func hex(_ value: some BinaryInteger) -> String { "0x" + String(value, radix: 16) }

extension Fault: CustomStringConvertible {
    /// The name with error code and CR2: `#PF(0x2, CR2 0x5000)`.
    var description: String {
        var details: [String] = []
        if let errorCode { details.append(hex(errorCode)) }
        if vector == 14 { details.append("CR2 \(hex(address))") }
        let suffix = details.isEmpty ? "" : "(\(details.joined(separator: ", ")))"
        return "#" + Self.name(vector) + suffix
    }

    /// The mnemonic of an exception (APM volume 2, table 8-1).
    static func name(_ vector: UInt8) -> String {
        let names = [
            "DE", "DB", "NMI", "BP", "OF", "BR", "UD", "NM", "DF", "9", "TS", "NP", "SS", "GP",
            "PF", "15", "MF", "AC", "MC", "XF", "20", "CP", "22", "23", "24", "25", "26", "27",
            "HV", "VC", "SX", "31",
        ]
        return Int(vector) < names.count ? names[Int(vector)] : "\(vector)"
    }

    static let doubleFault = Fault(vector: 8, errorCode: 0)

    /// Whether delivery pushes an error code (APM volume 2, 8.2; #VC: REFERENCE 8c).
    static func pushesErrorCode(_ vector: UInt8) -> Bool {
        vector < 32 && 0x6022_7d00 as UInt32 >> UInt32(vector) & 1 != 0
    }

    /// The class that makes a #DF of two exceptions in a row (APM volume 2, table 8-3).
    var isContributory: Bool { [0, 10, 11, 12, 13, 29].contains(vector) }

    /// Whether `second`, raised while this one is delivered, makes a #DF.
    func escalates(with second: Fault) -> Bool {
        if vector == 14 { return second.isContributory || second.vector == 14 }
        return isContributory && second.isContributory
    }
}
