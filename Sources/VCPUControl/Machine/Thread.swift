internal import Glibc

/// A detached thread of the operating system; pthread_create(3).
package enum Thread {
    /// The host has no more threads.
    package struct Failure: Error {
        package let errno: Int32
    }

    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    package static func start(_ run: @escaping @Sendable () -> Void) throws(Failure) {
        var thread = pthread_t()
        let body = unsafe Unmanaged.passRetained(Body(run)).toOpaque()
        // The thread takes over the reference that is retained for it here.
        let status = unsafe pthread_create(
            &thread, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                let body = unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
                body.run()
                return nil
            }, body)
        guard status == 0 else {
            unsafe Unmanaged<Body>.fromOpaque(body).release()
            throw Failure(errno: status)
        }
        pthread_detach(thread)
    }
}
