import ArgumentParser
import Foundation
import Move
import Postgres

/// The server that is moved from.
struct SourceOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Connection string of the database that is moved from; or MARTLET_SOURCE.",
            valueName: "connection"
        )
    )
    var source: String?

    func connection() throws -> ConnectionString {
        try Environment.connection(source, or: "MARTLET_SOURCE", option: "--source")
    }
}

/// The server that is moved to, where the journal is.
struct TargetOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Connection string of the database that is moved to; or MARTLET_TARGET.",
            valueName: "connection"
        )
    )
    var target: String?

    func connection() throws -> ConnectionString {
        try Environment.connection(target, or: "MARTLET_TARGET", option: "--target")
    }
}

/// Both.
struct EndpointOptions: ParsableArguments {
    @OptionGroup var source: SourceOption
    @OptionGroup var target: TargetOption

    func endpoints() throws -> Endpoints {
        Endpoints(source: try source.connection(), target: try target.connection())
    }
}

/// Where spools and log files are kept.
struct WorkDirectoryOption: ParsableArguments {
    @Option(
        name: .customLong("work-dir"),
        help: ArgumentHelp(
            "Folder for the spool and the log files (default: martlet-DATABASE in the current folder).",
            valueName: "folder"
        )
    )
    var workDirectory: String?

    func url(for source: ConnectionString) -> URL {
        let name = String((source["dbname"] ?? "database").map { $0.isLetter || $0.isNumber || $0 == "-" ? $0 : "_" })
        return URL(filePath: workDirectory ?? "martlet-\(name)", directoryHint: .isDirectory).absoluteURL
    }
}

/// Values that may come from the environment.
enum Environment {
    static func value(_ given: String?, or variable: String, option: String) throws -> String {
        if let given { return given }
        if let value = ProcessInfo.processInfo.environment[variable], !value.isEmpty { return value }
        throw ValidationError("Give \(option), or set \(variable).")
    }

    /// A connection string; one that libpq does not understand is a wrong call.
    static func connection(_ given: String?, or variable: String, option: String) throws -> ConnectionString {
        let text = try value(given, or: variable, option: option)
        do { return try ConnectionString(text) } catch { throw WrongCall(error: error) }
    }
}
