import Foundation

/// A shell command that runs beside us, in our process group, so that ^C in the terminal reaches it too.
///
/// Foundation's Process is not used because a status is looked for every 2 ms, between looks at memory.
final class Spawned {
    let process: pid_t
    /// A file without a name, which goes away however we end.
    private let log: Int32
    private(set) var status: Int32?

    private(set) var peakMemory = PeakMemory()

    init(_ command: String, environment: [String: String]) throws {
        var name = Array("/tmp/martlet-bench-XXXXXX".utf8CString)
        log = mkstemp(&name)
        guard log >= 0, unlink(name) == 0 else { throw Failure("could not make a file in /tmp") }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, log, 1)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        // Threads of libdispatch block most signals, and a child would inherit that: pgbench would not hear its alarm.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let words: [String] = ["sh", "-c", command]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer {
            for text in arguments + variables { free(text) }
        }
        var process: pid_t = 0
        let failure = posix_spawn(&process, "/bin/sh", &actions, &attributes, &arguments, &variables)
        guard failure == 0 else { throw Failure("could not start sh: \(String(cString: strerror(failure)))") }
        self.process = process
    }

    deinit {
        if status == nil { kill(process, SIGTERM) }
        close(log)
    }

    /// What it has printed so far, at most 1 MiB.
    var output: String {
        let bytes = [UInt8](unsafeUninitializedCapacity: 1 << 20) { buffer, count in
            count = max(0, pread(log, buffer.baseAddress, buffer.count, 0))
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Waits for its end and returns the exit status, or minus the signal that ended it.
    func wait() async throws -> Int32 {
        var looks = 0
        while !hasEnded() {
            if looks % 25 == 0 { notePeak() }
            looks += 1
            try await Task.sleep(for: .milliseconds(2))
        }
        return status ?? -1
    }

    /// Whether it has ended.
    func hasEnded() -> Bool {
        guard status == nil else { return true }
        var word: Int32 = 0
        guard waitpid(process, &word, WNOHANG) == process else { return false }
        status = word & 0x7F == 0 ? word >> 8 & 0xFF : -(word & 0x7F)
        return true
    }

    /// Looks at the memory of the command's processes.
    func notePeak() {
        for process in ProcessTable.read().descendants(of: process) {
            peakMemory.note(process)
        }
    }

    /// Processor seconds of the command's processes that live, and of those they have waited for.
    var processorSeconds: Double {
        let table = ProcessTable.read()
        return table.descendants(of: process).map { table.seconds($0, withChildren: true) }.reduce(0, +)
    }

    /// Asks it to stop as ^C does, and waits for its end.
    func interrupt() async throws -> Int32 {
        kill(process, SIGINT)
        return try await wait()
    }
}
