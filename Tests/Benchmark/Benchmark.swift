import Foundation
import VCPUControl

/// `make bench`: the emulator on the guest `spin`, with Unicorn on the same bytes in the same run.
@main
struct Benchmark {
    static let iterations: UInt64 = 10_000_000
    static let steps: UInt64 = 5_000_000
    static let rounds = 5

    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 5 else {
            throw Failure(text: "usage: Benchmark UNICORN TERMINAL KVM SEVDBG")
        }
        let anchor = Anchor(program: arguments[1])
        var rows = [Row("free run"), Row("step"), Row("step, read registers")]
        for _ in 0..<rounds {
            let unicorn = try anchor.run(iterations: iterations / 5)
            rows[0].add(try freeRun(), anchor: unicorn.counting)
            rows[1].add(try stepping(readingRegisters: false), anchor: unicorn.counting)
            rows[2].add(try stepping(readingRegisters: true), anchor: unicorn.reading)
        }
        print("guest spin, medians of \(rounds) rounds, million instructions a second")
        rows.forEach { print($0.text(beside: "Unicorn")) }
        try KVMBenchmark(helper: arguments[3]).report(rounds: rounds)
        try AttachBenchmark(helper: arguments[3], sevdbg: arguments[4])
            .report(rounds: rounds)
        try reportProtocol()
        try TerminalBenchmark(helper: arguments[2], sevdbg: arguments[4]).report(rounds: rounds)
    }

    /// The cost of a VMGEXIT to whoever watches: at most 5 microseconds.
    static func reportProtocol() throws {
        let benchmark = try ProtocolBenchmark()
        let measured = try (0..<rounds).map { _ in try benchmark.measure() }
        let decode = median(measured.map(\.decode))
        let copy = median(measured.map(\.copy))
        print(
            String(
                format: "decode and lint a VMGEXIT %.2f us, copy of 4 KiB %.2f us, ratio %.1f",
                decode, copy, decode / copy))
    }

    /// Instructions a second from the first instruction to the last.
    static func freeRun() throws -> Double {
        let machine = try machine()
        return try rate {
            while true {
                let exit = try machine.run(.all, limit: .max).exit
                guard exit != .limit else { continue }
                guard exit == .halt else { throw Failure(text: "spin stopped: \(exit)") }
                return machine.instructions(of: 0)
            }
        }
    }

    /// Steps a second through the seam; with all registers read after each, if asked for.
    static func stepping(readingRegisters: Bool) throws -> Double {
        let machine = try machine()
        var sum: UInt64 = 0
        let result = try rate {
            for _ in 0..<steps {
                guard case .limit = try machine.run(.one(0), limit: 1).exit else {
                    throw Failure(text: "spin is too short for \(steps) steps")
                }
                guard readingRegisters else { continue }
                if case .known(let registers, _) = machine.registers(of: 0) {
                    sum &+= registers[.rip]
                }
            }
            return steps
        }
        guard sum != 0 || !readingRegisters else { throw Failure(text: "no registers were read") }
        return result
    }

    static func machine() throws -> any Machine {
        let options = LaunchOptions(arguments: [.value(iterations)])
        let plan = try LaunchPlan(GuestImage.load("spin"), options)
        return try EmulatedMachine(
            plan, visibility: .full, interrupt: InterruptFlag(), seed: 0)
    }

    static func rate(_ work: () throws -> UInt64) rethrows -> Double {
        let clock = ContinuousClock()
        let start = clock.now
        let instructions = try work()
        return Double(instructions) / ((clock.now - start) / .seconds(1))
    }
}

/// Why a measurement could not be made.
struct Failure: Error, CustomStringConvertible {
    var text: String
    var description: String { text }
}

/// One line of the report.
struct Row {
    var name: String
    var own: [Double] = []
    var anchor: [Double] = []

    init(_ name: String) { self.name = name }

    mutating func add(_ value: Double, anchor other: Double) {
        own.append(value / 1e6)
        anchor.append(other / 1e6)
    }

    func text(beside other: String, digits: Int = 1) -> String {
        let (mine, theirs) = (median(own), median(anchor))
        let name = name.padding(toLength: 26, withPad: " ", startingAt: 0)
        let numbers = [mine, theirs].map { String(format: "%7.*f", digits, $0) }
        return name + "sevdbg \(numbers[0])  \(other) \(numbers[1])"
            + String(format: "  ratio %.2f", mine / theirs)
    }
}

func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

/// Unicorn on the bytes of the guest `spin`.
struct Anchor {
    var program: String

    func run(iterations: UInt64) throws -> (counting: Double, reading: Double) {
        let text = try withSpin { try output(of: program, [$0, String(iterations)]) }
        let numbers = text.split(whereSeparator: \.isWhitespace).compactMap { Double($0) }
        guard numbers.count == 4 else { throw Failure(text: "Unicorn printed: \(text)") }
        return (numbers[0] / numbers[1], numbers[2] / numbers[3])
    }
}

/// Writes the bytes of the guest `spin` to a file for the time of the body, which gets its path.
func withSpin<Result>(_ body: (String) throws -> Result) throws -> Result {
    let image = try GuestImage.load("spin")
    let file = FileManager.default.temporaryDirectory.appending(path: "spin-\(getpid()).bin")
    try Data(image.segments[0].bytes).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    return try body(file.path())
}
