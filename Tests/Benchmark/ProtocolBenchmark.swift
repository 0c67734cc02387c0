import Foundation
import VCPUControl

/// Decode and lint of VMGEXITs, beside a copy of the 4 KiB that each hands over.
///
/// The VMGEXITs are those that built-in guests make on the emulator.
struct ProtocolBenchmark {
    private let exchanges: [Exchange]
    private static let guests = ["cpuid", "ioio", "msr", "mmio", "hv-features", "nested-vc"]
    private static let repetitions = 200

    init() throws {
        exchanges = try Self.guests.flatMap { name in
            try Self.exchanges(of: GuestImage.load(name))
        }
    }

    /// Microseconds for one VMGEXIT, and for one copy.
    func measure() throws -> (decode: Double, copy: Double) {
        (try microseconds(decodeAndLint), try microseconds(copy))
    }

    /// From the bytes of the page to the line that a user reads and the findings.
    private func decodeAndLint() -> Int {
        var linter = Linter(Linter.VM(resetMSR: 0))
        var sum = 0
        for (sequence, exchange) in exchanges.enumerated() {
            let context = VMGEXITContext(mapping: .shared, msrs: [exchange.msr])
            sum += exchange.summary.utf8.count + exchange.requestFields.count
            sum += linter.observe(.exchange(sequence: sequence, exchange, context)).count
        }
        return sum
    }

    private func copy() -> Int {
        exchanges.reduce(0) { sum, exchange in
            guard let page = exchange.requestPage else { return sum }
            // The write makes the array copy its bytes.
            var bytes = page.bytes
            bytes[0] &+= 1
            return sum + Int(bytes[0]) + bytes.count
        }
    }

    private func microseconds(_ work: () -> Int) throws -> Double {
        let clock = ContinuousClock()
        let start = clock.now
        var sum = 0
        for _ in 0..<Self.repetitions { sum += work() }
        let time = (clock.now - start) / .microseconds(1)
        guard sum > 0 else { throw Failure(text: "the guests made no VMGEXIT") }
        return time / Double(Self.repetitions * exchanges.count)
    }

    private static func exchanges(of image: GuestImage) throws -> [Exchange] {
        let machine = try EmulatedMachine(
            LaunchPlan(image, LaunchOptions()), visibility: .full, interrupt: InterruptFlag(),
            seed: 0)
        let devices = Devices()
        var exchanges: [Exchange] = []
        while true {
            let (vcpu, exit) = try machine.run(.all, limit: .max)
            switch exit {
            case .vmgexit(let exchange): exchanges.append(exchange)
            case .io(let access): try machine.complete(vcpu, with: devices.answer(access).data)
            case .mmio(let access): try machine.complete(vcpu, with: devices.answer(access).data)
            case .limit, .halt: continue
            case .idle: return exchanges
            default: throw Failure(text: "\(image.name) stopped: \(exit)")
            }
        }
    }
}
