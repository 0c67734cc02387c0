import Testing

@Suite("attach --observe")
struct ObserveTests {
    @Test("a process that cannot be observed is status 5, with the reason")
    func noProcess() throws {
        let run = try ProgramRun(["attach", "2147483647", "--observe"])
        #expect(run.status == 5)
        #expect(run.output.isEmpty)
        #expect(run.errors.contains("there is no process 2147483647"))
        let own = try ProgramRun(["attach", "1", "--observe", "--json"])
        #expect(own.status == 5)
        #expect(own.errors.contains("process 1 "))
    }

    @Test(
        "usage errors are status 64",
        arguments: [
            ["attach"], ["attach", "x", "--observe"], ["attach", "1", "--observe", "--for", "0"],
            ["attach", "1", "--observe", "--for", "nan"],
        ])
    func usage(arguments: [String]) throws {
        #expect(try ProgramRun(arguments).status == 64)
    }
}
