import Foundation

/// A clock of one program that can be set while it runs: libfaketime, from Debian's package of that name.
///
/// Only the time of day jumps, as it does when somebody sets a machine's clock; monotonic clocks go on.
public struct WrongClock: Sendable {
    private let file: String

    /// martlet with this clock.
    ///
    /// env(1) is started first: when libfaketime is loaded it lengthens the environment, after which Swift does not find
    /// the arguments of its own process; in what is executed then it needs no more.
    public let program: MartletProgram

    /// A clock that is right, whose settings lie in `directory`; nil when libfaketime is not installed.
    public init?(directory: String) {
        let libraries = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib", "/usr/lib64"]
            .map { $0 + "/faketime/libfaketimeMT.so.1" }
        guard let library = libraries.first(where: FileManager.default.fileExists(atPath:)) else { return nil }
        file = directory + "/clock"
        var program = MartletProgram(environment: [
            "LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": file, "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        ])
        program.launcher = "/usr/bin/env"
        self.program = program
        guard FileManager.default.createFile(atPath: file, contents: Data("+0\n".utf8)) else { return nil }
    }

    /// Sets the clock to so many seconds after (or before) the right time.
    public func jump(seconds: Int) throws {
        let text = seconds < 0 ? "\(seconds)\n" : "+\(seconds)\n"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
    }

    /// Removes what libfaketime leaves behind of a program that has ended.
    public func clean(after process: Int32) {
        for name in ["faketime_shm_", "sem.faketime_sem_"] { unlink("/dev/shm/\(name)\(process)") }
    }
}
