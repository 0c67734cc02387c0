internal import Dispatch
internal import Synchronization
internal import SystemPackage

/// A thread for each vCPU of a VM: KVM wants each of them to be run by one thread alone.
///
/// They wait until they are given something to do, and end with this object.
final class VCPUThreads {
    private let workers: [Worker]

    /// Makes the threads of a schedule; `nil` where it has none, as for a single vCPU.
    ///
    /// - Throws: where the host has no more of them.
    init?(_ schedule: VCPUSchedule, count: Int) throws(KVMError) {
        guard schedule == .threads, count > 1 else { return nil }
        var workers: [Worker] = []
        for number in 0..<count {
            let worker = Worker()
            do throws(Thread.Failure) {
                try Thread.start { worker.serve() }
            } catch {
                for worker in workers { worker.end() }
                let errno = Errno(rawValue: error.errno)
                throw .failed(call: "pthread_create", on: "vCPU \(number)", errno)
            }
            workers.append(worker)
        }
        self.workers = workers
    }

    deinit { for worker in workers { worker.end() } }

    /// Calls the body for each of these vCPUs on its thread, at the same time, and waits for all.
    ///
    /// - Returns: the results, in the order of the numbers.
    func perform<Result>(_ numbers: [Int], _ body: @escaping (Int) -> Result) -> [Result] {
        let jobs = numbers.map { number in Job { body(number) } }
        for (number, job) in zip(numbers, jobs) { workers[number].start { job.run() } }
        return jobs.map { $0.result() }
    }
}

/// A thread that does one thing after the other.
private final class Worker: Sendable {
    private let next = Mutex<(@Sendable () -> Void)?>(nil)
    private let wakeup = DispatchSemaphore(value: 0)

    func serve() {
        while let body = take() { body() }
        Heartbeat.end()
    }

    func start(_ body: @escaping @Sendable () -> Void) {
        next.withLock { $0 = body }
        wakeup.signal()
    }

    /// Nothing to do is the end.
    func end() { wakeup.signal() }

    private func take() -> (@Sendable () -> Void)? {
        wakeup.wait()
        return next.withLock { body in
            defer { body = nil }
            return body
        }
    }
}

/// Something to do on another thread, and what came of it.
///
/// That thread writes while the one that made the job waits; the semaphore is between them.
private final class Job<Result>: @unchecked Sendable {
    private var body: (() -> Result)?
    private var value: Result?
    private let isDone = DispatchSemaphore(value: 0)

    init(_ body: @escaping () -> Result) { self.body = body }

    func run() {
        value = body?()
        // What the body holds is let go of here, and not when this thread finds time for it.
        body = nil
        isDone.signal()
    }

    func result() -> Result {
        isDone.wait()
        guard let value else { preconditionFailure("a job is done once") }
        return value
    }
}
